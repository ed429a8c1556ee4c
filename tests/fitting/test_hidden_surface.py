"""Where nobody looks a surface bends as little as it can and stays near the first hull; nowhere else is it asked to."""

import math

import pytest
import torch
from tiny_scene import RADIUS, exact_ball_grid, make_exact_ball, tiny_pixels, tiny_scene

from hoifield.fitting.hidden_surface import BESIDE, LIKE_WITHIN, bend_loss, find_hidden, like_hull_loss
from hoifield.renderer.cached_distance import CachedDistance
from hoifield.scene.hull_bound import HullBound
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


def ball_hull(radius: float) -> HullBound:
    """The bound of a ball about the origin."""
    ball = exact_ball_grid()
    return HullBound(ball.values + RADIUS - radius, ball.lower, ball.spacing)


@pytest.mark.parametrize("smaller", [0.0, 0.002, 0.005, 0.03])
def test_surface_off_the_hull_counts_by_its_distance_up_to_a_limit(smaller: float) -> None:
    scene = exact_scene()
    hidden = find_hidden(scene, tiny_pixels(), exact_ball_grid(), 0)
    loss = float(like_hull_loss(scene.object_distance, ball_hull(RADIUS - smaller), hidden, torch.Generator().manual_seed(0)).detach())
    assert loss == pytest.approx(min(smaller / LIKE_WITHIN, 1.0), abs=0.03)


def moved_towards(hull: HullBound) -> float:
    """Metres by which the field of a rough ball swells where it is hidden, pulled to a hull alone."""
    scene = tiny_scene()
    field = scene.object_distance
    hidden = find_hidden(scene, tiny_pixels(), exact_ball_grid(), 0)
    before = field.query(hidden).signed_distance.detach()
    optimiser = torch.optim.Adam([field.table], lr=5e-2)
    for step in range(30):
        optimiser.zero_grad()
        like_hull_loss(field, hull, hidden, torch.Generator().manual_seed(step)).backward()
        optimiser.step()
    return float((before - field.query(hidden).signed_distance.detach()).mean())


def test_hidden_surface_swells_or_shrinks_to_the_hull_and_what_is_far_inside_of_it_is_let_be() -> None:
    assert moved_towards(ball_hull(RADIUS + 0.004)) > 5e-4
    assert moved_towards(ball_hull(RADIUS - 0.004)) < -5e-4
    assert moved_towards(ball_hull(RADIUS + 5 * LIKE_WITHIN)) == 0.0


def test_without_hidden_surface_nothing_is_off_the_hull() -> None:
    scene = exact_scene()
    loss = like_hull_loss(scene.object_distance, ball_hull(RADIUS), torch.zeros(0, 3), torch.Generator().manual_seed(0))
    loss.backward()
    assert float(loss.detach()) == 0.0
