"""Where nobody looks a surface bends as little as it can, and nowhere else."""

import math

import pytest
import torch
from tiny_scene import RADIUS, exact_ball_grid, make_exact_ball, tiny_pixels, tiny_scene

from hoifield.fitting.hidden_surface import BESIDE, bend_loss, find_hidden
from hoifield.renderer.cached_distance import CachedDistance
from hoifield.scene.scene import Scene


def exact_scene() -> Scene:
    scene = tiny_scene()
    make_exact_ball(scene)
    return scene


def bend_of(scene: Scene) -> torch.Tensor:
    return bend_loss(scene.object_distance, find_hidden(scene, tiny_pixels(), exact_ball_grid(), 0), torch.Generator().manual_seed(0))


def test_hidden_points_lie_on_the_surface_and_not_on_the_side_towards_the_camera() -> None:
    scene = exact_scene()
    hidden = find_hidden(scene, tiny_pixels(), exact_ball_grid(), 0)
    assert len(hidden) > 300
    assert hidden.norm(dim=1) == pytest.approx(torch.full((len(hidden),), RADIUS), abs=3e-4)
    T = scene.frames.T_camera_object().detach()
    camera = -(T[:, :3, :3].transpose(1, 2) @ T[:, :3, 3:])[..., 0]
    sight = camera[:, None] - hidden
    cosine = ((sight / sight.norm(dim=-1, keepdim=True)) * hidden / RADIUS).sum(-1)
    shown = (cosine > 0.6).all(0)
    assert shown.float().mean() < 0.25, "what is left of that side lies under the hand"


def test_where_there_is_no_surface_nothing_is_hidden_and_nothing_bends() -> None:
    scene, ball = exact_scene(), exact_ball_grid()
    empty = CachedDistance(torch.ones_like(ball.values), ball.lower, ball.spacing)
    hidden = find_hidden(scene, tiny_pixels(), empty, 0)
    assert hidden.shape == (0, 3)
    loss = bend_loss(scene.object_distance, hidden, torch.Generator().manual_seed(0))
    loss.backward()
    assert float(loss.detach()) == 0.0


def test_a_ball_bends_as_its_radius_says_and_a_lumpy_one_more() -> None:
    exact = float(bend_of(exact_scene()).detach())
    assert exact == pytest.approx(2 * math.sin(math.atan(BESIDE / RADIUS) / 2), rel=0.02)
    lumpy = tiny_scene()
    with torch.no_grad():
        lumpy.object_distance.table += torch.randn(lumpy.object_distance.table.shape, generator=torch.Generator().manual_seed(1))
    assert float(bend_of(lumpy).detach()) > 2 * exact


def test_descending_the_loss_alone_takes_lumps_away() -> None:
    scene = tiny_scene()
    field = scene.object_distance
    with torch.no_grad():
        field.table += torch.randn(field.table.shape, generator=torch.Generator().manual_seed(1))
    hidden = find_hidden(scene, tiny_pixels(), exact_ball_grid(), 0)
    optimiser = torch.optim.Adam([field.table], lr=5e-2)
    history = []
    for step in range(30):
        loss = bend_loss(field, hidden, torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        history.append(float(loss.detach()))
    assert sum(history[-5:]) < 0.8 * sum(history[:5])
