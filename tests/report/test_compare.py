"""The page of runs side by side: what it marks, what it leaves unmarked, and that every kind of run has its column."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recorded_runs import record_failed_run, record_finished_run, record_refused_run

from hoifield.clip.clip import Clip
from hoifield.errors import InputOutputFailure, UsageError
from hoifield.report.charts import draw_curve_groups
from hoifield.report.compare import write_comparison
from hoifield.report.compare_table import draw_differences, draw_summary, find_best
from hoifield.report.compare_views import choose_rows, count_steps, draw_views
from hoifield.report.compared_run import ComparedRun, load_runs, tell_apart
from hoifield.report.overlay_video import read_overlay_frames
from hoifield.report.quality_names import CONFIDENCE_NAMES, LARGER_IS_BETTER, QUALITY
from hoifield.result.fit_result import FitResult
from hoifield.result.result_folder import NESTED_KEYS


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> tuple[Path, ...]:
    """Two fits of one clip, a refused run, a failed one and an empty folder."""
    folder = tmp_path_factory.mktemp("compared")
    record_finished_run(folder / "first", clip)
    record_finished_run(folder / "second", clip, "degraded", "fine", seed=3, scale=2.0, wide=1.6)
    record_refused_run(folder / "refused")
    record_failed_run(folder / "failed")
    (folder / "<b>empty").mkdir()
    return tuple(folder / name for name in ("first", "second", "refused", "failed", "<b>empty"))


@pytest.fixture(scope="module")
def runs(folders: tuple[Path, ...]) -> tuple[ComparedRun, ...]:
    return load_runs(folders)


def cells(markup: str, row: str) -> list[str]:
    """The text of the cells of a row, tags left out."""
    found = re.search(rf'<tr><th scope="row">{re.escape(row)}</th>(.*?)</tr>', markup)
    assert found is not None, row
    return [re.sub("<[^>]+>", "", cell) for cell in re.findall("<td>(.*?)</td>", found.group(1))]


def test_every_run_has_a_column_with_its_status_and_its_reason(runs: tuple[ComparedRun, ...]) -> None:
    table = draw_summary(runs)
    assert cells(table, "status") == ["ok", "degraded", "refused", "failed", "unreadable"]
    reasons = cells(table, "reasons")
    assert reasons[0] == "–" and "no hand was found" in reasons[2] and "HF-RES-013" in reasons[3] and "HF-RES-002" in reasons[4]


def test_the_best_is_marked_larger_or_smaller_as_the_figure_asks(runs: tuple[ComparedRun, ...]) -> None:
    table = draw_summary(runs)
    assert cells(table, "picture agreement (PSNR), dB") == ["25.0", "28.0best", "–", "–", "–"]
    assert cells(table, "deepest hand point in the object, mean over frames, mm") == ["1.00best", "1.60", "–", "–", "–"]


def test_nothing_is_marked_where_runs_are_equal_or_of_different_clips(runs: tuple[ComparedRun, ...]) -> None:
    assert cells(draw_summary(runs), "object silhouette overlap (IoU), %") == ["88.0", "88.0", "–", "–", "–"]
    assert cells(draw_summary(runs), "all together") == ["43.5 s", "43.5 s", "43.5 s", "–", "–"]
    elsewhere = (runs[0], replace(runs[1], clip_sha256="other"), *runs[2:])
    assert "best" not in "".join(cells(draw_summary(elsewhere), "picture agreement (PSNR), dB"))


def test_what_reads_the_same_is_equal_and_one_run_has_no_best() -> None:
    assert find_best(["0.91", "0.91"], [0.912, 0.9119], True) == [False, False]
    assert find_best(["1", "2", "2"], [1.0, 2.0, 2.0], True) == [False, True, True]
    assert find_best(["1", None], [1.0, None], True) == [False, False]
    assert find_best(["1", "2"], [1.0, 2.0], None) == [False, False]
    assert find_best(["1", "2"], [1.0, 2.0], False) == [True, False]


def test_every_figure_that_has_a_better_side_is_one_of_the_summary() -> None:
    known = {key for part in ("quality", "confidence", "seconds") for key in NESTED_KEYS[part]}
    assert set(LARGER_IS_BETTER) == known - {"contact_fraction"}
    assert {key for key, *_ in QUALITY} | set(CONFIDENCE_NAMES) <= known


def test_only_options_that_differ_are_listed(runs: tuple[ComparedRun, ...]) -> None:
    table = draw_differences(runs[:2])
    assert cells(table, "preset") == ["draft", "fine"] and cells(table, "seed") == ["0", "3"]
    assert table.count('scope="row"') == 2
    assert draw_differences(runs[:1] * 2).startswith("<p>None")


def test_overlays_follow_one_slider_and_a_run_without_a_fit_says_why(runs: tuple[ComparedRun, ...]) -> None:
    views = draw_views(runs)
    assert views.count("<canvas") == 2 and views.count('<div class="frames">') == 2 and views.count("<img") == 2 * 12
    assert len(re.findall("<img[^>]* hidden>", views)) == 2 * 11
    assert views.count("There is no fit to show.") == 3
    block = re.search(r'<script type="application/json" id="runs">(.*?)</script>', views)
    assert block is not None
    content = json.loads(block.group(1))
    assert content["steps"] == 12 and [entry["number"] for entry in content["runs"]] == [0, 1]
    assert all(len(entry["scene"]["frame_index"]) == 12 for entry in content["runs"])


def test_a_long_clip_is_thinned_and_a_short_one_beside_it_repeats_frames(result: FitResult, runs: tuple[ComparedRun, ...]) -> None:
    longer = replace(result, frame_index=np.arange(200))
    steps = count_steps([runs[0], replace(runs[1], result=longer)])
    assert steps == 24
    assert choose_rows(longer, steps)[[0, -1]].tolist() == [0, 199] and len(set(choose_rows(longer, steps).tolist())) == 24
    assert choose_rows(result, steps)[[0, -1]].tolist() == [0, 11] and len(choose_rows(result, steps)) == 24


def test_the_overlay_is_read_in_the_order_asked_and_a_cut_one_is_said(folders: tuple[Path, ...], tmp_path: Path) -> None:
    video = folders[0] / "result" / "overlay.mp4"
    frames = read_overlay_frames(video, [0, 3, 3, 11], 160)
    assert [number for number, _ in frames] == [0, 3, 3, 11] and frames[0][1].shape == (120, 160, 3)
    assert np.abs(frames[0][1].astype(int) - frames[3][1]).mean() > 2
    with pytest.raises(InputOutputFailure, match="HF-OVL-002"):
        read_overlay_frames(video, [0, 99], 160)
    (tmp_path / "cut.mp4").write_bytes(video.read_bytes()[:3000])
    with pytest.raises(InputOutputFailure, match="HF-OVL-002"):
        read_overlay_frames(tmp_path / "cut.mp4", [0], 160)


def test_curves_of_the_same_name_share_a_chart_under_their_stage(runs: tuple[ComparedRun, ...]) -> None:
    groups = draw_curve_groups([run.curves for run in runs])
    assert groups is not None
    assert re.findall("<h3>(.*?)</h3>", groups) == ["coarse", "final"]
    charts = groups.split('class="chart"')[1:]
    assert [chart.count("<polyline") for chart in charts] == [3, 3, 2, 2]
    assert 'class="curve k3"' in charts[0] and 'class="curve k3"' not in charts[2]


def test_the_page_is_one_file_and_names_are_escaped(folders: tuple[Path, ...], tmp_path: Path) -> None:
    write_comparison(folders, tmp_path / "deep" / "page.html")
    page = (tmp_path / "deep" / "page.html").read_text()
    assert "&lt;b&gt;empty" in page and "<b>empty" not in page
    assert not re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z]", page) and "<link" not in page
    assert "All fits are of one clip, grey." in page


def test_folders_of_the_same_name_are_told_apart() -> None:
    assert tell_apart([Path("/a/mug/fit"), Path("/a/can/fit")]) == ["mug/fit", "can/fit"]
    assert tell_apart([Path("/a/mug"), Path("/a/can")]) == ["mug", "can"]
    assert tell_apart([Path("/a/mug"), Path("/a/mug")]) == ["mug", "mug"]


def test_comparing_nothing_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        write_comparison([], tmp_path / "page.html")
