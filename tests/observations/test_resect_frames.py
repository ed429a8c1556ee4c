"""Frames placed by known points: found where the points say so, outwards one after another, and left alone where they do not."""

import numpy as np

from hoifield.geometry.cameras import Camera
from hoifield.observations.feature_tracks import FeatureTracks
from hoifield.observations.resect_frames import LEAST_POINTS, resect_frames
from tests.observations.test_steady_grasp import rotation

CAMERA = Camera.from_focal(700.0, 640, 640)
FRAMES, POINTS = 20, 120
NOISE = 0.4
"""Pixels."""
HIDDEN = (0, 1, 2, 3, 4, 5, 10)


def turning_poses() -> np.ndarray:
    phase = np.linspace(-0.5, 0.5, FRAMES)
    T = np.tile(np.eye(4), (FRAMES, 1, 1))
    T[:, :3, :3] = rotation(np.stack([0.4 * np.sin(5 * phase), np.radians(80.0) * phase, 0 * phase], 1))
    T[:, :3, 3] = np.stack([0.04 * phase, 0 * phase, 0.5 + 0.05 * phase], 1)
    return T


def see(T: np.ndarray, lifetime: int) -> FeatureTracks:
    """Each point is seen in `lifetime` frames in a row."""
    generator = np.random.default_rng(2)
    points = generator.uniform(-0.06, 0.06, (POINTS, 3))
    seen = (points @ T[:, :3, :3].transpose(0, 2, 1) + T[:, None, :3, 3]) @ CAMERA.K.T
    pixels = seen[..., :2] / seen[..., 2:] + NOISE * generator.normal(size=(FRAMES, POINTS, 2))
    first = generator.integers(-lifetime // 2, FRAMES - lifetime // 2, POINTS)
    frame, point = np.nonzero((np.arange(FRAMES)[:, None] >= first) & (np.arange(FRAMES)[:, None] < first + lifetime))
    return FeatureTracks(frame, point, pixels[frame, point])


def without(T: np.ndarray, hidden: tuple[int, ...]) -> np.ndarray:
    T = T.copy()
    T[list(hidden)] = np.nan
    return T


def degrees_off(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    trace = np.einsum("fij,fij->f", found[:, :3, :3], true[:, :3, :3])
    return np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)))


def test_hidden_frames_are_placed_and_the_others_stay_as_they_were() -> None:
    true = turning_poses()
    tracks = see(true, FRAMES)
    found = resect_frames(without(true, HIDDEN), tracks, CAMERA.K, 1.5)
    kept = np.setdiff1d(np.arange(FRAMES), HIDDEN)
    assert np.array_equal(found[kept], true[kept])
    off_mm = 1000 * np.linalg.norm(found[list(HIDDEN), :3, 3] - true[list(HIDDEN), :3, 3], axis=1)
    print(f"{degrees_off(found, true)[list(HIDDEN)].max():.2f} degrees, {off_mm.max():.1f} mm off at most")
    assert degrees_off(found, true).max() < 1.0 and off_mm.max() < 3.0
    assert np.array_equal(found, resect_frames(without(true, HIDDEN), tracks, CAMERA.K, 1.5))


def test_frames_that_share_no_point_with_a_placed_one_are_reached_through_others() -> None:
    true = turning_poses()
    tracks = see(true, 7)
    first = set(tracks.point[tracks.frame == 0])
    assert not first & set(tracks.point[tracks.frame > 6]), "frame 0 shows no point that a frame placed from the start shows"
    found = resect_frames(without(true, HIDDEN), tracks, CAMERA.K, 1.5)
    assert degrees_off(found, true).max() < 3.0


def test_few_points_or_points_that_moved_by_themselves_place_nothing() -> None:
    true = turning_poses()
    tracks = see(true, FRAMES)
    few = tracks.longest(LEAST_POINTS - 1)
    assert np.isnan(resect_frames(without(true, HIDDEN), few, CAMERA.K, 1.5)[list(HIDDEN)]).all()
    shaken = tracks.pixel + np.where(np.isin(tracks.frame, HIDDEN), 40.0, 0.0)[:, None] * np.random.default_rng(0).normal(size=tracks.pixel.shape)
    scattered = FeatureTracks(tracks.frame, tracks.point, shaken)
    assert np.isnan(resect_frames(without(true, HIDDEN), scattered, CAMERA.K, 1.5)[list(HIDDEN)]).all()
    nowhere = np.full_like(true, np.nan)
    assert np.isnan(resect_frames(nowhere, tracks, CAMERA.K, 1.5)).all()


def test_a_pose_far_from_its_neighbours_is_not_believed() -> None:
    true = turning_poses()
    jumped = true.copy()
    jumped[10, :3, :3] = rotation(np.array([0.0, 1.2, 0.0])) @ jumped[10, :3, :3]
    found = resect_frames(without(jumped, (10,)), see(jumped, FRAMES), CAMERA.K, 1.5)
    assert np.isnan(found[10]).all()
