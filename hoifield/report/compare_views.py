"""The comparison's pictures: overlays that one slider moves in step, and meshes under one camera."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from hoifield.errors import HoifieldError
from hoifield.report.charts import draw_swatch
from hoifield.report.compared_run import ComparedRun
from hoifield.report.figures import draw_badge
from hoifield.report.markup import Markup, data_block, element, join, picture_uri
from hoifield.report.overlay_video import read_overlay_frames
from hoifield.report.scene_block import encode_viewer_scene
from hoifield.result.fit_result import FitResult

MOST_STEPS = 24
"""Moments of the clip on the page: a picture of 20 kB each, and hands of 10 kB."""
MOST_FACES = 30_000
PICTURE_WIDTH, PICTURE_QUALITY = 400, 78


def draw_views(runs: Sequence[ComparedRun]) -> Markup:
    """A card for each run, failed ones with their reason, and the block of scenes that compare.js reads."""
    steps = count_steps(runs)
    rows = {number: choose_rows(run.result, steps) for number, run in enumerate(runs) if run.result is not None}
    scenes = [{"number": number, "scene": encode_viewer_scene(runs[number].result, chosen, MOST_FACES)} for number, chosen in rows.items()]  # type: ignore[arg-type]
    cards = [_draw_card(number, run, rows.get(number)) for number, run in enumerate(runs)]
    content: dict[str, Any] = {"steps": steps, "runs": scenes}
    return join(
        _controls(steps) if scenes else None,
        element("div", *cards, class_="columns"),
        data_block("runs", content) if scenes else None,
    )


def count_steps(runs: Sequence[ComparedRun]) -> int:
    """Positions of the slider: the frames of the longest result, 24 at most."""
    return min(MOST_STEPS, max((len(run.result.frame_index) for run in runs if run.result is not None), default=1))


def choose_rows(result: FitResult, steps: int) -> Int[np.ndarray, "step"]:
    """A row of the result for each position of the slider, the first and the last row among them; a short clip repeats rows."""
    return np.linspace(0, len(result.frame_index) - 1, steps).round().astype(int)


def _controls(steps: int) -> Markup:
    fallback = element("p", "This browser shows no WebGL; the pictures in the table show the objects.", id="no-webgl", hidden=True)
    buttons = element(
        "div",
        element("button", "Play", id="play", type="button"),
        element("input", id="step", type="range", min=0, max=steps - 1, step=1, value=0, aria_label="moment of the clip"),
        element("button", "Hand and object", id="mode-scene", type="button", aria_pressed="true"),
        element("button", "Object alone", id="mode-object", type="button", aria_pressed="false"),
        element("button", "Shape without colour", id="clay", type="button", aria_pressed="false"),
        element("button", "Reset view", id="reset", type="button"),
        class_="controls pinned",
    )
    note = "Drag any of the scenes to turn all, wheel or pinch to zoom. All have one scale and start as their camera sees them."
    return join(buttons, fallback, element("p", element("small", note)))


def _draw_card(number: int, run: ComparedRun, rows: Int[np.ndarray, "step"] | None) -> Markup:
    heading = element("h3", draw_swatch(number), run.name, " ", draw_badge(run.status))
    if run.result is None or rows is None:
        reasons = [element("p", str(reason["message"]), " ", element("code", str(reason["code"]))) for reason in run.reasons]
        words = element("div", element("p", "There is no fit to show.", class_="soft"), *reasons, class_="nothing")
        return element("article", heading, words, class_="card run")
    stage = element("canvas", class_="stage", tabindex=0, role="img", aria_label=f"hand and object of {run.name}, to turn around")
    line = element("p", class_="frame-line soft", aria_live="polite")
    return element("article", heading, _frames(run, rows), stage, line, class_="card run", data_run=number)


def _frames(run: ComparedRun, rows: Int[np.ndarray, "step"]) -> Markup:
    """The overlays of the rows, the first one shown."""
    assert run.result is not None
    if run.overlay is None:
        return element("div", element("p", "The run has no overlay video.", class_="soft"), class_="frames")
    try:
        frames = read_overlay_frames(run.overlay, [int(frame) for frame in run.result.frame_index[rows]], PICTURE_WIDTH)
    except HoifieldError as error:
        return element("div", element("p", str(error), class_="soft"), class_="frames")
    images = []
    for step, (number, picture) in enumerate(frames):
        source = picture_uri(picture, quality=PICTURE_QUALITY)
        images.append(element("img", src=source, alt=f"{run.name}, frame {number} with the fit over it", hidden=step > 0))
    return element("div", *images, class_="frames")
