"""The summary of results whose quality is known."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from tiny_scene import FRAMES, MISSING_FRAME, ball_on_hand, tiny_scene

from hoifield.observations.observations import Observations, Readiness, Reason
from hoifield.pipelines.summarise import summarise, summarise_refusal
from hoifield.result.collect_result import collect_result
from hoifield.result.fit_result import FitResult
from hoifield.result.measure_quality import measure_seen_share

SECONDS = {"observe": 1.0, "fit": 2.0, "total": 3.0}


@cache
def exact_result() -> FitResult:
    grasp = ball_on_hand()
    result = collect_result(tiny_scene(), grasp.observations, grasp.clip, {"right": grasp.model}, 16, 0.001)
    return replace(result, object_mesh=grasp.ball)


def summarised(result: FitResult, observations: Observations | None = None) -> FitResult:
    grasp = ball_on_hand()
    return summarise(result, grasp.clip, observations or grasp.observations, {"right": grasp.model}, "draft", "cpu", 5, SECONDS, 30.0)


def moved(metres: float) -> FitResult:
    T = exact_result().T_camera_object.copy()
    T[:, 0, 3] += metres
    return replace(exact_result(), T_camera_object=T)


def test_the_true_answer_is_ok_and_says_what_it_was_made_from():
    summary = summarised(exact_result()).summary
    assert summary["status"] == "ok" and summary["reasons"] == []
    assert summary["quality"]["mask_iou_object"] > 0.99 and summary["quality"]["psnr_db"] == 30.0
    assert summary["clip"] == {"name": "ball", "frames": 8, "fps": pytest.approx(30.0), "width": 96, "height": 96, "sha256": "0" * 64}
    assert (summary["preset"], summary["seed"], summary["seconds"]) == ("draft", 5, SECONDS)
    json.dumps(summary, allow_nan=False)


def test_an_object_beside_its_mask_is_degraded_and_names_the_frames():
    summary = summarised(moved(0.03)).summary
    assert summary["status"] == "degraded"
    reason = next(reason for reason in summary["reasons"] if reason["code"] == "HF-QLT-001")
    assert reason["frames"] == [frame for frame in range(FRAMES) if frame != MISSING_FRAME]


def test_a_good_median_does_not_hide_frames_that_are_far_off():
    T = exact_result().T_camera_object.copy()
    T[:2] = moved(0.03).T_camera_object[:2]
    summary = summarised(replace(exact_result(), T_camera_object=T)).summary
    (reason,) = summary["reasons"]
    assert summary["quality"]["mask_iou_object"] > 0.9
    assert (summary["status"], reason["code"], reason["frames"]) == ("degraded", "HF-QLT-004", [0, 1])


def test_an_object_placed_in_few_frames_is_degraded():
    T = exact_result().T_camera_object.copy()
    T[:4] = np.nan
    codes = [reason["code"] for reason in summarised(replace(exact_result(), T_camera_object=T)).summary["reasons"]]
    assert "HF-QLT-003" in codes


def test_a_hand_beside_its_mask_is_degraded_where_it_is_detected_and_not_judged_where_it_is_not():
    grasp = ball_on_hand()
    hand, fitted = grasp.observations.hands[0], exact_result().hands[0]
    wrong = np.arange(FRAMES) < 6
    astray = replace(exact_result(), hands=(replace(fitted, vertices=fitted.vertices + np.float32([0.04, 0, 0]) * wrong[:, None, None].astype(np.float32)),))
    assert "HF-QLT-002" in [reason["code"] for reason in summarised(astray).summary["reasons"]]
    carried = replace(grasp.observations, hands=(replace(hand, observed=hand.observed & ~wrong),))
    summary = summarised(astray, carried).summary
    assert "HF-QLT-002" not in [reason["code"] for reason in summary["reasons"]] and summary["quality"]["mask_iou_hand"] > 0.9


def test_a_hand_deep_inside_of_the_object_is_degraded_though_silhouettes_agree():
    grasp = ball_on_hand()
    result = exact_result()
    depth = {}
    for into in (0.0, 0.012):
        hand = result.hands[0]
        vertices = hand.vertices + np.float32(into) * (result.T_camera_object[:, None, :3, 3] - hand.vertices[:, :1]) / 0.05
        found = summarise(
            replace(result, hands=(replace(hand, vertices=vertices.astype(np.float32)),)), grasp.clip, grasp.observations, {"right": grasp.model},
            "draft", "cpu", 5, SECONDS, 30.0,
        )  # fmt: skip
        depth[found.summary["quality"]["penetration_mean_mm"]] = [reason["code"] for reason in found.summary["reasons"]]
    (shallow, no_reason), (deep, reasons) = sorted(depth.items())
    print(f"{shallow:.1f} and {deep:.1f} mm deep")
    assert shallow < 3.0 and no_reason == []
    assert deep > 8.0 and "HF-QLT-005" in reasons


def test_a_degraded_readiness_stays_degraded_with_its_reasons():
    reason = Reason("HF-REA-004", "seen from one side", (2, 3))
    observations = replace(ball_on_hand().observations, readiness=Readiness("degraded", (reason,), {}))
    summary = summarised(exact_result(), observations).summary
    assert summary["status"] == "degraded"
    assert summary["reasons"] == [{"code": "HF-REA-004", "message": "seen from one side", "frames": [2, 3]}]


def test_confidences_lie_in_the_unit_interval_fall_with_the_error_and_are_zero_without_a_pose():
    good, poor = summarised(exact_result()), summarised(moved(0.03))
    for result in (good, poor):
        assert all(0.0 <= value <= 1.0 for value in result.summary["confidence"].values())
        assert result.object_confidence[MISSING_FRAME] == 0.0 and np.isfinite(result.object_confidence).all()
    assert poor.summary["confidence"]["object_pose"] < 0.6 * good.summary["confidence"]["object_pose"]


def test_the_shape_is_trusted_as_far_as_its_surface_was_seen():
    T = exact_result().T_camera_object.copy()
    T[1:] = np.nan
    whole, once = summarised(exact_result()), summarised(replace(exact_result(), T_camera_object=T))
    for result in (whole, once):
        trust = np.median(result.object_confidence[np.isfinite(result.T_camera_object).all((1, 2))])
        assert result.summary["confidence"]["object_shape"] == pytest.approx(trust * measure_seen_share(result))
    assert once.summary["confidence"]["object_shape"] < 0.5 < whole.summary["confidence"]["object_shape"]
    assert summarised(replace(exact_result(), T_camera_object=T * np.nan)).summary["confidence"]["object_shape"] == 0.0


def test_a_refusal_measures_nothing_and_gives_its_reasons():
    reason = Reason("HF-REA-001", "no hand", ())
    observations = replace(ball_on_hand().observations, readiness=Readiness("refuse", (reason,), {}), object_track=None, hands=())
    summary = summarise_refusal(ball_on_hand().clip, observations, "draft", "cpu", 0, SECONDS)
    assert summary["status"] == "refused" and summary["reasons"][0]["code"] == "HF-REA-001"
    assert set(summary["quality"].values()) == {None} and set(summary["confidence"].values()) == {0.0}
    assert set(summary) == set(summarised(exact_result()).summary)
    json.dumps(summary, allow_nan=False)
