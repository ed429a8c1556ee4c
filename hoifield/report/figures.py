"""Verdicts, figures with their units, and frames in words: shared by the report and the comparison."""

import math
from collections.abc import Sequence
from typing import Any

from hoifield.report.markup import Markup, element, join
from hoifield.report.quality_names import QUALITY, scaled
from hoifield.result.fit_result import FitResult
from hoifield.result.surface_quality import is_watertight

STATUS_CLASSES = {"ok": "ok", "degraded": "degraded", "refused": "refused", "failed": "refused", "killed": "refused", "unreadable": "refused"}


def draw_badge(status: str) -> Markup:
    """The status in its colour."""
    return element("span", status, class_=f"badge {STATUS_CLASSES.get(status, 'unknown')}")


def verdict_sentence(summary: dict[str, Any]) -> str:
    """What the status means for whoever uses the result."""
    match summary["status"]:
        case "ok":
            return "The fit agrees with the video; look at the confidence per frame before relying on single frames."
        case "degraded":
            return "There is a result, and parts of it should not be trusted. The reasons:"
        case "refused":
            return "This clip was not fitted. The reasons, and what would help:"
    return "The status of this run is not known."


def draw_figure(name: str, value: object, unit: str, decimals: int, extra: Markup | None = None) -> Markup:
    """One number with its unit and name; a dash where it was not measured."""
    known = isinstance(value, (int, float)) and math.isfinite(value)
    text = f"{value:.{decimals}f}" if known else "–"
    shown = element("div", text, element("span", unit, class_="unit") if known and unit else None, class_="value")
    return element("div", shown, element("div", name, class_="name"), extra if known else None, class_="figure")


def quality_figures(summary: dict[str, Any], result: FitResult | None) -> list[Markup]:
    """The figures of `quality`, and of the object mesh where there is one."""
    figures = [
        draw_figure(words, scaled(summary["quality"].get(key), factor), unit, decimals) for key, words, unit, factor, decimals in QUALITY
    ]
    if result is not None:
        sides = " × ".join(f"{100 * side:.1f}" for side in result.object_mesh.extent)
        closed = "watertight" if is_watertight(result.object_mesh) else "not watertight"
        value = element("div", sides, element("span", "cm", class_="unit"), class_="value")
        words = element("div", f"size of the object's box; {len(result.object_mesh.faces)} faces, {closed}", class_="name")
        figures.append(element("div", value, words, class_="figure long"))
    return figures


def duration_text(seconds: float | None) -> str:
    """A duration as people say it."""
    if seconds is None:
        return "–"
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes = int(seconds // 60)
    return f"{minutes} min {seconds - 60 * minutes:.0f} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def frames_text(frames: Sequence[int]) -> Markup:
    """The frames as ranges, for the end of a line: "  frames 2-5, 9"; nothing for the whole clip."""
    ranges: list[list[int]] = []
    for frame in sorted({int(frame) for frame in frames}):
        if ranges and frame == ranges[-1][1] + 1:
            ranges[-1][1] = frame
        else:
            ranges.append([frame, frame])
    if not ranges:
        return join()
    words = [f"{first}" if first == last else f"{first}–{last}" for first, last in ranges[:12]]
    more = f" and {len(ranges) - 12} more ranges" if len(ranges) > 12 else ""
    return join(f"  frames {', '.join(words)}{more}")
