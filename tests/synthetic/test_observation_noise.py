"""Noise on observations is of the amount asked for, repeats by seed, grows with its knob, and is nothing at zero."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from hoifield.geometry.rotations import rotation_angle
from hoifield.synthetic.observation_noise import (
    DepthNoise,
    PoseNoise,
    dropped_keypoints,
    flickering_outlines,
    holed_labels,
    kept_frames,
    lost_labels,
    noisy_depth,
    noisy_keypoints,
    noisy_poses,
    shifted_outlines,
)

FRAMES, SIDE, RADIUS = 40, 80, 24


def _labels() -> np.ndarray:
    """A disc of the object with a hand across its lower part."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    labels = np.zeros((FRAMES, SIDE, SIDE), dtype=np.uint8)
    labels[:, np.hypot(x - 40, y - 40) <= RADIUS] = 1
    labels[:, 60:70, 20:60] = 2
    return labels


LABELS = _labels()
KEYPOINTS = np.random.default_rng(9).uniform(0, 80, size=(FRAMES, 21, 2))
DEPTH = np.random.default_rng(9).integers(400, 600, size=(FRAMES, 30, 30)).astype(np.uint16)
POSES = np.tile(np.eye(4), (400, 1, 1))
POSES[:, :3, 3] = [0.1, 0.2, 0.5]
SPOIL: dict[str, Callable[[float, int], np.ndarray]] = {
    "outline": lambda amount, seed: shifted_outlines(LABELS, 1, -10 * amount),
    "flicker": lambda amount, seed: flickering_outlines(LABELS, 1, 10 * amount, seed),
    "lost": lambda amount, seed: lost_labels(LABELS, 1, amount, seed),
    "holes": lambda amount, seed: holed_labels(LABELS, 1, amount, 7, seed),
    "keypoints": lambda amount, seed: noisy_keypoints(KEYPOINTS, amount, seed),
    "dropped": lambda amount, seed: dropped_keypoints(KEYPOINTS, amount, seed),
    "frames": lambda amount, seed: kept_frames(FRAMES, amount, seed),
    "poses": lambda amount, seed: noisy_poses(POSES, PoseNoise(amount, amount), seed),
    "lasting": lambda amount, seed: noisy_poses(POSES, PoseNoise(amount, amount, 3.0), seed),
    "depth": lambda amount, seed: noisy_depth(DEPTH, DepthNoise(1.0, amount, amount), seed),
}


@pytest.mark.parametrize("name", SPOIL)
def test_noise_repeats_by_seed_grows_with_its_knob_and_is_nothing_at_zero(name: str) -> None:
    spoil = SPOIL[name]
    exact = spoil(0.0, 1)
    np.testing.assert_array_equal(exact, spoil(0.0, 2))
    np.testing.assert_array_equal(spoil(0.3, 1), spoil(0.3, 1))
    if name != "outline":
        assert not np.array_equal(spoil(0.3, 1), spoil(0.3, 2), equal_nan=name == "dropped")
    changed = [int((np.nan_to_num(spoil(amount, 1), nan=-1) != exact).sum()) for amount in (0.0, 0.1, 0.3, 0.6)]
    assert changed[0] == 0 and changed[0] < changed[1] <= changed[2] <= changed[3]


@pytest.mark.parametrize("name", ["lost", "holes", "dropped", "frames"])
def test_a_larger_amount_takes_away_all_that_a_smaller_one_does(name: str) -> None:
    exact, less, more = (np.nan_to_num(SPOIL[name](amount, 3), nan=-1) for amount in (0.0, 0.2, 0.5))
    assert (more != exact)[less != exact].all() and (less != exact).any()


def test_zero_leaves_the_input_as_it_is() -> None:
    for name, original in (("flicker", LABELS), ("holes", LABELS), ("keypoints", KEYPOINTS), ("poses", POSES), ("depth", DEPTH)):
        np.testing.assert_array_equal(SPOIL[name](0.0, 5), original)


def test_outlines_move_by_the_pixels_asked_for_and_other_labels_keep_theirs() -> None:
    for pixels in (-6.0, -2.0, 3.0, 5.0):
        moved = shifted_outlines(LABELS, 1, pixels)[0]
        column = moved[: SIDE // 2, SIDE // 2] == 1
        assert abs(int(column.argmax()) - (40 - RADIUS - pixels)) <= 1
        np.testing.assert_array_equal(moved[LABELS[0] == 2], 2)
    assert not (shifted_outlines(LABELS, 1, -40.0) == 1).any()


def test_lost_frames_and_dropped_keypoints_are_the_share_asked_for() -> None:
    assert kept_frames(20_000, 0.3, 0).mean() == pytest.approx(0.7, abs=0.015)
    keypoints = np.tile(KEYPOINTS, (50, 1, 1))
    missing = np.isnan(dropped_keypoints(keypoints, 0.15, 0))
    assert missing.mean() == pytest.approx(0.15, abs=0.01)
    np.testing.assert_array_equal(missing[..., 0], missing[..., 1])
    lost = lost_labels(LABELS, 1, 0.4, 2)
    gone = ~(lost == 1).any((1, 2))
    np.testing.assert_array_equal(gone, ~kept_frames(FRAMES, 0.4, 2))
    np.testing.assert_array_equal(lost[~gone], LABELS[~gone])


def test_holes_take_the_area_asked_for_and_no_more_than_one_hole_beyond() -> None:
    area = (LABELS[0] == 1).sum()
    for share in (0.1, 0.5, 1.0):
        taken = area - (holed_labels(LABELS, 1, share, 7, 0) == 1).sum((1, 2))
        assert (taken >= share * area).all() and (taken <= share * area + 49).all()


@pytest.mark.parametrize("correlation", [0.0, 4.0])
def test_poses_are_off_by_the_amounts_asked_for_and_stay_rigid(correlation: float) -> None:
    poses = np.tile(POSES[:1], (6000, 1, 1))
    spoilt = noisy_poses(poses, PoseNoise(0.02, 0.005, correlation), 4)
    np.testing.assert_allclose(np.linalg.det(spoilt[:, :3, :3]), 1)
    assert (spoilt - poses)[:, :3, 3].std() == pytest.approx(0.005, rel=0.1)
    angles = rotation_angle(torch.from_numpy(spoilt[:, :3, :3])).numpy()
    assert np.sqrt((angles**2).mean()) == pytest.approx(0.02 * np.sqrt(3), rel=0.1)
    steps = np.diff(spoilt[:, :3, 3], axis=0).std()
    assert steps < 0.25 * 0.005 if correlation else steps == pytest.approx(0.005 * np.sqrt(2), rel=0.1)


def test_poses_that_are_missing_stay_missing() -> None:
    poses = POSES[:5].copy()
    poses[2] = np.nan
    assert np.isnan(noisy_poses(poses, PoseNoise(0.1, 0.1), 0)).all((1, 2)).tolist() == [False, False, True, False, False]


def test_depth_is_off_by_the_share_asked_for_and_none_stays_none() -> None:
    depth = np.full((20, 50, 50), 5000, dtype=np.uint16)
    depth[:, :10] = 0
    spoilt = noisy_depth(depth, DepthNoise(scale=1.1, share=0.02, missing=0.25), 3)
    assert spoilt.dtype == np.uint16 and not spoilt[:, :10].any()
    rest = spoilt[:, 10:].astype(float)
    assert (rest == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert rest[rest > 0].mean() == pytest.approx(5500, rel=0.002) and rest[rest > 0].std() == pytest.approx(110, rel=0.05)
    assert noisy_depth(depth, DepthNoise(scale=100.0), 0).max() == 65535
