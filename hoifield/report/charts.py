"""Curves and strips as inline SVG."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hoifield.report.markup import Markup, element, join
from hoifield.runlog.metrics_log import Metric

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 300, 130, 50, 10, 20
MOST_POINTS = 300
CURVE_COLOURS = 6
LANE_HEIGHT, LANE_GAP = 26, 6


@dataclass(frozen=True)
class Curve:
    """Values of one quantity over the steps of a fit."""

    name: str
    steps: np.ndarray
    values: np.ndarray


def curves_from_metrics(metrics: Sequence[Metric]) -> tuple[Curve, ...]:
    """The curves of the metrics, sorted by name; values that are not finite are left out."""
    series: dict[str, list[tuple[int, float]]] = {}
    for metric in metrics:
        if math.isfinite(metric.value):
            series.setdefault(metric.name, []).append((metric.step, metric.value))
    curves = []
    for name, pairs in sorted(series.items()):
        points = np.array(sorted(pairs), dtype=np.float64)
        curves.append(Curve(name, points[:, 0], points[:, 1]))
    return tuple(curves)


def draw_curve(title: str, curves: Sequence[Curve], colours: Sequence[int] | None = None) -> Markup:
    """One chart of curves that share their axes; logarithmic upwards when all values are positive and span more than a factor of 50.

    `colours` are the numbers of the curves in `draw_key`, 0, 1, ... when not given.
    """
    values = np.concatenate([curve.values for curve in curves])
    logarithmic = bool(values.min() > 0 and values.max() > 50 * values.min())
    lower, upper = float(values.min()), float(values.max())
    steps = np.concatenate([curve.steps for curve in curves])
    first, last = float(steps.min()), float(steps.max())
    lines = [
        _polyline(curve, number, (first, last), (lower, upper), logarithmic) for number, curve in zip(colours or range(len(curves)), curves)
    ]
    ends = f"{_short(curves[0].values[-1])}" if len(curves) == 1 else None
    heading = element("div", element("b", title), element("span", ends, class_="soft") if ends else None, class_="title")
    bottom = HEIGHT - BOTTOM
    svg = element(
        "svg",
        element("line", x1=LEFT, y1=TOP, x2=WIDTH, y2=TOP, class_="grid"),
        element("line", x1=LEFT, y1=bottom, x2=WIDTH, y2=bottom, class_="grid"),
        *lines,
        element("text", _short(upper), x=LEFT - 5, y=TOP + 4, text_anchor="end"),
        element("text", _short(lower), x=LEFT - 5, y=bottom + 1, text_anchor="end"),
        element("text", _short(first), x=LEFT, y=HEIGHT - 3),
        element("text", f"step {_short(last)}{', log scale' if logarithmic else ''}", x=WIDTH, y=HEIGHT - 3, text_anchor="end"),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=f"{title}: {_short(curves[0].values[0])} to {_short(curves[0].values[-1])}",
    )
    return element("div", heading, svg, class_="chart")


def draw_curve_groups(runs: Sequence[Sequence[Curve]]) -> Markup | None:
    """All curves under a heading for each stage (what stands before the "/"), in the order of their steps; a chart per name, with the runs
    over each other. None without curves."""
    numbered = [(number, curve) for number, curves in enumerate(runs) for curve in curves]
    first_step: dict[str, float] = {}
    for _, curve in numbered:
        stage = curve.name.rpartition("/")[0]
        first_step[stage] = min(first_step.get(stage, math.inf), float(curve.steps.min()))
    parts: list[Markup] = []
    for stage in sorted(first_step, key=lambda stage: (first_step[stage], stage)):
        charts = []
        for name in sorted({curve.name for _, curve in numbered if curve.name.rpartition("/")[0] == stage}):
            chosen = [(number, curve) for number, curve in numbered if curve.name == name]
            title = name.rpartition("/")[2].replace("_", " ")
            charts.append(draw_curve(title, [curve for _, curve in chosen], [number for number, _ in chosen]))
        parts += [element("h3", stage) if stage else join(), element("div", *charts, class_="charts")]
    return join(*parts) if parts else None


def draw_swatch(number: int) -> Markup:
    """The line of a curve's number, for keys and headings."""
    return element("svg", element("line", x1=0, y1=5, x2=24, y2=5, class_=_curve_class(number)), viewBox="0 0 24 10", class_="swatch", aria_hidden="true")


def draw_key(names: Sequence[str]) -> Markup:
    """Which colour belongs to which name, in the order of `draw_curve`."""
    return element("div", *(element("span", draw_swatch(k), name) for k, name in enumerate(names)), class_="key")


def draw_bar(share: float, graded: bool = False) -> Markup:
    """A bar filled to a share in [0, 1]; `graded` colours it low (below 0.3), fair (below 0.6) or high."""
    share = min(1.0, max(0.0, share))
    grade = ("low" if share < 0.3 else "fair" if share < 0.6 else "high") if graded else ""
    track = element("rect", width=100, height=6, class_="track")
    fill = element("rect", width=f"{100 * share:.1f}", height=6, class_=f"fill {grade}".strip())
    return element("svg", track, fill, viewBox="0 0 100 6", preserveAspectRatio="none", class_="bar", aria_hidden="true")


def draw_timeline(lanes: Mapping[str, Sequence[float]]) -> Markup:
    """A strip per entity ("object", "right", "left"): height is the confidence of the frame, an empty dashed box is no pose."""
    height = len(lanes) * (LANE_HEIGHT + LANE_GAP)
    shapes: list[Markup] = []
    for lane, (name, confidence) in enumerate(lanes.items()):
        top = lane * (LANE_HEIGHT + LANE_GAP)
        shapes.append(element("rect", x=0, y=top, width=1000, height=LANE_HEIGHT, class_="lane floor"))
        shapes += [_span(start, end, value, top, len(confidence), name) for start, end, value in _runs(confidence)]
    cursor = element("line", id="cursor", x1=0, x2=0, y1=0, y2=height)
    label = "confidence per frame: " + ", ".join(f"{name} {np.mean(values):.2f} on average" for name, values in lanes.items())
    names = [
        element("span", element("svg", element("rect", width=18, height=10, class_=f"lane {name}"), viewBox="0 0 18 10"), _lane_name(name))
        for name in lanes
    ]
    empty = element("svg", element("rect", x=1, y=1, width=16, height=8, class_="lane none"), viewBox="0 0 18 10")
    svg = element(
        "svg",
        *shapes,
        cursor,
        id="timeline",
        viewBox=f"0 0 1000 {height}",
        class_="timeline",
        shape_rendering="crispEdges",
        role="img",
        aria_label=label,
    )
    key = element("div", *names, element("span", empty, "no pose"), element("span", "height = confidence, 0 to 1"), class_="key")
    return join(svg, key)


def _lane_name(name: str) -> str:
    return name if name == "object" else f"{name} hand"


def _runs(confidence: Sequence[float]) -> list[tuple[int, int, float]]:
    """Neighbouring frames of the same confidence (to 1/100) as (first, end, confidence)."""
    runs: list[tuple[int, int, float]] = []
    for frame, value in enumerate(confidence):
        value = 0.0 if value <= 0 else max(0.01, round(float(value), 2))
        if runs and runs[-1][2] == value:
            runs[-1] = (runs[-1][0], frame + 1, value)
        else:
            runs.append((frame, frame + 1, value))
    return runs


def _span(start: int, end: int, value: float, top: int, frames: int, name: str) -> Markup:
    x, width = 1000 * start / frames, 1000 * (end - start) / frames
    if value == 0:
        return element("rect", x=f"{x:.2f}", y=top + 1, width=f"{width:.2f}", height=LANE_HEIGHT - 2, class_="lane none")
    height = LANE_HEIGHT * value
    return element(
        "rect",
        x=f"{x:.2f}",
        y=f"{top + LANE_HEIGHT - height:.2f}",
        width=f"{width + 0.3:.2f}",
        height=f"{height:.2f}",
        class_=f"lane {name}",
    )


def _polyline(curve: Curve, number: int, across: tuple[float, float], up: tuple[float, float], logarithmic: bool) -> Markup:
    kept = np.unique(np.linspace(0, len(curve.steps) - 1, min(MOST_POINTS, len(curve.steps))).astype(int))
    scale = np.log if logarithmic else np.asarray
    low, high = float(scale(up[0])), float(scale(up[1]))
    x = LEFT + (WIDTH - LEFT) * (curve.steps[kept] - across[0]) / max(across[1] - across[0], 1e-12)
    share = (scale(curve.values[kept]) - low) / (high - low) if high > low else np.full(len(kept), 0.5)
    y = TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - share)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y))
    return element("polyline", points=points, class_=_curve_class(number))


def _curve_class(number: int) -> str:
    return "curve" if number % CURVE_COLOURS == 0 else f"curve k{number % CURVE_COLOURS}"


def _short(value: float) -> str:
    """In at most six letters, which is what there is room for beside a chart."""
    if float(value).is_integer() and abs(value) < 1e5:
        return f"{value:.0f}"
    if 1e-2 <= abs(value) < 1e4:
        return f"{value:.3g}"
    return f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e")
