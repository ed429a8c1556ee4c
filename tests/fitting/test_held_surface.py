"""The surface that placement holds: points of the ball, where silhouettes end, seen from where the camera is."""

import pytest
import torch
from tiny_scene import RADIUS, exact_ball_grid, make_exact_ball, tiny_scene

from hoifield.fitting.held_surface import depth_along, hold_surface, in_camera, surface_of_grid, weigh_sight
from hoifield.renderer.cached_distance import CachedDistance
from hoifield.renderer.surface_level import rendered_surface_level


def test_points_lie_on_the_ball_with_outward_normals():
    surface = surface_of_grid(exact_ball_grid(), seed=0)
    assert float((surface.points.norm(dim=1) - RADIUS).abs().max()) < 2e-4
    assert float((surface.normals * surface.points).sum(1).min()) > 0.95 * RADIUS
    # Spread over all of it: their mean is its centre.
    assert float(surface.points.mean(0).norm()) < 0.06 * RADIUS


def test_a_wide_renderer_shows_a_larger_ball():
    scene = tiny_scene()
    make_exact_ball(scene)
    exact, wide = hold_surface(scene, 0.0, 0), hold_surface(scene, 0.002, 0)
    level = rendered_surface_level(exact.distance.values.numpy(), exact.distance.spacing, 0.002)
    assert level > 0.002
    assert float((exact.points.norm(dim=1)).median()) == pytest.approx(RADIUS, abs=3e-4)
    assert float((wide.points.norm(dim=1)).median()) == pytest.approx(RADIUS + level, abs=3e-4)


def test_what_faces_the_camera_is_weighed_by_how_squarely_and_the_far_side_not_at_all():
    surface = surface_of_grid(exact_ball_grid(), seed=0)
    T = torch.eye(4).repeat(2, 1, 1)
    T[:, 2, 3] = 0.4
    T[1, 0, 3] = 0.1
    weight = weigh_sight(surface, T)
    sight = -in_camera(surface, T)
    cosine = (sight / sight.norm(dim=-1, keepdim=True) * surface.normals).sum(-1)
    assert torch.equal(weight > 0, cosine > 0.3)
    assert torch.allclose(weight[weight > 0], cosine[weight > 0], atol=1e-5)


def test_what_the_object_itself_hides_has_no_weight():
    ball = exact_ball_grid()
    # A plate between ball and camera.
    axis = ball.lower[2] + ball.spacing * torch.arange(ball.values.shape[2])
    plate = torch.where((axis < -RADIUS * 1.2)[None, None, :], torch.tensor(-0.001), torch.tensor(1.0))
    surface = surface_of_grid(ball, seed=0)
    hidden = type(surface)(CachedDistance(torch.minimum(ball.values, plate), ball.lower, ball.spacing), surface.points, surface.normals)
    T = torch.eye(4)[None].clone()
    T[:, 2, 3] = 0.4
    squarely = weigh_sight(surface, T) > 0.9
    assert bool(squarely.any()) and not bool((weigh_sight(hidden, T)[squarely] > 0).any())


def test_a_ray_is_deepest_in_a_ball_beside_its_centre_and_nearest_to_it_there_too():
    K = torch.tensor([[300.0, 0.0, 100.0], [0.0, 300.0, 90.0], [0.0, 0.0, 1.0]])
    T = torch.eye(4)[None].clone()
    T[0, :3, 3] = torch.tensor([0.02, 0.0, 0.4])
    # Through its middle, a millimetre inside of its outline, and past it.
    pixels = torch.tensor([[[115.0, 90.0], [115.0, 90.0 + 300 / 0.4 * (RADIUS - 0.001)], [115.0, 90.0 + 300 / 0.4 * (RADIUS + 0.005)]]])
    depth = depth_along(surface_of_grid(exact_ball_grid(), seed=0), T, pixels, K)[0]
    assert float((depth - 0.4).abs().max()) < 0.15 * RADIUS
