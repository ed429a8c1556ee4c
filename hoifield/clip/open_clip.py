"""Opening a clip: one full decode pass that says what is there, or why it cannot be used.

| code       | exit | meaning                                                                                    |
|------------|------|--------------------------------------------------------------------------------------------|
| HF-VID-001 | 66   | no such file or folder                                                                     |
| HF-VID-002 | 65   | a URL, pipe, socket or device instead of a file or a folder                                |
| HF-VID-003 | 65   | damaged or cut off: frames are missing, or decoding fails part-way                         |
| HF-VID-004 | 65   | empty file                                                                                 |
| HF-VID-005 | 65   | not a video that FFmpeg reads; text; a playlist that names other files                     |
| HF-VID-006 | 65   | no video track (audio only)                                                                |
| HF-VID-007 | 65   | a folder without images                                                                    |
| HF-VID-008 | 65   | a video track in which no frame decodes                                                    |
| HF-VID-009 | 65   | fewer than 8 frames                                                                        |
| HF-VID-010 | 65   | more than 5000 frames                                                                      |
| HF-VID-011 | 65   | frames larger than 7680x4320 pixels                                                        |
| HF-VID-012 | 65   | frames of different sizes                                                                  |
| HF-VID-013 | 77   | no permission to read                                                                      |
| HF-VID-014 | 70   | frames asked for that the clip does not have, or not in ascending order                    |
"""

import hashlib
import os
import re
import unicodedata
from pathlib import Path

import av
import av.error
import av.video.stream
import numpy as np
from jaxtyping import Float

from hoifield.clip.clip import Clip
from hoifield.clip.coverage import DecodeTally, bytes_cut_off, missing_frames, tolerated_shortfall
from hoifield.clip.image_folder import ASSUMED_FRAMES_PER_SECOND, focal_from_exif, list_images, read_image
from hoifield.clip.video_stream import (
    Orientation,
    display_size,
    opened_regular_file,
    opened_video,
    orientation_of,
    pixel_aspect_of,
)
from hoifield.errors import RefusedInput
from hoifield.storage import sha256_of

FEWEST_FRAMES = 8
MOST_FRAMES = 5000
_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+:/")
_COPY_AGAIN = "copy the clip again from the camera, or cut the good part out with ffmpeg"


def open_clip(path: Path) -> Clip:
    """The checked clip at `path`: any video that FFmpeg reads, or a folder of images (30 frames per second assumed).

    Every frame is decoded once and none is kept: the counts, sizes and times are those that `Clip.read_frames` delivers. The
    rotation and mirroring that the file names, and pixels that are not square, are already applied in `width` and `height`.
    Raises the errors of the table above.
    """
    if _URL.match(str(path)) and not os.path.lexists(path):
        raise RefusedInput("HF-VID-002", f"{str(path)!r} is an address, not a file", "download the clip and name the file")
    return _open_images(path) if os.path.isdir(path) else _open_video(path)


def name_clip(path: Path) -> str:
    """A short name made from the file name that is safe in every path, page and shell: a-z, 0-9, '-' and '_', at most 60 characters."""
    stem = path.resolve().name if path.is_dir() else path.stem
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode("ascii")
    slug = re.sub(r"[^a-z0-9_]+", "-", plain.lower()).strip("-_")[:60].strip("-_")
    return slug or "clip"


def _open_video(path: Path) -> Clip:
    """Decodes a video file once, counting."""
    with opened_regular_file(path):
        cut_off = bytes_cut_off(path)
    tally, stamps, time_base, rate = _decode_all(path)
    time_s = _times(stamps, time_base, rate)
    missing = missing_frames(tally, time_s)
    expected = tally.frames + max(0, missing)
    if tally.damaged or cut_off or missing > tolerated_shortfall(expected):
        detail = f"{tally.damaged} damaged places" if tally.damaged else f"{cut_off} bytes cut off" if cut_off else "the rest is missing"
        cause = f"decoded {tally.frames} of about {expected} frames of {str(path)!r}: {detail}"
        raise RefusedInput("HF-VID-003", cause, _COPY_AGAIN)
    if tally.frames == 0:
        raise RefusedInput("HF-VID-008", f"no frame of {str(path)!r} decodes ({tally.packets} packets)", _COPY_AGAIN)
    _require_enough_frames(path, tally.frames)
    if len(tally.pixel_sizes) > 1:
        sizes = ", ".join(f"{width}x{height}" for width, height in tally.pixel_sizes)
        raise RefusedInput("HF-VID-012", f"the frames of {str(path)!r} change their size: {sizes}", "cut out one part with ffmpeg")
    width, height = next(iter(tally.pixel_sizes))
    return Clip(path, "video", name_clip(path), sha256_of(path), width, height, time_s, focal_from_metadata=None)


def _decode_all(path: Path) -> tuple[DecodeTally, list[int | None], float, float]:
    """(what one pass counted, the frames' time stamps in display order, seconds per stamp unit, frames per second declared)."""
    with opened_video(path) as (container, video):
        tally = DecodeTally(frozenset(container.format.name.split(",")), video.codec_context.name)
        tally.declared_frames = video.frames
        tally.declared_duration_s = container.duration / av.time_base if container.duration else None
        time_base = float(video.time_base) if video.time_base else 1.0 / 30.0
        from_header = video.duration * time_base if video.duration and tally.declared_frames else None
        tally.declared_video_duration_s = _duration_from_tag(video.metadata.get("DURATION")) or from_header
        pixel_aspect = pixel_aspect_of(video)
        stamps: list[int | None] = []
        orientation: Orientation | None = None
        try:
            for packet in container.demux():
                _tally_packet(tally, packet, packet.stream.index == video.index)
                if packet.stream.index != video.index:  # The packet that flushes an audio decoder carries stream_index 0.
                    continue
                for frame in video.decode(packet):
                    tally.frames += 1
                    tally.damaged += frame.is_corrupt
                    orientation = orientation or orientation_of(frame)
                    tally.pixel_sizes[display_size(frame, pixel_aspect, orientation)] += 1
                    stamps.append(frame.pts)
                    _require_not_too_many(path, tally.frames)
        except (av.error.FFmpegError, OSError, IndexError):
            # PyAV raises IndexError when a damaged packet names a track that does not exist.
            tally.damaged += 1
        tally.index_length = len(video.index_entries)
        rate = float(video.average_rate or video.guessed_rate or ASSUMED_FRAMES_PER_SECOND)
    return tally, stamps, time_base, rate


def _tally_packet(tally: DecodeTally, packet: av.Packet, is_video: bool) -> None:
    """Counts one packet; the empty ones that flush the decoder do not count."""
    if not packet.size:
        return
    stamp = packet.pts if packet.pts is not None else packet.dts
    if stamp is not None and packet.time_base and not packet.is_discard:
        start = float(stamp * packet.time_base)
        end = start + float((packet.duration or 0) * packet.time_base)
        tally.first_s = min(tally.first_s, start)
        tally.last_end_s = max(tally.last_end_s, end)
        if is_video:
            tally.video_end_s = max(tally.video_end_s, end)
    if is_video:
        tally.packets += 1
        tally.hidden_packets += packet.is_discard
        tally.damaged += packet.is_corrupt


def _times(stamps: list[int | None], time_base: float, rate: float) -> Float[np.ndarray, "frame"]:
    """Seconds from the first frame. Where stamps are absent or do not ascend (AVI stores none), the declared rate is used."""
    known = [stamp for stamp in stamps if stamp is not None]
    if len(known) == len(stamps) and all(later > earlier for earlier, later in zip(known, known[1:], strict=False)):
        return (np.asarray(known, dtype=np.float64) - (known[0] if known else 0)) * time_base
    return np.arange(len(stamps), dtype=np.float64) / (rate if rate > 0 else ASSUMED_FRAMES_PER_SECOND)


def _duration_from_tag(tag: str | None) -> float | None:
    """Seconds of Matroska's DURATION tag "00:00:02.033000000", None where it is absent or not in this form."""
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", tag or "")
    return int(match[1]) * 3600.0 + int(match[2]) * 60.0 + float(match[3]) if match else None


def _open_images(folder: Path) -> Clip:
    """Decodes every image of a folder once, counting."""
    images = list_images(folder)
    _require_not_too_many(folder, len(images))
    _require_enough_frames(folder, len(images))
    digest = hashlib.sha256()
    first: tuple[int, int] | None = None
    for image_path in images:
        height, width, _ = read_image(image_path).shape
        first = first or (width, height)
        if (width, height) != first:
            cause = f"{str(image_path)!r} has {width}x{height} pixels, the first image has {first[0]}x{first[1]}"
            raise RefusedInput("HF-VID-012", cause, "make all images the same size, or move the odd ones out of the folder")
        digest.update(image_path.name.encode("utf-8", "surrogateescape") + b"\0" + bytes.fromhex(sha256_of(image_path)))
    assert first is not None
    width, height = first
    time_s = np.arange(len(images), dtype=np.float64) / ASSUMED_FRAMES_PER_SECOND
    focal = focal_from_exif(images[0], width, height)
    return Clip(folder, "images", name_clip(folder), digest.hexdigest(), width, height, time_s, focal)


def _require_enough_frames(path: Path, frames: int) -> None:
    """Raises RefusedInput HF-VID-009 below 8 frames."""
    if frames < FEWEST_FRAMES:
        cause = f"{str(path)!r} has {frames} frames; at least {FEWEST_FRAMES} are needed"
        raise RefusedInput("HF-VID-009", cause, "film two to ten seconds of the hand turning the object")


def _require_not_too_many(path: Path, frames: int) -> None:
    """Raises RefusedInput HF-VID-010 above 5000 frames."""
    if frames > MOST_FRAMES:
        cause = f"{str(path)!r} has more than {MOST_FRAMES} frames (counted {frames})"
        raise RefusedInput("HF-VID-010", cause, "cut out the part with the hand and the object, for example with ffmpeg -ss and -t")
