"""The fitted meshes over the frames: single pictures, and overlay.mp4 with the input beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from jaxtyping import UInt8

from hoifield.clip.clip import Clip
from hoifield.errors import InputOutputFailure
from hoifield.geometry.mesh import Mesh
from hoifield.report.draw_meshes import blend_drawing, draw_meshes
from hoifield.result.fit_result import FitResult

SKIN = {"right": np.array([0.93, 0.72, 0.58]), "left": np.array([0.80, 0.66, 0.86])}
"""Left hands are drawn cooler, so that the two can be told apart."""
LOW_CONFIDENCE = 0.3
TIME_BASE = Fraction(1, 90000)


@dataclass(frozen=True)
class OverlayStyle:
    """How the overlay looks. `panel_height` is that of one of the two panels, pixels; frames are never enlarged."""

    panel_height: int = 480
    opacity: float = 0.82
    constant_rate_factor: int = 24
    """x264's quality; lower is better and larger."""


def write_overlay(path: Path, clip: Clip, result: FitResult, style: OverlayStyle | None = None) -> None:
    """Write overlay.mp4 (H.264, yuv420p, the clip's own frame times): input on the left, meshes over it on the right.

    Every frame of the clip is there, streamed; frames that were not fitted, or have no pose, say so. Raises InputOutputFailure
    (HF-OVL-001) when the file cannot be encoded.
    """
    style = style or OverlayStyle()
    width, height = panel_size(clip.width, clip.height, style.panel_height)
    row_of_frame = {int(frame): row for row, frame in enumerate(result.frame_index)}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part.mp4")
    try:
        with av.open(str(partial), "w", options={"movflags": "+faststart"}) as container:
            stream = container.add_stream("libx264", rate=Fraction(clip.frames_per_second).limit_denominator(1001))
            stream.width, stream.height, stream.pix_fmt = 2 * width, height, "yuv420p"
            stream.codec_context.time_base = TIME_BASE
            stream.options = {"crf": str(style.constant_rate_factor), "preset": "veryfast"}
            stream.codec_context.thread_count = 1
            for number, frame in clip.read_frames(size=(width, height)):
                drawn = draw_overlay_frame(frame, result, row_of_frame.get(number), style.opacity)
                picture = av.VideoFrame.from_ndarray(np.concatenate([_tagged(frame, "input"), drawn], axis=1), format="rgb24")
                picture.pts, picture.time_base = round(float(clip.time_s[number]) / TIME_BASE), TIME_BASE
                container.mux(stream.encode(picture))
            container.mux(stream.encode())
        partial.replace(path)
    except (av.FFmpegError, OSError) as error:
        cause = f"{path.name} could not be written ({error})"
        raise InputOutputFailure("HF-OVL-001", cause, "Check the free space, then run the same command again.") from error
    finally:
        partial.unlink(missing_ok=True)


def read_overlay_frames(path: Path, frames: Sequence[int], width: int) -> list[tuple[int, UInt8[np.ndarray, "height width 3"]]]:
    """(frame, right half of overlay.mp4: the fit over the clip) of each asked frame in the order given, at most `width` wide.

    Raises InputOutputFailure (HF-OVL-002) for a video that cannot be decoded or is too short.
    """
    wanted, found = set(frames), {}
    try:
        with av.open(str(path)) as container:
            for number, frame in enumerate(container.decode(video=0)):
                if number in wanted:
                    picture = frame.to_ndarray(format="rgb24")
                    panel = picture[:, picture.shape[1] // 2 :]
                    size = panel_size(panel.shape[1], panel.shape[0], round(panel.shape[0] * width / panel.shape[1]))
                    found[number] = cv2.resize(panel, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    except av.FFmpegError as error:
        raise InputOutputFailure("HF-OVL-002", f"{path.name} cannot be decoded ({error})", "Run the fit again with another --out.") from error
    if len(found) < len(wanted):
        cause = f"{path.name} holds {len(found)} of the {len(wanted)} frames asked for"
        raise InputOutputFailure("HF-OVL-002", cause, "Run the fit again with another --out.")
    return [(frame, found[frame]) for frame in frames]


def draw_overlay_frame(
    frame: UInt8[np.ndarray, "height width 3"], result: FitResult, row: int | None, opacity: float = 0.82
) -> UInt8[np.ndarray, "height width 3"]:
    """A frame (any size of the clip's aspect) with hand and object of one row of the result over it.

    `row` counts the rows of the result, None for a frame that was not fitted. What has no pose is not drawn, and a tag says so.
    """
    if row is None:
        return _tagged(_dimmed(frame), "not fitted")
    height, width = frame.shape[:2]
    meshes, missing = posed_meshes(result, row)
    scale = np.diag([width / result.image_size[0], height / result.image_size[1], 1.0])
    drawing = draw_meshes(meshes, scale @ result.K[row], width, height)
    drawn = blend_drawing(frame if meshes else _dimmed(frame), drawing, opacity)
    return _tagged(drawn, "; ".join(missing)) if missing else drawn


def posed_meshes(result: FitResult, row: int) -> tuple[list[Mesh], list[str]]:
    """The camera-frame meshes of one row, object first, and what is missing or weak there, in words."""
    meshes, notes = [], []
    if result.object_confidence[row] > 0:
        meshes.append(result.object_mesh.moved(result.T_camera_object[row]))
        if result.object_confidence[row] < LOW_CONFIDENCE:
            notes.append(f"object uncertain ({result.object_confidence[row]:.2f})")
    else:
        notes.append("no object pose")
    for hand in result.hands:
        if hand.confidence[row] > 0:
            vertices = np.asarray(hand.vertices[row], dtype=np.float64)
            meshes.append(Mesh(vertices, hand.faces, np.tile(SKIN[hand.side], (len(vertices), 1))))
        else:
            notes.append(f"no {hand.side} hand pose")
    return meshes, notes


def panel_size(width: int, height: int, panel_height: int) -> tuple[int, int]:
    """Even width and height of the clip scaled down to `panel_height`, never up."""
    scale = min(1.0, panel_height / height)
    return max(2, 2 * round(width * scale / 2)), max(2, 2 * round(height * scale / 2))


def _dimmed(frame: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    return (frame * 0.55).astype(np.uint8)


def _tagged(frame: UInt8[np.ndarray, "height width 3"], text: str) -> UInt8[np.ndarray, "height width 3"]:
    """The frame with a line of text on a dark plate in its upper left corner."""
    tagged = np.ascontiguousarray(frame)
    tagged = tagged.copy()
    size = max(0.45, frame.shape[0] / 900)
    (width, height), base = cv2.getTextSize(_printable(text), cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    tagged[: height + base + 8, : width + 12] = (tagged[: height + base + 8, : width + 12] * 0.35).astype(np.uint8)
    cv2.putText(tagged, _printable(text), (6, height + 5), cv2.FONT_HERSHEY_SIMPLEX, size, (245, 245, 245), 1, cv2.LINE_AA)
    return tagged


def _printable(text: str) -> str:
    """The text in the letters that the picture font has; others become "?"."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)
