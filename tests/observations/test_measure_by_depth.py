"""Hand and object come to where a sensor measured them, and hulls lose what it looked through; each with a case in which nothing may change."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_scene import FRAMES, MISSING_FRAME, SIZE, measured_observations, right_hand

from hoifield.geometry.cameras import Camera
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.observations import hand_by_depth
from hoifield.observations.hand_by_depth import place_hands_by_depth
from hoifield.observations.measure_by_depth import EMPTY_BEFORE, carve_by_depth, hand_depth_error, object_depth_ratio, scale_hull
from hoifield.observations.sensor_depth import SensorDepth
from hoifield.observations.track_hands import TrackedHands
from hoifield.observations.track_keypoints import KeypointTrack
from hoifield.observations.visual_hull import HullGrid

CAMERA = Camera.from_focal(300.0, 120, 120)
POSE = np.eye(4)
POSE[2, 3] = 0.4


def test_a_hand_drawn_too_near_is_said_to_be_so_far_off() -> None:
    observations = measured_observations()
    hand = observations.hands[0]
    T = hand.T_camera_hand.copy()
    T[:, 2, 3] -= 0.02
    nearer = replace(hand, T_camera_hand=T)
    for moved, expected in ((hand, 0.0), (nearer, 0.02)):
        error, ratio = hand_depth_error(moved, right_hand(), observations.depth, observations.masks, observations.camera)
        assert np.nanmedian(error) == pytest.approx(expected, abs=0.002)
        assert ratio == pytest.approx(1.0 + expected / 0.45, abs=0.01)
        assert np.isnan(error[MISSING_FRAME])


def test_where_nothing_was_measured_nothing_is_said() -> None:
    observations = measured_observations()
    nothing = SensorDepth(np.zeros_like(observations.depth.millimetres))
    error, ratio = hand_depth_error(observations.hands[0], right_hand(), nothing, observations.masks, observations.camera)
    assert np.isnan(error).all() and np.isnan(ratio)


def test_an_object_taken_for_smaller_and_nearer_is_brought_to_its_distance() -> None:
    observations = measured_observations()
    track = observations.object_track
    frames = np.flatnonzero(np.isfinite(track.T_camera_object).all((1, 2)))
    spacing = 0.003
    lower = track.hull.vertices.min(0) - 3 * spacing
    shape = np.ceil((track.hull.vertices.max(0) - lower) / spacing).astype(int) + 4
    nodes = np.indices(shape).reshape(3, -1).T * spacing + lower
    exact = HullGrid(MeshDistance(track.hull.vertices, track.hull.faces).closest(nodes).signed_distance.reshape(shape), lower, spacing)
    for factor in (1.0, 0.9):
        poses = track.T_camera_object[frames].copy()
        poses[:, :3, 3] *= factor
        labels, depth = observations.masks.labels[frames], observations.depth.millimetres[frames]
        found = object_depth_ratio(scale_hull(exact, factor), poses, labels, depth, observations.camera)
        assert found == pytest.approx(1 / factor, abs=0.006)


def block() -> HullGrid:
    """A solid block of 6 x 6 x 8 cm, its top towards the camera."""
    spacing, lower = 0.003, np.full(3, -0.06)
    nodes = np.indices((41, 41, 41)).reshape(3, -1).T * spacing + lower
    return HullGrid((np.abs(nodes) - [0.03, 0.03, 0.04]).max(1).reshape(41, 41, 41).astype(np.float32), lower, spacing)


def looked_into(floor_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels and depth of ten frames that look straight into a square well of 3 cm in the block, down to its floor."""
    y, x = np.indices((120, 120)) + 0.5
    across = np.maximum(np.abs(x - 60), np.abs(y - 60)) / 300.0
    depth = np.where(across * floor_m < 0.015, floor_m, 0.36)
    labels = (across * 0.36 < 0.03).astype(np.uint8)
    return np.tile(labels, (10, 1, 1)), np.tile(np.round(depth * 1000).astype(np.uint16), (10, 1, 1))


def test_a_well_that_the_sensor_looked_into_is_emptied_and_a_closed_top_is_not() -> None:
    hull, poses = block(), np.tile(POSE, (10, 1, 1))
    open_labels, open_depth = looked_into(0.42)
    carved = carve_by_depth(hull, poses, open_labels, open_depth, CAMERA)
    assert hull.volume - carved.volume == pytest.approx(0.03 * 0.03 * (0.06 - EMPTY_BEFORE), rel=0.25)
    inside_well, wall, floor = np.array([[0.0, 0.0, -0.02]]), np.array([[0.024, 0.0, -0.02]]), np.array([[0.0, 0.0, 0.034]])
    assert carved.at(inside_well)[0] > 0.005 > 0 > max(carved.at(wall)[0], carved.at(floor)[0])
    closed_labels, closed_depth = looked_into(0.36)
    assert carve_by_depth(hull, poses, closed_labels, closed_depth, CAMERA) is hull


def test_one_wrong_frame_and_hands_empty_nothing() -> None:
    hull, poses = block(), np.tile(POSE, (10, 1, 1))
    labels, depth = looked_into(0.42)
    once = np.where(np.arange(10)[:, None, None] == 3, depth, looked_into(0.36)[1])
    assert carve_by_depth(hull, poses, labels, once, CAMERA) is hull
    assert carve_by_depth(hull, poses, np.full_like(labels, 2), depth, CAMERA) is hull
    assert carve_by_depth(hull, np.full_like(poses, np.nan), labels, depth, CAMERA) is hull


def tracked() -> tuple[TrackedHands, Camera]:
    """The hand as a focal length guessed a sixth too short sees it: nearer by as much, of the same size."""
    observations = measured_observations()
    hand, camera = observations.hands[0], Camera.from_focal(0.85 * observations.camera.focal, SIZE, SIZE)
    T = hand.T_camera_hand.copy()
    T[:, 2, 3] *= 0.85
    seen = torch.tensor(np.nan_to_num(hand.T_camera_hand), dtype=torch.float32)
    points = right_hand().pose(torch.zeros(10), torch.zeros(FRAMES, 16, 3), seen).keypoints.double().numpy()
    world = np.where(hand.observed[:, None, None], points - points.mean(1, keepdims=True), np.nan)
    keypoints = KeypointTrack("right", 1.0, hand.observed, hand.keypoints, world, hand.presence)
    return TrackedHands((replace(hand, T_camera_hand=T),), (), (keypoints,)), camera


def test_a_guessed_focal_length_is_corrected_and_the_hand_comes_to_its_distance() -> None:
    observations = measured_observations()
    found, camera, source = place_hands_by_depth(*_arguments(*tracked(), "guess"))
    assert source == "depth" and camera.focal == pytest.approx(observations.camera.focal, rel=0.02)
    off = found.hands[0].T_camera_hand[:, 2, 3] - observations.hands[0].T_camera_hand[:, 2, 3]
    assert np.nanmedian(np.abs(off)) < 0.006


def test_a_given_focal_length_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(hand_by_depth, "fit_hand", lambda *given, wrist_depth: asked.append(wrist_depth) or given[0])
    given, camera = tracked()
    _, kept, source = place_hands_by_depth(*_arguments(given, camera, "given"))
    assert kept is camera and source == "given"
    true = measured_observations().hands[0].T_camera_hand[:, 2, 3]
    assert np.nanmedian(np.abs(asked[0] - true)) < 0.006


def _arguments(given: TrackedHands, camera: Camera, source: str):  # type: ignore[no-untyped-def]
    observations = measured_observations()
    return given, observations.depth, observations.masks, camera, source, "anny", np.arange(FRAMES) / 30.0
