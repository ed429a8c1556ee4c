"""Opening a video file with FFmpeg's libraries: by content only, never by name, and never a playlist that names other files."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

import av
import av.container
import av.error
import av.sidedata.sidedata
import av.video.stream
import numpy as np
from jaxtyping import UInt8

from hoifield.errors import Locked, MissingInput, RefusedInput

# Formats that name other files or addresses, read devices, or turn any text into pictures.
_REFUSED_FORMATS = frozenset(
    "hls applehttp dash concat concatf imf image2 lavfi sdp rtp rtsp sap tty ffmetadata webm_dash_manifest mpegtsraw data "
    "alsa fbdev kmsgrab oss pulse sndio v4l2 video4linux2 x11grab xcbgrab xv jack libcdio iec61883 avfoundation dshow gdigrab "
    "vfwcap bktr android_camera decklink libdc1394 openal opengl caca sdl vapoursynth avisynth".split()
)
_VIDEO_SIGNATURES = (b"ftyp", b"moov", b"mdat", b"RIFF", b"\x1a\x45\xdf\xa3", b"FLV\x01")
LARGEST_PIXELS = 7680 * 4320
READ_BLOCK_BYTES = 1 << 20


@contextmanager
def opened_video(path: Path) -> Iterator[tuple[av.container.InputContainer, av.video.stream.VideoStream]]:
    """The open container and its best video stream, several decoder threads allowed.

    Raises RefusedInput HF-VID-003 (a video file cut off before its index), 004 (empty), 005 (not a video FFmpeg reads, or a playlist),
    006 (no video track), 011 (larger than 7680x4320), MissingInput HF-VID-001, Locked HF-VID-013 (no permission).
    """
    with opened_regular_file(path) as stream:
        if path.stat().st_size == 0:
            raise RefusedInput("HF-VID-004", f"{str(path)!r} is empty (0 bytes)", "copy the clip again")
        try:
            container = av.open(stream, "r", container_options={"format_whitelist": _allowed_formats()}, buffer_size=READ_BLOCK_BYTES)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise _unreadable(path, error) from error
        with container:
            video = _best_video_stream(container, path)
            require_reasonable_size(path, video.codec_context.width, video.codec_context.height)
            video.thread_type = "AUTO"
            yield container, video


@contextmanager
def opened_regular_file(path: Path) -> Iterator[BinaryIO]:
    """A binary stream of an existing regular file; raises MissingInput HF-VID-001 or Locked HF-VID-013 otherwise."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise RefusedInput("HF-VID-002", f"{str(path)!r} is not a regular file", "name a video file or a folder of images")
        stream = path.open("rb")
    except PermissionError as error:
        raise Locked("HF-VID-013", f"no permission to read {str(path)!r}", "change the permissions of the file") from error
    except (OSError, ValueError) as error:
        raise MissingInput("HF-VID-001", f"there is no file {str(path)!r} ({error.__class__.__name__})", "check the path after --video") from error
    with stream:
        yield stream


def require_reasonable_size(path: Path, width: int, height: int) -> None:
    """Raises RefusedInput HF-VID-011 for frames above 7680x4320 pixels, before anything of that size is held."""
    if width * height > LARGEST_PIXELS:
        cause = f"{str(path)!r} has frames of {width}x{height} pixels; the limit is 7680x4320"
        raise RefusedInput("HF-VID-011", cause, "scale the clip down first; 1280x720 is enough")


@dataclass(frozen=True)
class Orientation:
    """What makes stored frames upright: swap the axes, then mirror x, then mirror y."""

    swap_axes: bool = False
    mirror_x: bool = False
    mirror_y: bool = False


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """What makes the frames of this video upright, from the display matrix of one of them.

    FFmpeg's matrix (a b u, c d v, x y w) maps a stored point to x' = a x + c y, y' = b x + d y; turns other than quarter turns
    are rounded to the nearest quarter. Ask for one frame of a video only: PyAV keeps every frame whose side data were looked at
    until the next garbage collection.
    """
    try:
        matrix = np.frombuffer(bytes(frame.side_data[av.sidedata.sidedata.Type.DISPLAYMATRIX])[:36], dtype=np.int32)  # type: ignore[typeddict-item]
    except KeyError:
        return Orientation()
    a, b, c, d = int(matrix[0]), int(matrix[1]), int(matrix[3]), int(matrix[4])
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(swap_axes=True, mirror_x=c < 0, mirror_y=b < 0)
    return Orientation(mirror_x=a < 0, mirror_y=d < 0)


def display_size(frame: av.VideoFrame, pixel_aspect: float, orientation: Orientation) -> tuple[int, int]:
    """Width and height of the upright frame with square pixels."""
    width, height = max(1, round(frame.width * pixel_aspect)), frame.height
    return (height, width) if orientation.swap_axes else (width, height)


def pixel_aspect_of(video: av.video.stream.VideoStream) -> float:
    """Width over height of one stored pixel; 1 where the file does not say or says nonsense."""
    aspect = float(video.sample_aspect_ratio or 1)
    return aspect if 0.1 < aspect < 10.0 else 1.0


def upright_rgb(frame: av.VideoFrame, orientation: Orientation) -> UInt8[np.ndarray, "height width 3"]:
    """The frame as RGB, turned and mirrored as its display matrix says (`orientation_of`; PyAV does not do it).

    Colours are converted with the matrix and range that the frame names; BT.709 is assumed from 720 lines on where it names none.
    Transparent pixels are laid over black. High bit depths are reduced to 8 bit without tone mapping.
    """
    has_alpha = any(component.is_alpha for component in frame.format.components) or frame.format.name == "pal8"
    layout = "rgba" if has_alpha else "rgb24"
    unnamed_matrix = frame.colorspace == 2 and not frame.format.is_rgb
    matrix = "ITU709" if unnamed_matrix and min(frame.width, frame.height) >= 720 else None
    image = frame.to_ndarray(format=layout, src_colorspace=matrix) if matrix else frame.to_ndarray(format=layout)
    if has_alpha:
        image = composite_over_black(image)
    if orientation.swap_axes:
        image = image.transpose(1, 0, 2)
    if orientation.mirror_x:
        image = image[:, ::-1]
    if orientation.mirror_y:
        image = image[::-1]
    return np.ascontiguousarray(image)


def composite_over_black(image: UInt8[np.ndarray, "height width 4"]) -> UInt8[np.ndarray, "height width 3"]:
    """RGBA with straight alpha laid over black."""
    alpha = image[..., 3:].astype(np.uint16)
    return ((image[..., :3] * alpha + 127) // 255).astype(np.uint8)


def _best_video_stream(container: av.container.InputContainer, path: Path) -> av.video.stream.VideoStream:
    """The first moving video track; cover pictures do not count."""
    attached = av.stream.Disposition.attached_pic
    candidates = [video for video in container.streams.video if not video.disposition & attached]
    if not candidates:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise RefusedInput("HF-VID-006", f"{str(path)!r} has no video track (it has: {kinds})", "name a file with a video track")
    decodable = [video for video in candidates if video.codec_context is not None]
    if not decodable:
        raise RefusedInput("HF-VID-005", f"FFmpeg has no decoder for the video track of {str(path)!r}", "convert it to H.264 in MP4")
    best = container.streams.best("video")
    return best if best in decodable else decodable[0]


def _unreadable(path: Path, error: Exception) -> RefusedInput:
    """The refusal for a file that FFmpeg cannot open: damaged where it begins like a video, else not a video."""
    with path.open("rb") as stream:
        start = stream.read(16)
    if any(start.startswith(signature) or start[4:8] == signature for signature in _VIDEO_SIGNATURES):
        cause = f"{str(path)!r} begins like a video but cannot be opened ({path.stat().st_size} bytes): it was cut off or damaged"
        return RefusedInput("HF-VID-003", cause, "copy the clip again from the camera")
    reason = getattr(error, "strerror", None) or str(error)
    return RefusedInput("HF-VID-005", f"{str(path)!r} is not a video that FFmpeg reads ({reason})", "convert it to MP4, or name another file")


@cache
def _allowed_formats() -> str:
    """FFmpeg's demuxers except the refused ones, as the list that its format_whitelist option takes."""
    allowed = []
    for name in sorted(av.formats_available):
        try:
            known = av.ContainerFormat(name)
        except ValueError:
            continue
        if known.is_input and not _REFUSED_FORMATS & {name, *known.name.split(",")}:
            allowed.append(name)
    return ",".join(allowed)
