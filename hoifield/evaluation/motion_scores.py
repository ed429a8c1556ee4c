"""Scores of the motion: object poses, jitter, and whether the confidence of a frame foretells its error."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from hoifield.evaluation.actor_metrics import root_relative_joint_error
from hoifield.evaluation.calibration import measure_calibration
from hoifield.evaluation.matched_frames import MatchedFrames
from hoifield.evaluation.motion_metrics import jerk, surface_centre
from hoifield.evaluation.pose_metrics import pose_errors
from hoifield.evaluation.scorecard import Score
from hoifield.evaluation.shape_metrics import SURFACE_SAMPLES
from hoifield.geometry.mesh import sample_surface
from hoifield.result.fit_result import FitResult

OBJECT_FAILURE_DEG, OBJECT_FAILURE_MM = 10.0, 50.0
"""An object pose beyond either, or none, has failed (the field's "10 degrees, 5 cm")."""
HAND_FAILURE_MM = 20.0
"""A hand with a larger mean root-relative joint error, or none, has failed."""
ONE_ALIGNMENT = "one constant alignment of the object frames (least absolute)"


@dataclass(frozen=True)
class FrameOutcomes:
    """(confidence, failed) of every true frame, ready for `measure_calibration`, alone or together with those of other runs."""

    object: list[tuple[float, bool]]
    hand: list[tuple[float, bool]]


def score_motion(matched: MatchedFrames) -> list[Score]:
    """Object poses, the share of frames with one, jitter of hand and object, calibration of both confidences."""
    return _pose_scores(matched) + _jerk_scores(matched) + _calibration_scores(frame_outcomes(matched))


def frame_outcomes(matched: MatchedFrames) -> FrameOutcomes:
    """What each frame's confidence said and how the frame turned out; a frame without a pose has failed with confidence 0."""
    rotation, translation = _object_errors(matched)
    known = np.isfinite(matched.truth.T_camera_object).all((1, 2))
    sound = (rotation <= OBJECT_FAILURE_DEG) & (translation <= OBJECT_FAILURE_MM)
    hand_pairs: list[tuple[float, bool]] = []
    for true_hand in matched.truth.hands:
        hand = matched.hand_like(true_hand)
        seen = np.isfinite(true_hand.joints).all((1, 2))
        near = root_relative_joint_error(hand.joints, true_hand.joints) <= HAND_FAILURE_MM
        hand_pairs += _pairs(hand.confidence[seen], ~near[seen])
    return FrameOutcomes(_pairs(matched.object_confidence[known], ~sound[known]), hand_pairs)


def _pairs(confidence: Float[np.ndarray, "frame"], failed: Bool[np.ndarray, "frame"]) -> list[tuple[float, bool]]:
    return [(float(value), bool(outcome)) for value, outcome in zip(confidence, failed, strict=True)]


def _object_errors(matched: MatchedFrames) -> tuple[Float[np.ndarray, "frame"], Float[np.ndarray, "frame"]]:
    """Rotation (degrees) and translation (mm) errors on the truth's frames; NaN where either side has no pose."""
    centre = sample_surface(matched.truth.object_mesh, SURFACE_SAMPLES, np.random.default_rng(0)).mean(0)
    return pose_errors(matched.T_camera_object, matched.truth.T_camera_object, centre)


def _pose_scores(matched: MatchedFrames) -> list[Score]:
    """Object motion in the camera, and the share of true frames with an object pose."""
    known = np.isfinite(matched.truth.T_camera_object).all((1, 2))
    rotation, translation = (errors[known] for errors in _object_errors(matched))
    where, placed, total = "every frame of the truth, at the surface's centre", int(np.isfinite(rotation).sum()), int(known.sum())
    share = 100 * placed / max(total, 1)
    return [
        Score.over_frames("pose_rot_deg", rotation, "deg", ONE_ALIGNMENT, where, floor=0.0),
        Score.over_frames("pose_trans_mm", translation, "mm", ONE_ALIGNMENT, where, floor=0.0),
        Score("frames_placed_pct", share, "percent", "none", "frames with an object pose", placed, total, 100.0),
    ]


def _jerk_scores(matched: MatchedFrames) -> list[Score]:
    """Jitter of the prediction on its own frames beside that of the truth on its own."""
    where = "every four frames in a row, in the camera; floor is the truth's own"
    scores = []
    for name, measure in (("jerk_hand_m_s3", _hand_jerk), ("jerk_object_m_s3", _object_jerk)):
        true_values = measure(matched.truth)
        floor = float(np.nanmean(true_values)) if np.isfinite(true_values).any() else float("nan")
        scores.append(Score.over_frames(name, measure(matched.prediction), "m/s3", "none", where, floor))
    return scores


def _object_jerk(result: FitResult) -> Float[np.ndarray, "window"]:
    """Jerk of the centre of the object's surface."""
    T = result.T_camera_object
    return jerk(T[:, :3, :3] @ surface_centre(result.object_mesh) + T[:, :3, 3], result.time_s, result.frame_index)


def _hand_jerk(result: FitResult) -> Float[np.ndarray, "window"]:
    """Mean jerk of the 21 joints, windows of all hands."""
    tracks = [[jerk(hand.joints[:, k], result.time_s, result.frame_index) for k in range(21)] for hand in result.hands]
    return np.concatenate([np.zeros(0), *(np.mean(track, axis=0) for track in tracks)])


def _calibration_scores(outcomes: FrameOutcomes) -> list[Score]:
    """Expected calibration error and failure AUROC of both confidences over the frames of this run."""
    rules = {
        "object": (outcomes.object, ONE_ALIGNMENT, f"failed = no pose, or beyond {OBJECT_FAILURE_DEG:g} deg or {OBJECT_FAILURE_MM:g} mm"),
        "hand": (outcomes.hand, "root-relative translation", f"failed = no hand, or joints beyond {HAND_FAILURE_MM:g} mm in the mean"),
    }
    scores = []
    for name, (pairs, how, rule) in rules.items():
        measured, count = measure_calibration(pairs), len(pairs)
        where = f"every frame of the truth, {rule}"
        floor = measured.expected_error_floor
        scores.append(Score(f"{name}_confidence_ece", measured.expected_error, "ratio", how, f"{where}; 10 equal bins", count, count, floor))
        both = count if 0 < measured.failures < count else 0
        scores.append(Score(f"{name}_failure_auroc", measured.failure_auroc, "ratio", how, where, both, count, 1.0))
    return scores
