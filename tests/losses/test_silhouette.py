"""Silhouettes of a ball: rays' closest approach has a closed form."""

import pytest
import torch
from tiny_scene import RADIUS, exact_ball_grid

from hoifield.geometry.cameras import pixel_directions
from hoifield.geometry.rigid import invert_rigid
from hoifield.losses.silhouette import RIM, silhouette_loss

K = torch.tensor([[600.0, 0.0, 160.0], [0.0, 600.0, 160.0], [0.0, 0.0, 1.0]])
GRID = exact_ball_grid()


def placed(translation: torch.Tensor) -> torch.Tensor:
    """T_object_camera of one frame with the ball at a point."""
    T = torch.eye(4).repeat(1, 1, 1)
    T = torch.cat([torch.cat([T[:, :3, :3], translation[None, :, None]], 2), T[:, 3:]], 1)
    return invert_rigid(T)


def loss(centre: torch.Tensor, pixels: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    return silhouette_loss(GRID, placed(centre), pixels[None], inside[None], K, centre.detach()[None, 2])


def approach(centre: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    """Distance of the rays' lines from the ball's surface, pixels."""
    direction = pixel_directions(pixels, K)
    return (torch.linalg.cross(direction, centre.expand_as(direction)).norm(dim=-1) - RADIUS) * K[0, 0] / centre[2]


def softly(distance: torch.Tensor) -> torch.Tensor:
    return RIM * torch.nn.functional.softplus(distance / RIM)


def test_the_loss_is_geman_mcclure_of_the_softened_closest_approach_in_pixels():
    centre = torch.tensor([0.01, -0.02, 0.5])
    pixels = torch.tensor([[172.0, 136.0 + 42 + k] for k in range(-6, 12, 2)])
    distance = approach(centre, pixels)
    assert float(distance.min()) < -2 and float(distance.max()) > 3
    for inside in (True, False):
        error = softly(distance if inside else -distance) / 3.0
        expected = (error**2 / (1 + error**2)).mean()
        assert float(loss(centre, pixels, torch.full((9,), inside))) == pytest.approx(float(expected), abs=0.02)


def test_pixels_that_agree_cost_nothing():
    centre = torch.tensor([0.0, 0.0, 0.5])
    pixels = torch.tensor([[160.0, 160.0], [180.0, 170.0], [160.0, 240.0], [20.0, 20.0]])
    assert float(loss(centre, pixels, torch.tensor([True, True, False, False]))) < 1e-9


def test_an_outline_is_found_to_a_tenth_of_a_pixel():
    """Pixels are labelled by their centres; over a whole outline the least loss is where the labels came from."""
    true = torch.tensor([0.0013, 0.0, 0.5])
    x, y = torch.meshgrid(torch.arange(100, 220) + 0.5, torch.arange(100, 220) + 0.5, indexing="ij")
    pixels = torch.stack([x.reshape(-1), y.reshape(-1)], 1)
    distance = approach(true, pixels)
    pixels, inside = pixels[distance.abs() < 6], (distance < 0)[distance.abs() < 6]
    pixel = 0.5 / 600
    for axis, tolerance in ((0, 0.1 * pixel), (2, 0.1 * pixel * 0.5 / RADIUS)):
        steps = torch.linspace(-1.0, 1.0, 41) * 5 * tolerance
        values = [float(loss(true + torch.eye(3)[axis] * step, pixels, inside)) for step in steps]
        assert abs(float(steps[values.index(min(values))])) <= tolerance


def test_the_gradient_equals_finite_differences_and_pulls_the_object_under_its_pixels():
    centre = torch.tensor([0.006, 0.0, 0.5], requires_grad=True)
    angles = torch.linspace(0, 2 * torch.pi, 41)[:-1]
    circle = torch.stack([angles.cos(), angles.sin()], 1)
    pixels = torch.cat([160 + 38 * circle, 160 + 47 * circle])
    inside = torch.arange(80) < 40
    value = loss(centre, pixels, inside)
    value.backward()
    gradient = centre.grad
    assert gradient is not None
    with torch.no_grad():
        for axis in range(2):
            step = torch.zeros(3)
            step[axis] = 2e-4
            slope = float(loss(centre + step, pixels, inside) - loss(centre - step, pixels, inside)) / 4e-4
            assert float(gradient[axis]) == pytest.approx(slope, abs=0.05 * float(gradient.norm()))
        assert float(gradient[0]) > 0
        assert float(loss(centre - 0.002 * gradient / gradient.norm(), pixels, inside)) < float(value)


def test_a_pixel_far_beside_the_grid_still_has_a_finite_loss_below_one():
    centre = torch.tensor([0.0, 0.0, 0.5], requires_grad=True)
    value = loss(centre, torch.tensor([[-3000.0, 5000.0]]), torch.tensor([True]))
    value.backward()
    assert 0.9 < float(value.detach()) <= 1.0
    assert bool(torch.isfinite(centre.grad).all())  # type: ignore[arg-type]
