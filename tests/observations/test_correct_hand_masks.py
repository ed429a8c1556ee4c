"""Hand masks against a fitted hand that is drawn exactly: what is added, what is taken away, and what is left alone."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from tiny_scene import MISSING_FRAME, ball_on_hand

from hoifield.observations.correct_hand_masks import WORST_KEYPOINT_ERROR, correct_hand_masks
from hoifield.observations.frame_masks import BACKGROUND, OBJECT, RIGHT_HAND, FrameMasks

FRAME = 2


def spoilt() -> FrameMasks:
    """The exact masks with a hole in the middle of each hand and skin-coloured shadow in a far corner."""
    masks = ball_on_hand().observations.masks
    labels = masks.labels.copy()
    for picture in labels:
        row, column = deepest_pixel(picture == RIGHT_HAND)
        picture[row - 1 : row + 2, column - 1 : column + 2] = BACKGROUND
        picture[:8, :8] = RIGHT_HAND
    return replace(masks, labels=labels)


def deepest_pixel(mask: np.ndarray) -> tuple[int, int]:
    distance = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    row, column = np.unravel_index(int(distance.argmax()), mask.shape)
    return int(row), int(column)


def corrected(masks: FrameMasks, **changes) -> FrameMasks:  # type: ignore[no-untyped-def]
    grasp = ball_on_hand()
    return correct_hand_masks(masks, (replace(grasp.observations.hands[0], **changes),), (grasp.model,), grasp.observations.camera)


def test_holes_are_filled_and_far_shadow_is_removed():
    exact, after = ball_on_hand().observations.masks.labels, corrected(spoilt()).labels
    observed = np.arange(len(exact)) != MISSING_FRAME
    assert (spoilt().labels != exact)[observed].mean() > 0.005
    assert np.array_equal(after[observed], exact[observed])


def test_exact_masks_stay_as_they_are():
    exact = ball_on_hand().observations.masks
    assert np.array_equal(corrected(exact).labels, exact.labels)


def test_the_object_is_never_touched_not_even_inside_or_far_from_the_hand():
    masks = spoilt()
    labels = masks.labels.copy()
    labels[:, -6:, -6:] = OBJECT
    after = corrected(replace(masks, labels=labels)).labels
    assert np.array_equal(after == OBJECT, labels == OBJECT)


def test_given_frames_stay_as_the_user_drew_them():
    masks = spoilt()
    source = tuple("given" if frame == FRAME else "automatic" for frame in range(len(masks.labels)))
    after = corrected(replace(masks, source=source)).labels
    assert np.array_equal(after[FRAME], masks.labels[FRAME])
    assert not np.array_equal(after[FRAME + 1], masks.labels[FRAME + 1])


@pytest.mark.parametrize("error", [WORST_KEYPOINT_ERROR, np.nan])
def test_frames_whose_hand_is_badly_fitted_or_absent_stay(error: float):
    masks = spoilt()
    errors = ball_on_hand().observations.hands[0].keypoint_error.copy()
    errors[FRAME] = error
    after = corrected(masks, keypoint_error=errors).labels
    for frame in (FRAME, MISSING_FRAME):
        assert np.array_equal(after[frame], masks.labels[frame])
    assert not np.array_equal(after[FRAME + 1], masks.labels[FRAME + 1])


def test_the_masks_that_came_in_are_not_written_to():
    masks = spoilt()
    before = masks.labels.copy()
    corrected(masks)
    assert np.array_equal(masks.labels, before)
