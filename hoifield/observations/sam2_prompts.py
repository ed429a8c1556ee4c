"""What SAM 2 is told of a clip: the masks and points of a few frames, from the user's labels and the tracked hands."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from hoifield.actors.skinned_model import PALM_KEYPOINTS
from hoifield.observations.frame_masks import LEFT_HAND, OBJECT, RIGHT_HAND, UNLABELLED
from hoifield.observations.hand_track import HandTrack


@dataclass(frozen=True)
class MaskPrompt:
    """All pixels of one label in one frame, at any size of the clip's aspect; empty where the user says that it is not there."""

    frame: int
    label: int
    mask: Bool[np.ndarray, "height width"]


@dataclass(frozen=True)
class PointPrompt:
    """Points on one label and beside it, in one frame."""

    frame: int
    label: int
    points: Float[np.ndarray, "point 2"]
    """Pixels of the clip."""
    on_it: Bool[np.ndarray, "point"]
    """False for a point that belongs to something else."""


Prompt = MaskPrompt | PointPrompt


def choose_prompts(
    given: dict[int, UInt8[np.ndarray, "height width"]],
    object_point: tuple[float, float, int] | None,
    hands: tuple[HandTrack, ...],
    scale: float,
) -> tuple[Prompt, ...]:
    """Prompts for the object and every hand, from labelled frames (sizes: clip times `scale`), else from `object_point` = (x, y, frame).

    A labelled frame says where the object and the hands are; where it leaves a hand open (labels 254 and 255), the palm's keypoints do,
    and a point of the object that is not the hand. A hand that no such frame shows is prompted where its detection is surest.
    """
    if given:
        prompts, inside = _of_masks(given, scale)
    elif object_point is not None:
        prompts, inside = _of_point(object_point, hands)
    else:
        return ()
    for hand in hands:
        label = RIGHT_HAND if hand.side == "right" else LEFT_HAND
        drawn = [prompt for prompt in prompts if prompt.label == label]
        asked = [_of_palm(hand, frame, inside[frame]) for frame in inside if hand.observed[frame] and frame not in {prompt.frame for prompt in drawn}]
        if not asked and not any(_shows(prompt) for prompt in drawn):
            asked = _where_surest(hand, {prompt.frame for prompt in drawn})
        prompts += asked
    shown = {prompt.label for prompt in prompts if _shows(prompt)}
    return tuple(prompt for prompt in prompts if prompt.label in shown)


def _of_masks(given: dict[int, UInt8[np.ndarray, "height width"]], scale: float) -> tuple[list[Prompt], dict[int, Float[np.ndarray, "2"]]]:
    """Mask prompts, and for each labelled frame that shows the object a point well inside it, clip pixels.

    A label that is absent from a frame is only known not to be there where every pixel has one of the labels 0 to 3.
    """
    prompts: list[Prompt] = []
    inside = {}
    for frame, picture in sorted(given.items()):
        complete = bool((picture <= LEFT_HAND).all())
        for label in (OBJECT, RIGHT_HAND, LEFT_HAND):
            mask = picture == label
            if mask.any() or complete or (label == OBJECT and not (picture == UNLABELLED).any()):
                prompts.append(MaskPrompt(frame, label, mask))
        if (picture == OBJECT).any():
            depth = cv2.distanceTransform(np.pad((picture == OBJECT).astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
            row, column = np.unravel_index(depth.argmax(), depth.shape)
            inside[frame] = (np.array([column, row]) + 0.5) / scale
    return prompts, inside


def _of_point(object_point: tuple[float, float, int], hands: tuple[HandTrack, ...]) -> tuple[list[Prompt], dict[int, Float[np.ndarray, "2"]]]:
    """The clicked point, with the palms of that frame as points beside it."""
    frame, point = int(object_point[2]), np.array(object_point[:2])
    palms = [hand.keypoints[frame, PALM_KEYPOINTS] for hand in hands if hand.observed[frame]]
    points = np.concatenate([point[None], *palms])
    return [PointPrompt(frame, OBJECT, points, np.arange(len(points)) == 0)], {frame: point}


def _of_palm(hand: HandTrack, frame: int, beside: Float[np.ndarray, "2"] | None) -> PointPrompt:
    # On nine hand-labelled frames of three real clips none of the palm's detections lay on the held object, where 11 of
    # the 108 of the fingers did, since a finger is often behind what it holds: palms, not fingers, say where a hand is.
    palm = hand.keypoints[frame, PALM_KEYPOINTS]
    points = palm if beside is None else np.concatenate([palm, beside[None]])
    return PointPrompt(frame, RIGHT_HAND if hand.side == "right" else LEFT_HAND, points, np.arange(len(points)) < len(palm))


def _where_surest(hand: HandTrack, ruled_out: set[int]) -> list[Prompt]:
    """The palm in the frame of highest presence, outside the frames that say the hand is not there; nothing where there is no such frame."""
    usable = [frame for frame in np.flatnonzero(hand.observed).tolist() if frame not in ruled_out]
    return [_of_palm(hand, max(usable, key=lambda frame: float(hand.presence[frame])), None)] if usable else []


def _shows(prompt: Prompt) -> bool:
    return bool(prompt.mask.any()) if isinstance(prompt, MaskPrompt) else True
