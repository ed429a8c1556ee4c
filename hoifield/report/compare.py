"""Runs side by side in one page that needs no account and no network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoifield.errors import HoifieldError, UsageError
from hoifield.report.charts import Curve, curves_from_metrics, draw_bar, draw_curve, draw_key
from hoifield.report.figures import CONFIDENCE_NAMES, draw_badge, duration_text
from hoifield.report.markup import Markup, element, join, picture_uri, write_page
from hoifield.report.quality_names import QUALITY, scaled
from hoifield.report.turntable import render_turntable
from hoifield.result.fit_result import FitResult
from hoifield.result.result_folder import read_result, read_summary
from hoifield.runlog.metrics_log import read_metrics
from hoifield.storage import write_file

THUMBNAIL_VIEWS = 3


@dataclass(frozen=True)
class ComparedRun:
    """What the page shows of one run."""

    name: str
    summary: dict[str, Any] | None
    """None where the run has no readable result; `trouble` says why."""
    result: FitResult | None
    curves: tuple[Curve, ...]
    trouble: str = ""


def write_comparison(runs: Sequence[Path], path: Path) -> None:
    """Write one page with the status, figures, pictures and curves of the runs. A run without a result is listed with the reason.

    Raises UsageError (HF-REP-003) without a run.
    """
    if not runs:
        raise UsageError("HF-REP-003", "0 runs were named", "Name at least one run folder.")
    page = render_comparison([load_run(run) for run in runs])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, page.encode("utf-8"))


def load_run(run: Path) -> ComparedRun:
    """One run as the comparison shows it."""
    metrics = run / "metrics.jsonl"
    try:
        curves = curves_from_metrics(read_metrics(metrics)) if metrics.exists() else ()
        summary = read_summary(run / "result")
        result = None if summary["status"] == "refused" else read_result(run / "result")
    except HoifieldError as error:
        return ComparedRun(run.resolve().name, None, None, (), str(error))
    return ComparedRun(run.resolve().name, summary, result, curves)


def render_comparison(runs: Sequence[ComparedRun]) -> str:
    """The page: one column per run, figures in rows, the better value of a row in bold; below, the curves of the same name in one chart."""
    heading = element("h1", f"{len(runs)} runs" if len(runs) != 1 else "One run")
    body = join(element("header", heading), element("div", _table(runs), class_="card wide"), _curves(runs))
    return write_page(
        f"hoifield: {len(runs)} runs compared",
        join(body, element("footer", "Written by hoifield. This page loads nothing from a network.")),
    )


def _table(runs: Sequence[ComparedRun]) -> Markup:
    rows = [
        element("tr", element("th"), *(element("th", run.name) for run in runs)),
        _row("status", [_status(run) for run in runs]),
        _row("clip", [run.summary["clip"]["name"] if run.summary else "–" for run in runs]),
        _row("object", [_thumbnail(run) for run in runs]),
        _row("preset, device", [f"{run.summary['preset']}, {run.summary['device']}" if run.summary else "–" for run in runs]),
        _row("seed", [run.summary["seed"] if run.summary else "–" for run in runs]),
        _row("seconds, total", [duration_text(run.summary["seconds"]["total"]) if run.summary else "–" for run in runs]),
    ]
    for key, words in CONFIDENCE_NAMES.items():
        values = [scaled(run.summary["confidence"][key], 1.0) if run.summary else None for run in runs]
        rows.append(_row(f"confidence: {words}", [_confidence(value) for value in values]))
    for key, words, unit, factor, decimals in QUALITY:
        values = [scaled(run.summary["quality"][key], factor) if run.summary else None for run in runs]
        rows.append(_row(f"{words}, {unit}", _marked(values, decimals, better_of(key))))
    rows.append(_row("size of the object's box, cm", [_size(run.result) for run in runs]))
    rows.append(_row("reasons", [_reasons(run) for run in runs]))
    return element("table", *rows)


def better_of(key: str) -> bool | None:
    """Whether more (True) or less (False) of a figure is better; None where neither is."""
    return {"mask_iou_hand": True, "mask_iou_object": True, "psnr_db": True, "penetration_mean_mm": False}.get(key)


def _row(name: str, cells: Sequence[object]) -> Markup:
    return element("tr", element("th", name), *(element("td", cell) for cell in cells))


def _status(run: ComparedRun) -> Markup:
    return draw_badge(str(run.summary["status"]) if run.summary else "no result")


def _thumbnail(run: ComparedRun) -> Markup | str:
    if run.result is None:
        return "–"
    strip = render_turntable(run.result.object_mesh, views=THUMBNAIL_VIEWS, size=96)[:, : 96 * (THUMBNAIL_VIEWS + 1)]
    return element(
        "div",
        element("img", src=picture_uri(strip), alt=f"object of {run.name} from {THUMBNAIL_VIEWS} sides and above"),
        class_="thumbnail",
    )


def _confidence(value: float | None) -> Markup | str:
    return "–" if value is None else join(f"{value:.2f}", draw_bar(value, graded=True))


def _marked(values: Sequence[float | None], decimals: int, more_is_better: bool | None) -> list[object]:
    """The values as text, the best in bold where one is best and runs differ."""
    known = [value for value in values if value is not None]
    best = None
    if more_is_better is not None and len(set(known)) > 1:
        best = max(known) if more_is_better else min(known)
    texts = ["–" if value is None else f"{value:.{decimals}f}" for value in values]
    return [element("b", text) if best is not None and value == best else text for text, value in zip(texts, values)]


def _size(result: FitResult | None) -> str:
    return "–" if result is None else " × ".join(f"{100 * side:.1f}" for side in result.object_mesh.extent)


def _reasons(run: ComparedRun) -> Markup | str:
    if run.summary is None:
        return run.trouble
    reasons = [element("div", str(reason["message"]), " ", element("code", str(reason["code"]))) for reason in run.summary["reasons"]]
    return join(*reasons) if reasons else "none"


def _curves(runs: Sequence[ComparedRun]) -> Markup | None:
    names = sorted({curve.name for run in runs for curve in run.curves})
    if not names:
        return None
    charts = []
    for name in names:
        numbered = {k: curve for k, run in enumerate(runs) for curve in run.curves if curve.name == name}
        charts.append(draw_curve(name, list(numbered.values()), list(numbered)))
    return element("section", element("h2", "Curves"), draw_key([run.name for run in runs]), element("div", *charts, class_="charts"))
