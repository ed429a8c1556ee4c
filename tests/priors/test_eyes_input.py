"""The maps that the eyes look at."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hoifield.priors.eyes_input import EYES_SIZE, eyes_maps, stack_maps

GREY = np.full((EYES_SIZE, EYES_SIZE, 3), 127, np.uint8)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_heat_is_highest_where_the_keypoint_is(seed: int) -> None:
    points = np.random.default_rng(seed).uniform(4, EYES_SIZE - 4, size=(21, 2))
    _, heat = eyes_maps(GREY, points, None)
    rows, columns = np.unravel_index(heat.reshape(21, -1).argmax(1), heat.shape[1:])
    assert np.abs(4 * np.stack([columns + 0.5, rows + 0.5], 1) - points).max() <= 2.0 + 1e-6


def test_nothing_is_drawn_for_what_is_not_known() -> None:
    maps, heat = eyes_maps(GREY, None, None)
    assert not heat.any() and not maps[3:].any()
    assert np.abs(maps[:3]).max() < 0.01


def test_a_click_peaks_at_its_pixel() -> None:
    maps, _ = eyes_maps(GREY, None, np.array([50.5, 120.5]))
    assert np.unravel_index(maps[4].argmax(), maps[4].shape) == (120, 50) and maps[4].max() == 1.0


def test_keypoints_far_outside_the_crop_do_no_harm() -> None:
    maps, heat = eyes_maps(GREY, np.full((21, 2), 1e7), None)
    assert np.isfinite(maps).all() and np.isfinite(heat).all() and heat.max() < 1e-6


def test_stacking_keeps_the_order() -> None:
    lessons = [eyes_maps(np.full((EYES_SIZE, EYES_SIZE, 3), value, np.uint8), None, None) for value in (0, 255)]
    picture, keypoints = stack_maps(lessons)
    assert picture.shape == (2, 5, EYES_SIZE, EYES_SIZE) and keypoints.shape == (2, 21, EYES_SIZE // 4, EYES_SIZE // 4)
    assert picture[0, :3].max() == -1 and picture[1, :3].min() == 1
