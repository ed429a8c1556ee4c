"""Quality, confidence and status of a finished fit, measured on what it made."""

from dataclasses import replace
from typing import Any

import numpy as np

from hoifield.actors.skinned_model import Side, SkinnedModel
from hoifield.clip.clip import Clip
from hoifield.observations.observations import Observations, Reason
from hoifield.result.fit_result import FitResult
from hoifield.result.measure_quality import FrameAgreement, TouchMeasurement, measure_agreement, measure_seen_share, measure_touch
from hoifield.runlog.provenance import package_versions

OBJECT_IOU_FOR_OK = 0.75
HAND_IOU_FOR_OK = 0.7
PLACED_SHARE_FOR_OK = 0.6
FAR_OFF_IOU, FAR_OFF_SHARE = 0.5, 0.1
"""A frame whose object covers its mask with less is far off; more than that share of them is no good answer, whatever the median says."""
DEEPEST_FOR_OK_MM = 7.0
"""Mean over the frames of the deepest point of a hand inside the object. Flesh gives by 2 to 3, half of a finger is 8. Of 17 fits of generated
clips no useful one had more than 5.6, and the two that were farthest off in the hand had 7.5 and 9.2 (experiments/02_truth)."""


def summarise(
    result: FitResult,
    clip: Clip,
    observations: Observations,
    actors: dict[Side, SkinnedModel],
    preset: str,
    device: str,
    seed: int,
    seconds: dict[str, float],
    psnr_db: float,
) -> FitResult:
    """The result with its summary and with per-frame confidences that know how well each frame came out.

    The object's shape is trusted as far as its surface was seen (the rest is the smoothest guess), times the median trust of a placed frame.
    """
    agreement = _where_hands_are_detected(measure_agreement(result, observations), observations)
    touch = measure_touch(result, actors)
    reasons = [*observations.readiness.reasons, *_quality_reasons(result, agreement, touch)]
    placed = np.isfinite(result.T_camera_object).all((1, 2))
    trust = np.nan_to_num(agreement.object_iou, nan=0.0) * observations.masks.object_confidence
    object_confidence = np.where(placed, np.clip(trust, 0.0, 1.0), 0.0)
    degraded = observations.readiness.verdict == "degraded" or len(reasons) > len(observations.readiness.reasons)
    summary = {
        "status": "degraded" if degraded else "ok",
        "reasons": [_plain(reason) for reason in reasons],
        "clip": describe_clip(clip),
        "preset": preset,
        "device": device,
        "seconds": seconds,
        "quality": {
            "mask_iou_hand": _median(agreement.hand_iou),
            "mask_iou_object": _median(agreement.object_iou),
            "psnr_db": psnr_db,
            "penetration_mean_mm": touch.penetration_mean_mm,
            "contact_fraction": touch.contact_fraction,
        },
        "confidence": {
            "object_shape": _median(object_confidence[placed]) * measure_seen_share(result),
            "object_pose": float(object_confidence.mean()),
            "hand_pose": float(np.mean([hand.confidence.mean() for hand in result.hands])) if result.hands else 0.0,
        },
        "versions": package_versions(),
        "seed": seed,
        "focal": {"pixels": observations.camera.focal, "source": observations.focal_source},
    }
    known = None if observations.object_track is None else observations.object_track.known_shape
    if known is not None:
        middle = [float(value) for value in known.middle]
        summary["template"] = {"word": known.word, "size": known.size, "middle": middle, "likeness": known.likeness}
    return replace(result, object_confidence=object_confidence, summary=summary)


def summarise_refusal(clip: Clip, observations: Observations, preset: str, device: str, seed: int, seconds: dict[str, float]) -> dict[str, Any]:
    """The summary of a clip that is not fitted, with the reasons."""
    nothing = {"mask_iou_hand": None, "mask_iou_object": None, "psnr_db": None, "penetration_mean_mm": None, "contact_fraction": None}
    return {
        "status": "refused",
        "reasons": [_plain(reason) for reason in observations.readiness.reasons],
        "clip": describe_clip(clip),
        "preset": preset,
        "device": device,
        "seconds": seconds,
        "quality": nothing,
        "confidence": {"object_shape": 0.0, "object_pose": 0.0, "hand_pose": 0.0},
        "versions": package_versions(),
        "seed": seed,
        "focal": {"pixels": observations.camera.focal, "source": observations.focal_source},
    }


def describe_clip(clip: Clip) -> dict[str, Any]:
    """The `clip` entry of result.json."""
    return {
        "name": clip.name,
        "frames": clip.frame_count,
        "fps": clip.frames_per_second,
        "width": clip.width,
        "height": clip.height,
        "sha256": clip.sha256,
    }


def _where_hands_are_detected(agreement: FrameAgreement, observations: Observations) -> FrameAgreement:
    """Without the hand's agreement in frames that detect none: what shows of a carried hand are fingertips, of which a mask says little."""
    detected = np.any([hand.observed for hand in observations.hands], axis=0) if observations.hands else np.zeros(len(agreement.hand_iou), bool)
    return replace(agreement, hand_iou=np.where(detected, agreement.hand_iou, np.nan))


def _quality_reasons(result: FitResult, agreement: FrameAgreement, touch: TouchMeasurement) -> list[Reason]:
    found = []
    for name, code, iou, least in (
        ("object", "HF-QLT-001", agreement.object_iou, OBJECT_IOU_FOR_OK),
        ("hand", "HF-QLT-002", agreement.hand_iou, HAND_IOU_FOR_OK),
    ):
        if np.isfinite(iou).any() and _median(iou) < least:
            poor = tuple(int(frame) for frame in np.flatnonzero(iou < least))
            found.append(Reason(code, f"the fitted {name} covers its mask with a median IoU of {_median(iou):.2f} (expected {least})", poor))
    far = agreement.object_iou < FAR_OFF_IOU
    if far.mean() > FAR_OFF_SHARE:
        message = f"the fitted object is far off in {far.mean():.0%} of the frames (it covers its mask with an IoU below {FAR_OFF_IOU})"
        found.append(Reason("HF-QLT-004", message, tuple(int(frame) for frame in np.flatnonzero(far))))
    placed = np.isfinite(result.T_camera_object).all((1, 2))
    if placed.mean() < PLACED_SHARE_FOR_OK:
        missing = tuple(int(frame) for frame in np.flatnonzero(~placed))
        found.append(Reason("HF-QLT-003", f"the object could be placed in {placed.mean():.0%} of the frames", missing))
    if touch.penetration_mean_mm > DEEPEST_FOR_OK_MM:
        message = f"the hand reaches {touch.penetration_mean_mm:.0f} mm into the object (mean over the frames): one of them is wrongly placed or shaped"
        found.append(Reason("HF-QLT-005", message, ()))
    return found


def _median(values: np.ndarray) -> float:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else 0.0


def _plain(reason: Reason) -> dict[str, Any]:
    return {"code": reason.code, "message": reason.message, "frames": list(reason.frames)}
