"""Failures, spreads and ratios in closed form."""

import math

import pytest

from hoifield.benchmark.method_row import MethodRow, read_row, write_row
from hoifield.benchmark.tier_summary import summarise_tier

GOOD = {"f10_icp_pct": 95.0, "frames_placed_pct": 100.0, "cd_hand_cm2": 2.0, "mpjpe_ra_mm": 8.0, "cd_icp_cm2": 0.4}


def row(clip, method="fit", status="ok", confidence=0.9, **changed):
    scores = {} if status in ("refused", "error") else {**GOOD, **changed}
    return MethodRow(clip, method, status, (), 10.0, scores, {"object_shape": confidence})


@pytest.mark.parametrize("name, value", [("f10_icp_pct", 79.0), ("frames_placed_pct", 59.0), ("cd_hand_cm2", 21.0), ("mpjpe_ra_mm", 21.0)])
def test_one_missed_rule_makes_a_failure_which_the_status_declares_or_not(name, value):
    assert row("a").failure == "none"
    assert row("a", **{name: value}).missed == (name,)
    assert row("a", **{name: value}).failure == "undeclared"
    assert row("a", status="degraded", **{name: value}).failure == "declared"


def test_a_score_that_could_not_be_measured_is_missed():
    assert row("a", mpjpe_ra_mm=math.nan).failure == "undeclared"


def test_a_refusal_is_a_declared_failure():
    assert row("a", status="refused").missed == ("no result",) and row("a", status="refused").failure == "declared"


def test_failures_spreads_and_false_alarms_are_counted():
    rows = [row("a"), row("b", status="degraded"), row("c", f10_icp_pct=10.0, confidence=0.2), row("d", status="refused", confidence=0.0)]
    (fit,) = summarise_tier(rows).methods
    assert (fit.clips, fit.results, fit.declared, fit.undeclared, fit.false_alarms) == (4, 3, 1, 1, 1)
    assert fit.scores["cd_icp_cm2"].count == 3 and fit.scores["cd_icp_cm2"].mean == pytest.approx(0.4)
    assert fit.scores["f10_icp_pct"].median == 95.0 and fit.scores["f10_icp_pct"].worse_tenth < 50
    trust = summarise_tier(rows).shape_confidence
    assert trust.failures == 2 and trust.failure_auroc == 1.0


def test_ratios_are_medians_over_the_clips_that_both_solved():
    rows = [row("a"), row("b", cd_icp_cm2=0.8), row("c", status="refused")]
    rows += [row(clip, "hull_true_poses", cd_icp_cm2=0.2) for clip in "abc"]
    assert summarise_tier(rows).ratios["hull_true_poses"]["cd_icp_cm2"] == pytest.approx(3.0)


def test_a_row_read_back_is_the_row_that_was_written(tmp_path):
    assert read_row(tmp_path / "row.json") is None
    write_row(tmp_path / "row.json", row("a"))
    assert read_row(tmp_path / "row.json") == row("a")


def test_a_damaged_row_is_none(tmp_path):
    for content in ("{", "[]", '{"clip": "a"}'):
        (tmp_path / "row.json").write_text(content)
        assert read_row(tmp_path / "row.json") is None
