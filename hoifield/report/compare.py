"""Runs side by side in one page that needs no account and no network."""

from collections.abc import Sequence
from pathlib import Path

from hoifield.errors import UsageError
from hoifield.report.charts import draw_curve_groups, draw_key
from hoifield.report.compare_table import are_comparable, draw_differences, draw_summary
from hoifield.report.compare_views import draw_views
from hoifield.report.compared_run import ComparedRun, load_runs
from hoifield.report.markup import Markup, element, join, read_asset, write_page
from hoifield.storage import write_file


def write_comparison(folders: Sequence[Path], path: Path) -> None:
    """Write one page with the status, figures, options, overlays, meshes and curves of the runs in the folders.

    A run that failed, was refused or cannot be read is listed with the reason. Raises UsageError (HF-REP-003) without a run.
    """
    if not folders:
        raise UsageError("HF-REP-003", "0 runs were named", "Name at least one run folder.")
    page = render_comparison(load_runs(folders))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, page.encode("utf-8"))


def render_comparison(runs: Sequence[ComparedRun]) -> str:
    """The page: figures with a column per run, options that differ, overlays and meshes in step, curves over each other."""
    title = f"{len(runs)} runs compared" if len(runs) != 1 else "One run"
    has_scenes = any(run.result is not None for run in runs)
    body = join(
        element("header", element("h1", title), element("p", _scope(runs), class_="soft")),
        element("section", element("h2", "Figures"), draw_summary(runs)),
        element("section", element("h2", "Options that differ"), draw_differences(runs)),
        element("section", element("h2", "In step"), draw_views(runs)),
        _curves(runs),
        element("footer", "Written by hoifield. This page loads nothing from a network; lengths are metres unless a figure says otherwise."),
    )
    script = read_asset("scene_painter.js") + read_asset("compare.js") if has_scenes else None
    return write_page(f"hoifield: {len(runs)} runs compared", body, script, wide=True)


def _scope(runs: Sequence[ComparedRun]) -> str:
    """Whether the runs can be compared, in words."""
    fitted = [run for run in runs if run.result is not None]
    if not fitted:
        return "None of the runs has a fit."
    if are_comparable(runs):
        return f"All fits are of one clip, {fitted[0].clip}. The best of each figure is marked where runs differ."
    return "The fits are of different clips, whose figures say nothing of which run is better: none is marked."


def _curves(runs: Sequence[ComparedRun]) -> Markup | None:
    groups = draw_curve_groups([run.curves for run in runs])
    if groups is None:
        return None
    return element("section", element("h2", "Curves"), element("div", draw_key([run.name for run in runs]), class_="pinned"), groups)
