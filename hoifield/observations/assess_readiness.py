"""The verdict before the fit: fit, degraded or refuse, each finding with a code, the number measured, the frames and what to do."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hoifield.clip.clip import Clip
from hoifield.observations.frame_masks import LEFT_HAND, OBJECT, RIGHT_HAND, FrameMasks
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.motion_poses import rotation_span
from hoifield.observations.object_track import ObjectTrack
from hoifield.observations.observations import Readiness, Reason, Verdict
from hoifield.observations.track_hands import UnusedHand


@dataclass(frozen=True)
class ReadinessLimits:
    """Below `poor` a finding degrades, below `useless` it refuses. Shares unless a unit is named."""

    hand_observed_useless: float = 0.3
    hand_observed_poor: float = 0.8
    keypoint_error_poor: float = 0.06
    object_frames_useless: float = 0.3
    object_frames_poor: float = 0.8
    object_to_hand_area_useless: float = 0.05
    object_to_hand_area_leaked: float = 4.0
    """Of masks found without help: what is that large is background that was taken for an object."""
    mask_confidence_useless: float = 0.15
    mask_confidence_poor: float = 0.6
    silhouette_iou_useless: float = 0.4
    silhouette_iou_poor: float = 0.75
    border_share_poor: float = 0.3
    second_hand_poor: float = 0.2
    likeness_poor: float = 0.93
    """Of a template's silhouettes beside the hull's. Right ones had 0.97 and more, wrong ones 0.87 and less (experiments/13_template)."""
    span_poor_deg: float = 60.0
    sharpness_poor: float = 0.25
    """Of the clip's 90th percentile."""


@dataclass(frozen=True)
class _Finding:
    refuses: bool
    reason: Reason


def _listed(frames: np.ndarray) -> tuple[int, ...]:
    return tuple(int(frame) for frame in np.flatnonzero(frames))


def _hand_findings(hands: tuple[HandTrack, ...], limits: ReadinessLimits, measured: dict[str, float]) -> list[_Finding]:
    if not hands:
        measured["hand_observed"] = 0.0
        message = "No hand was found. Film one hand at arm's length, whole in the picture, or name it with --hand."
        return [_Finding(True, Reason("HF-RDY-001", message))]
    main = max(hands, key=lambda hand: float(hand.observed.mean()))
    measured["hand_observed"] = float(main.observed.mean())
    measured["hand_keypoint_error"] = float(np.nanmedian(np.where(main.observed, main.keypoint_error, np.nan))) if main.observed.any() else np.nan
    found = []
    useless = measured["hand_observed"] < limits.hand_observed_useless
    if useless or main.posed.mean() < limits.hand_observed_poor:
        message = f"The hand is seen in {measured['hand_observed']:.0%} of the frames. Keep the whole hand in the picture, or cut the clip to where it is."
        found.append(_Finding(useless, Reason("HF-RDY-002", message, _listed(~main.observed if useless else ~main.posed))))
    if measured["hand_keypoint_error"] > limits.keypoint_error_poor:
        bad = main.observed & (main.keypoint_error > limits.keypoint_error_poor)
        message = (
            f"The hand model misses its keypoints by {measured['hand_keypoint_error']:.1%} of the hand's size. "
            "Use a sharper, larger view of the hand, or give the camera with --intrinsics."
        )
        found.append(_Finding(False, Reason("HF-RDY-003", message, _listed(bad))))
    return found


def _second_hand_findings(
    hands: tuple[HandTrack, ...], unused: tuple[UnusedHand, ...], masks: FrameMasks, limits: ReadinessLimits, measured: dict[str, float]
) -> list[_Finding]:
    both = np.zeros(len(masks.labels), bool)
    if len(hands) > 1:
        both |= np.logical_and.reduce([hand.observed for hand in hands])
    both |= (masks.labels == RIGHT_HAND).any((1, 2)) & (masks.labels == LEFT_HAND).any((1, 2))
    left_out = max((hand.observed_frames / len(both) for hand in unused), default=0.0)
    measured["two_hands_share"] = max(float(both.mean()), left_out)
    if measured["two_hands_share"] < limits.second_hand_poor:
        return []
    message = (
        f"Two hands are seen in {measured['two_hands_share']:.0%} of the frames; one hand and one rigid object is what can be recovered. "
        "The object is taken to move with the hand that covers it most. Use a clip where one hand holds the object."
    )
    return [_Finding(False, Reason("HF-RDY-004", message, _listed(both)))]


def _mask_findings(masks: FrameMasks, limits: ReadinessLimits, measured: dict[str, float]) -> list[_Finding]:
    is_object = masks.labels == OBJECT
    area, hand_area = is_object.sum((1, 2)), (masks.labels > OBJECT).sum((1, 2))
    seen = (area > 0) & (masks.object_confidence > 0)
    measured["object_frames"] = float(seen.mean())
    measured["object_confidence"] = float(np.median(masks.object_confidence[seen])) if seen.any() else 0.0
    measured["object_to_hand_area"] = float(np.median(area[seen] / np.maximum(hand_area[seen], 1))) if seen.any() else 0.0
    measured["masks_given"] = float(np.mean([source == "given" for source in masks.source]))
    border = np.zeros(is_object.shape[1:], bool)
    border[[0, 1, -2, -1], :] = True
    border[:, [0, 1, -2, -1]] = True
    leaves = (is_object & border).sum((1, 2)) > 4
    measured["object_leaves_picture"] = float(leaves.mean())
    draw = "Give masks of one or two frames with --masks, or point at the object with --object-point."
    unaided = all(source == "automatic" for source in masks.source)
    absent = (
        (unaided and measured["object_to_hand_area"] > limits.object_to_hand_area_leaked)
        or measured["object_frames"] < limits.object_frames_useless
        or measured["object_to_hand_area"] < limits.object_to_hand_area_useless
        or measured["object_confidence"] < limits.mask_confidence_useless
    )
    if absent:
        message = (
            f"No object was found in the hand: something was labelled in {measured['object_frames']:.0%} of the frames, with "
            f"{measured['object_to_hand_area']:.0%} of the hand's area and a confidence of {measured['object_confidence']:.2f}. {draw}"
        )
        return [_Finding(True, Reason("HF-RDY-010", message, _listed(~seen)))]
    found = []
    if measured["object_frames"] < limits.object_frames_poor:
        found.append(_Finding(False, Reason("HF-RDY-011", f"The object is seen in {measured['object_frames']:.0%} of the frames. {draw}", _listed(~seen))))
    if measured["object_confidence"] < limits.mask_confidence_poor:
        weak = masks.object_confidence < limits.mask_confidence_poor
        message = f"The object masks are expected to overlap the truth by {measured['object_confidence']:.2f} only. {draw}"
        found.append(_Finding(False, Reason("HF-RDY-012", message, _listed(weak))))
    if measured["object_leaves_picture"] > limits.border_share_poor:
        message = f"The object leaves the picture in {measured['object_leaves_picture']:.0%} of the frames; its ends may be cut. Film from further away."
        found.append(_Finding(False, Reason("HF-RDY-013", message, _listed(leaves))))
    return found


def _object_findings(track: ObjectTrack | None, limits: ReadinessLimits, measured: dict[str, float]) -> list[_Finding]:
    if track is None:
        message = (
            "No object pose was found: too few frames show the hand and an object together, or no shape explains the masks. "
            "Give masks with --masks, or cut the clip to where the object is held."
        )
        return [_Finding(True, Reason("HF-RDY-020", message))]
    known = np.isfinite(track.T_camera_object).all((1, 2))
    measured["silhouette_iou"] = float(np.nanmedian(track.silhouette_iou)) if np.isfinite(track.silhouette_iou).any() else 0.0
    measured["object_posed"] = float(known.mean())
    measured["rotation_span_deg"] = rotation_span(track.T_camera_object)
    measured["motion_share"] = float(np.mean([source == "motion" for source in track.source]))
    found = []
    if measured["silhouette_iou"] < limits.silhouette_iou_poor:
        refuses = measured["silhouette_iou"] < limits.silhouette_iou_useless
        message = (
            f"One rigid shape that moves with the hand explains the object masks to {measured['silhouette_iou']:.2f} (overlap) only: the object slips, "
            "bends or is not held, or the masks are wrong. Give masks with --masks, or use a clip with a firm grasp."
        )
        bad = np.nan_to_num(track.silhouette_iou, nan=1.0) < limits.silhouette_iou_poor
        found.append(_Finding(refuses, Reason("HF-RDY-021", message, _listed(bad))))
    if track.known_shape is not None:
        measured["template_likeness"] = track.known_shape.likeness
        if track.known_shape.likeness < limits.likeness_poor:
            message = (
                f"The template explains the object masks only {track.known_shape.likeness:.2f} times as well as a shape cut from them: it is another "
                "object, or was put on it the wrong way round. Look at the overlay, or fit without --template."
            )
            found.append(_Finding(False, Reason("HF-RDY-024", message)))
    word = None if track.known_shape is None else track.known_shape.word
    # a mesh that was given knows the far side; a family only says what is usual there
    if (track.known_shape is None or word is not None) and measured["rotation_span_deg"] < limits.span_poor_deg:
        guesses = "its far side and its depth stay guesses" if word is None else f"its far side and its depth are those of a usual {word}"
        message = (
            f"The object turns by {measured['rotation_span_deg']:.0f} deg over the clip: {guesses}. "
            "Turn the hand further, so that the object is seen from more sides."
        )
        found.append(_Finding(False, Reason("HF-RDY-022", message)))
    if measured["object_posed"] < limits.object_frames_poor:
        message = f"{measured['object_posed']:.0%} of the frames have an object pose; the others are left out. Keep hand and object in the picture."
        found.append(_Finding(False, Reason("HF-RDY-023", message, _listed(~known))))
    return found


def _findings_without_object(
    hands: tuple[HandTrack, ...], masks: FrameMasks, unused: tuple[UnusedHand, ...], limits: ReadinessLimits, measured: dict[str, float]
) -> list[_Finding]:
    found = _hand_findings(hands, limits, measured)
    found += _second_hand_findings(hands, unused, masks, limits, measured)
    return found + _mask_findings(masks, limits, measured)


def refuses_already(hands: tuple[HandTrack, ...], masks: FrameMasks) -> bool:
    """Whether hands and masks alone refuse the clip: `assess_readiness` then does not look at the object's track, which takes minutes to find."""
    return any(finding.refuses for finding in _findings_without_object(hands, masks, (), ReadinessLimits(), {}))


def assess_readiness(
    clip: Clip,
    focal_source: str,
    sharpness: Float[np.ndarray, "frame"],
    hands: tuple[HandTrack, ...],
    masks: FrameMasks,
    object_track: ObjectTrack | None,
    unused_hands: tuple[UnusedHand, ...] = (),
) -> Readiness:
    """Whether to fit this clip, with every finding (HF-RDY-0xx) and what was measured; any refusing finding refuses.

    `unused_hands` are those that the tracker saw and left out.

    Codes: 001 no hand, 002 hand often missing, 003 hand fits badly, 004 two hands, 010 no object, 011 object often missing, 012 weak masks,
    013 object leaves the picture, 020 no object pose, 021 not one rigid shape in the hand, 022 few sides seen, 023 frames without a pose,
    024 the template is not what is held, 030 blur, 031 guessed focal length (said, but no reason to degrade).
    """
    limits = ReadinessLimits()
    measured: dict[str, float] = {"frames": float(clip.frame_count)}
    found = _findings_without_object(hands, masks, unused_hands, limits, measured)
    if not any(finding.refuses for finding in found):
        found += _object_findings(object_track, limits, measured)
    blurred = sharpness < limits.sharpness_poor * np.percentile(sharpness, 90)
    measured["blurred_share"] = float(blurred.mean())
    if measured["blurred_share"] > 0.5:
        message = f"{measured['blurred_share']:.0%} of the frames are blurred against the sharpest. Use more light or move more slowly."
        found.append(_Finding(False, Reason("HF-RDY-030", message, _listed(blurred))))
    verdict: Verdict = "refuse" if any(f.refuses for f in found) else "degraded" if found else "fit"
    reasons = [finding.reason for finding in sorted(found, key=lambda finding: not finding.refuses)]
    if focal_source == "guess":
        message = "The focal length is a guess: distances along the view and with them depth are known only up to it. Give --intrinsics for exact ones."
        reasons.append(Reason("HF-RDY-031", message))
    return Readiness(verdict, tuple(reasons), measured)
