"""Shapes, textures, motions and the forearm behave as the clip maker relies on."""

import numpy as np
import pytest
import torch
import trimesh

from hoifield.actors.choose_actor import load_actor
from hoifield.errors import UsageError
from hoifield.geometry.mesh import signed_volume
from hoifield.synthetic.background import draw_background
from hoifield.synthetic.clip_recipe import ClipRecipe
from hoifield.synthetic.forearm import make_forearm
from hoifield.synthetic.motion import SWAY_NAMES, make_motion
from hoifield.synthetic.solid_texture import solid_colours


def test_a_solid_has_one_colour_per_point_and_does_not_repeat() -> None:
    points = np.random.default_rng(0).uniform(-0.05, 0.05, size=(4000, 3))
    colours = solid_colours(points, 3)
    np.testing.assert_array_equal(colours, solid_colours(points, 3))
    assert not np.allclose(colours, solid_colours(points, 4))
    for shift in (0.013, 0.026, 0.039):
        moved = solid_colours(points + [shift, 0, 0], 3)
        assert abs(np.corrcoef(colours.ravel(), moved.ravel())[0, 1]) < 0.35
    assert colours.std(0).min() > 0.15


@pytest.mark.parametrize("name", SWAY_NAMES)
@pytest.mark.parametrize("side", ["right", "left"])
def test_motions_are_rigid_smooth_and_stay_in_the_picture(name: str, side: str) -> None:
    body = np.random.default_rng(1).uniform(-0.08, 0.08, size=(500, 3)) + [-0.1, 0, 0]
    T = make_motion(name, side, body, 60, 1.1, seed=4)
    np.testing.assert_allclose(T[:, :3, :3] @ T[:, :3, :3].transpose(0, 2, 1), np.tile(np.eye(3), (60, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(T[:, :3, :3]), 1)
    points = body @ T[:, :3, :3].transpose(0, 2, 1) + T[:, None, :3, 3]
    assert np.abs(1.1 * points[..., :2] / points[..., 2:]).max() < 0.5
    assert np.linalg.norm(np.diff(points, axis=0), axis=-1).max() < 0.03


def test_a_turn_shows_far_more_than_an_everyday_motion() -> None:
    body = np.random.default_rng(1).uniform(-0.08, 0.08, size=(50, 3))

    def span(name: str) -> float:
        viewing = -make_motion(name, "right", body, 40, 1.1, 0)[:, 2, :3]
        return float(np.degrees(np.arccos(np.clip(viewing @ viewing.T, -1, 1)).max()))

    assert span("turn") > 140 and span("scan") > 140
    assert 30 < span("everyday") < 70
    assert span("still") < 5


def test_a_left_hand_moves_as_the_mirror_image() -> None:
    mirror = np.diag([-1.0, 1.0, 1.0])
    body = np.random.default_rng(1).uniform(-0.08, 0.08, size=(50, 3))
    right, left = make_motion("turn", "right", body, 9, 1.1, 2), make_motion("turn", "left", body @ mirror, 9, 1.1, 2)
    np.testing.assert_allclose(left[:, :3, :3], mirror @ right[:, :3, :3] @ mirror, atol=1e-12)
    np.testing.assert_allclose(left[:, :3, 3], right[:, :3, 3] @ mirror, atol=1e-12)


@pytest.mark.parametrize("side", ["right", "left"])
def test_the_forearm_is_closed_and_starts_at_the_rim_of_the_wrist(side: str) -> None:
    actor = load_actor("anny", side)
    rest = actor.shaped(torch.zeros(10))[0].double().numpy()
    arm = make_forearm(actor, rest)
    assert trimesh.Trimesh(arm.mesh.vertices, arm.mesh.faces, process=False).is_watertight
    assert signed_volume(arm.mesh) > 0
    gap = np.linalg.norm(arm.mesh.vertices[:, None] - rest[None], axis=-1).min(1)
    assert (gap < 1e-6).sum() >= 12


def test_the_room_is_neither_flat_nor_noise() -> None:
    room = draw_background(128, 128, 1)
    assert 0.05 < room.std() < 0.35
    assert np.abs(np.diff(room, axis=1)).mean() < 0.05
    assert not np.allclose(room, draw_background(128, 128, 2))


@pytest.mark.parametrize("wrong", [{"frames": 1}, {"size": 65}, {"motion": "dance"}])
def test_impossible_recipes_are_usage_errors(wrong: dict) -> None:
    with pytest.raises(UsageError):
        ClipRecipe(**wrong)
