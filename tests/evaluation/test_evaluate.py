"""The whole scorecard: it repeats, it lists what the docs list, and it never shows contact without penetration."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "result"))

from handmade_result import handmade_result

from hoifield.errors import RefusedInput
from hoifield.evaluation.evaluate import evaluate
from hoifield.evaluation.hand_scores import score_hands
from hoifield.evaluation.matched_frames import match_frames
from hoifield.evaluation.motion_scores import frame_outcomes, score_motion
from hoifield.evaluation.scorecard import Score, Scorecard
from hoifield.result.fit_result import FitResult
from hoifield.result.result_folder import write_result

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scores.md"
NOT_HERE = {"mask_iou_hand", "mask_iou_object"}
"""Scored only where the truth folder has masks."""


@pytest.fixture(scope="module")
def truth() -> FitResult:
    return handmade_result(frames=10, gap=())


@pytest.fixture(scope="module")
def folder(truth: FitResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("truth")
    write_result(folder, truth)
    seen = truth.object_mesh.vertices[:, 1] > 0
    np.savez(folder / "truth.npz", vertex_seen=seen)
    return folder


@pytest.fixture(scope="module")
def wrong(truth: FitResult) -> FitResult:
    """Frame 3 has no object pose, in frames 6 and 7 the object is 8 cm off, the hand shakes, confidences foretell it."""
    T, confidence = truth.T_camera_object.copy(), np.full(10, 0.9)
    T[3], T[6:8, 2, 3], confidence[3], confidence[6:8] = np.nan, T[6:8, 2, 3] + 0.08, 0.0, 0.3
    hand = truth.hands[0]
    shaken = hand.joints + 0.002 * (-1) ** np.arange(10)[:, None, None]
    return replace(truth, T_camera_object=T, object_confidence=confidence, hands=(replace(hand, joints=shaken),))


@pytest.fixture(scope="module")
def card(wrong: FitResult, folder: Path) -> Scorecard:
    return evaluate(wrong, folder)


def test_the_same_result_evaluated_twice_gives_the_same_digits(card: Scorecard, wrong: FitResult, folder: Path) -> None:
    assert json.dumps(evaluate(wrong, folder).as_json()) == json.dumps(card.as_json())


def test_the_page_lists_every_score_with_its_unit_and_no_other(card: Scorecard) -> None:
    rows = [line.split("|") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row[1])}
    assert listed - NOT_HERE == {score.name for score in card}
    assert len({score.name for score in card}) == len(tuple(card))


def test_every_score_says_how_it_was_measured(card: Scorecard) -> None:
    for score in card:
        assert score.alignment and score.sampling and score.count <= score.total, score.name


def test_what_went_wrong_is_seen_where_it_went_wrong(card: Scorecard) -> None:
    assert card["frames_placed_pct"].value == 90
    assert card["cd_icp_cm2"].value < 3 * card["cd_icp_cm2"].floor and card["f5_seen_pct"].value > 99
    assert card["pose_trans_mm"].percentile_90 > 50 and card["pose_trans_mm"].median < 1
    assert card["cd_hand_hold_cm2"].count == 9
    assert card["cd_hand_hold_cm2"].value > 3 * card["cd_hand_hold_cm2"].floor
    assert card["jerk_hand_m_s3"].value > 10 * card["jerk_hand_m_s3"].floor
    assert card["object_failure_auroc"].value == 1
    assert card["object_confidence_ece"].value == pytest.approx((7 * 0.1 + 2 * 0.3) / 10, abs=1e-9)


def test_outcomes_of_frames_carry_the_confidence_and_the_failure(wrong: FitResult, truth: FitResult) -> None:
    outcomes = frame_outcomes(match_frames(wrong, truth))
    assert [failed for _, failed in outcomes.object] == [k in (3, 6, 7) for k in range(10)]
    assert outcomes.object[3] == (0.0, True) and len(outcomes.hand) == 10


def test_the_truth_reaches_its_floors(truth: FitResult) -> None:
    matched = match_frames(truth, truth)
    perfect = Scorecard((*score_motion(matched), *score_hands(matched, np.random.default_rng(0), 0)))
    for name in ("cd_hand_cm2", "cd_hand_diffhoi_cm2", "cd_hand_hold_cm2", "jerk_object_m_s3", "jerk_hand_m_s3", "penetration_cm3"):
        assert perfect[name].value == pytest.approx(perfect[name].floor, rel=0.25, abs=1e-9), name
    for name in ("contact_f1", "contact_f1_thumb", "contact_f1_palm"):
        assert perfect[name].value == 1


def test_a_truth_without_skin_has_neither_contact_nor_penetration(truth: FitResult, wrong: FitResult) -> None:
    bare = replace(truth.hands[0], vertices=np.zeros((10, 0, 3)), faces=np.zeros((0, 3), dtype=np.int64))
    names = {score.name for score in score_hands(match_frames(wrong, replace(truth, hands=(bare,))), np.random.default_rng(0), 0)}
    assert "mpjpe_ra_mm" in names and not any(name.startswith(("contact", "penetration")) for name in names)


@pytest.mark.parametrize("name", ["contact_f1_thumb", "penetration_cm3"])
def test_a_scorecard_refuses_contact_without_penetration_and_the_other_way_round(name: str) -> None:
    with pytest.raises(ValueError, match="together"):
        Scorecard((Score(name, 0.5, "ratio", "none", "test", 1, 1),))


def test_results_of_another_clip_are_refused(wrong: FitResult, folder: Path) -> None:
    with pytest.raises(RefusedInput) as raised:
        evaluate(replace(wrong, frame_index=wrong.frame_index + 100), folder)
    assert raised.value.code == "HF-EVA-001"
