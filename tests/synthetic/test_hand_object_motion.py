"""Hands let go and grasp again, objects rest or are carried, cameras move: poses stay relative to the camera and inside the picture."""

import numpy as np
import pytest
import torch
import trimesh

from hoifield.actors.choose_actor import load_actor
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.rotations import rotation_angle
from hoifield.synthetic.camera_path import CAMERA_NAMES, make_camera_path
from hoifield.synthetic.clip_motion import make_clip_motion, watched_points
from hoifield.synthetic.clip_recipe import ClipRecipe
from hoifield.synthetic.grasp import GraspSearch
from hoifield.synthetic.grasp_check import Grasp
from hoifield.synthetic.hand_contact import measure_contact
from hoifield.synthetic.hand_object_motion import HandObjectMotion, between_poses
from hoifield.synthetic.release import AWAY, HOLDS, LEAVES, OPENS
from hoifield.synthetic.scene_mesh import SceneParts

FOCAL_RATIO, FRAMES = 1.1, 41
Scene = tuple[SceneParts, GraspSearch, Grasp]


@pytest.fixture(scope="module")
def scene() -> Scene:
    shape = trimesh.creation.cylinder(0.033, 0.116, sections=48)
    mesh = Mesh(np.asarray(shape.vertices), np.asarray(shape.faces))
    parts = SceneParts.of(load_actor("anny", "right"), np.zeros(10), mesh)
    search = GraspSearch(parts.actor, mesh, torch.zeros(10), 0)
    return parts, search, search.find()


@pytest.fixture(scope="module")
def release(scene: Scene) -> HandObjectMotion:
    return make_clip_motion(ClipRecipe(motion="release", frames=FRAMES), *scene, FOCAL_RATIO)


def _rows(start: float, end: float) -> slice:
    return slice(int(np.ceil(start * (FRAMES - 1))), int(np.floor(end * (FRAMES - 1))) + 1)


def test_a_release_lets_go_and_holds_again(scene: Scene, release: HandObjectMotion) -> None:
    contact = measure_contact(scene[0], release, scene[0].actor)
    for held in (_rows(0, OPENS), _rows(HOLDS, 1)):
        assert (contact.fingers_touching[held] >= 0.6).all() and contact.contact[held].any(1).all()
    apart = _rows(LEAVES + 0.02, 0.6)
    assert not contact.contact[apart].any() and (contact.penetration[apart] < -0.005).all()
    assert contact.penetration.max() < 0.003


def test_an_object_is_fixed_in_the_hand_while_held_and_at_rest_when_let_go(release: HandObjectMotion) -> None:
    for held in (_rows(0, OPENS), _rows(HOLDS, 1)):
        in_hand = release.T_hand_object[held]
        np.testing.assert_array_equal(in_hand, np.tile(in_hand[0], (len(in_hand), 1, 1)))
    resting = release.T_camera_object[_rows(OPENS, AWAY)]
    np.testing.assert_allclose(resting, np.tile(resting[0], (len(resting), 1, 1)), atol=1e-9)
    assert np.abs(release.T_hand_object[0] - release.T_hand_object[-1]).max() > 0.005
    turn = resting[0, :3, :3].T @ release.T_camera_object[_rows(0.6, 0.7)][0, :3, :3]
    assert np.degrees(float(rotation_angle(torch.from_numpy(turn)))) == pytest.approx(25, abs=0.1)


def test_a_release_moves_without_jumps(release: HandObjectMotion) -> None:
    for T in (release.T_camera_hand, release.T_camera_object):
        assert np.linalg.norm(np.diff(T[:, :3, 3], axis=0), axis=1).max() < 0.04
        turns = np.einsum("fba,fbc->fac", T[:-1, :3, :3], T[1:, :3, :3])
        assert np.degrees(rotation_angle(torch.from_numpy(turns)).max()) < 25
    assert np.abs(np.diff(release.pose, axis=0)).max() < 0.6


@pytest.fixture(scope="module")
def shaken_release(scene: Scene) -> HandObjectMotion:
    return make_clip_motion(ClipRecipe(motion="release", camera="shaky", frames=FRAMES), *scene, FOCAL_RATIO)


def test_everything_stays_in_the_picture(scene: Scene, release: HandObjectMotion, shaken_release: HandObjectMotion) -> None:
    turns = [make_clip_motion(ClipRecipe(camera=camera, frames=12, seed=2), *scene, FOCAL_RATIO) for camera in CAMERA_NAMES]
    for motion in (release, shaken_release, *turns):
        points = watched_points(scene[0], motion)
        assert np.abs(FOCAL_RATIO * points[..., :2] / points[..., 2:]).max() < 0.5
        assert 0.25 < points[..., 2].min() and points[..., 2].max() < 1.5


def test_a_camera_that_moves_changes_no_grasp_and_no_motion_in_the_room(release: HandObjectMotion, shaken_release: HandObjectMotion) -> None:
    np.testing.assert_array_equal(shaken_release.T_hand_object, release.T_hand_object)
    in_room = np.linalg.inv(shaken_release.T_camera_room) @ shaken_release.T_camera_hand
    np.testing.assert_allclose(in_room, release.T_camera_hand, atol=1e-9)
    assert np.abs(np.diff(shaken_release.T_camera_room, axis=0)).max() > 1e-3
    np.testing.assert_array_equal(release.T_camera_room, np.tile(np.eye(4), (FRAMES, 1, 1)))


def test_a_moving_camera_keeps_what_it_films_and_a_shaky_one_trembles() -> None:
    times = np.arange(90) / 30
    subject = np.array([0.0, 0.0, 0.5, 1.0])
    moving, shaky = (make_camera_path(name, times, 0.5, 1) for name in ("moving", "shaky"))
    assert np.degrees(rotation_angle(torch.from_numpy(moving[:, :3, :3])).max()) > 8
    for path in (moving, shaky):
        np.testing.assert_allclose(np.linalg.det(path[:, :3, :3]), 1)
        assert np.linalg.norm((path @ subject)[:, :3] - subject[:3], axis=1).max() < 0.04
    quick = [np.abs(np.diff(path[:, :3, :3], n=2, axis=0)).mean() for path in (moving, shaky)]
    assert quick[1] > 5 * quick[0]


def test_a_motion_is_exact_at_frames_and_keeps_the_held_object_in_the_hand_between_them(release: HandObjectMotion) -> None:
    for frame in (0, 7, FRAMES - 1):
        moment = release.at(frame)
        np.testing.assert_array_equal(moment.T_camera_hand, release.T_camera_hand[frame])
        np.testing.assert_array_equal(moment.pose, release.pose[frame])
    np.testing.assert_array_equal(release.at(1.4).T_hand_object, release.T_hand_object[1])
    free = int(np.floor((LEAVES + 0.05) * (FRAMES - 1)))
    between = release.at(free + 0.5)
    np.testing.assert_allclose(between.T_camera_hand @ between.T_hand_object, release.T_camera_object[free], atol=1e-9)
    np.testing.assert_array_equal(release.at(-3.0).T_camera_hand, release.T_camera_hand[0])


def test_half_way_between_two_poses_is_half_the_turn_and_half_the_shift() -> None:
    quarter = np.eye(4)
    quarter[:3] = [[0, -1, 0, 0.2], [1, 0, 0, 0.0], [0, 0, 1, 0.0]]
    half = between_poses(np.eye(4), quarter, 0.5)
    c = np.sqrt(0.5)
    np.testing.assert_allclose(half[:3], [[c, -c, 0, 0.1], [c, c, 0, 0], [0, 0, 1, 0]], atol=1e-12)
