"""What a report shows, gathered from a run folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from hoifield.clip.clip import Clip
from hoifield.observations.frame_masks import LEFT_HAND, OBJECT, RIGHT_HAND, FrameMasks
from hoifield.observations.observations import Readiness
from hoifield.report.draw_meshes import find_outline
from hoifield.report.overlay_video import draw_overlay_frame
from hoifield.report.turntable import render_turntable
from hoifield.result.fit_result import FitResult
from hoifield.result.result_folder import read_result, read_summary
from hoifield.runlog.metrics_log import Metric, read_metrics
from hoifield.runlog.run_folder import read_journal

LABEL_COLOURS = {OBJECT: (0.20, 0.52, 0.85), RIGHT_HAND: (0.95, 0.55, 0.25), LEFT_HAND: (0.66, 0.45, 0.90)}
PICTURE_WIDTH = 480


@dataclass(frozen=True)
class Picture:
    """A picture with the words under it."""

    caption: str
    image: UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True)
class StageTime:
    """One stage of the run and how long it took; `seconds` is None for one taken over from an earlier run."""

    name: str
    seconds: float | None


@dataclass(frozen=True)
class ReportContent:
    """All that a report shows; what is None or empty is left out of the page."""

    summary: dict[str, Any]
    """As FitResult.summary."""
    result: FitResult | None
    """None for a clip that was refused."""
    readiness: Readiness | None = None
    stages: tuple[StageTime, ...] = ()
    metrics: tuple[Metric, ...] = ()
    object_pictures: tuple[Picture, ...] = ()
    """Wide strips of the object from all sides."""
    mask_pictures: tuple[Picture, ...] = ()
    overlay_pictures: tuple[Picture, ...] = ()
    overlay: Path | None = None


def collect_content(
    run_folder: Path, clip: Clip | None = None, masks: FrameMasks | None = None, readiness: Readiness | None = None
) -> ReportContent:
    """The content of a run folder: result, metrics, stage times and overlay; pictures of frames and masks where `clip` is given.

    Raises MissingInput (HF-RES-002) where the run has no result yet, RefusedInput where a file is damaged.
    """
    folder = run_folder / "result"
    summary = read_summary(folder)
    result = None if summary["status"] == "refused" and not (folder / "poses.npz").exists() else read_result(folder)
    metrics, journal, overlay = run_folder / "metrics.jsonl", run_folder / "journal.jsonl", folder / "overlay.mp4"
    return ReportContent(
        summary=summary,
        result=result,
        readiness=readiness,
        stages=_stage_times(run_folder) if journal.exists() else (),
        metrics=tuple(read_metrics(metrics)) if metrics.exists() else (),
        object_pictures=picture_object(result) if result is not None else (),
        mask_pictures=picture_masks(clip, masks) if clip is not None and masks is not None else (),
        overlay_pictures=picture_overlays(clip, result) if clip is not None and result is not None else (),
        overlay=overlay if overlay.exists() else None,
    )


def picture_object(result: FitResult) -> tuple[Picture, ...]:
    """The object from all sides, with its colours and without."""
    sides = "eight sides, then from above and from below (the object's own axes)"
    return (
        Picture(f"With colours: {sides}.", render_turntable(result.object_mesh)),
        Picture("Shape alone, where colours cannot hide it.", render_turntable(result.object_mesh, clay=True)),
    )


def picture_masks(clip: Clip, masks: FrameMasks, count: int = 6) -> tuple[Picture, ...]:
    """Frames spread over the clip with their masks in colour; the caption tells the source and the confidence."""
    pictures = []
    for number, frame in clip.read_frames(_spread(clip.frame_count, count), _picture_size(clip)):
        object_confidence, hand_confidence = masks.object_confidence[number], masks.hand_confidence[number]
        caption = f"frame {number}: object {object_confidence:.2f}, hand {hand_confidence:.2f}, {masks.source[number]}"
        pictures.append(Picture(caption, draw_labels(frame, masks.labels[number])))
    return tuple(pictures)


def picture_overlays(clip: Clip, result: FitResult, count: int = 6) -> tuple[Picture, ...]:
    """Fitted frames spread over the clip with the meshes over them."""
    rows = {int(result.frame_index[row]): row for row in _spread(len(result.frame_index), count)}
    pictures = []
    for number, frame in clip.read_frames(sorted(rows), _picture_size(clip)):
        confidence = float(result.object_confidence[rows[number]])
        words = f"object confidence {confidence:.2f}" if confidence > 0 else "no object pose"
        pictures.append(Picture(f"frame {number}: {words}", draw_overlay_frame(frame, result, rows[number])))
    return tuple(pictures)


def draw_labels(
    frame: UInt8[np.ndarray, "height width 3"], labels: UInt8[np.ndarray, "rows columns"]
) -> UInt8[np.ndarray, "height width 3"]:
    """A frame with its labels (any size of the same aspect) tinted and outlined: object blue, right hand orange, left hand violet."""
    height, width = frame.shape[:2]
    rows = ((np.arange(height) + 0.5) * labels.shape[0] / height).astype(int)
    columns = ((np.arange(width) + 0.5) * labels.shape[1] / width).astype(int)
    scaled = labels[rows[:, None], columns[None]]
    picture = frame.astype(np.float64) / 255.0
    for label, colour in LABEL_COLOURS.items():
        picture[scaled == label] = 0.55 * picture[scaled == label] + 0.45 * np.array(colour)
    picture[find_outline(scaled.astype(np.int64))] = 1.0
    return np.round(picture * 255.0).astype(np.uint8)


def _stage_times(run_folder: Path) -> tuple[StageTime, ...]:
    """The stages in the order of their first event; a stage that was made again keeps its last time."""
    seconds: dict[str, float | None] = {}
    for event in read_journal(run_folder):
        name = str(event.get("stage", ""))
        if event.get("event") == "stage done":
            seconds[name] = float(event["seconds"])
        elif event.get("event") == "stage reused":
            seconds.setdefault(name, None)
    return tuple(StageTime(name, value) for name, value in seconds.items())


def _spread(length: int, count: int) -> list[int]:
    return sorted({int(frame) for frame in np.linspace(0, length - 1, min(count, length)).round()})


def _picture_size(clip: Clip) -> tuple[int, int]:
    scale = min(1.0, PICTURE_WIDTH / clip.width)
    return max(1, round(clip.width * scale)), max(1, round(clip.height * scale))
