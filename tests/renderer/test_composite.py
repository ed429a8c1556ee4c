"""Compositing of several entities agrees with a fine ray march, with closed forms, and has no favourite entity."""

import math

import pytest
import torch

from hoifield.fields.density import density_from_distance
from hoifield.renderer.composite import composite


def _two_spheres(points, width):
    """Densities of two overlapping spheres, 3 cm and 2.5 cm."""
    first = (points - torch.tensor([0.0, 0.0, 0.5], dtype=points.dtype)).norm(dim=-1) - 0.03
    second = (points - torch.tensor([0.02, 0.005, 0.51], dtype=points.dtype)).norm(dim=-1) - 0.025
    return torch.stack([density_from_distance(first, width), density_from_distance(second, width)], dim=-1)


def _march(directions, width, steps=40_000):
    """Reference in 64 bits: small steps of the transport equation, one ray at a time."""
    distance = torch.linspace(0.44, 0.57, steps + 1, dtype=torch.float64)
    delta = float(distance[1] - distance[0])
    weights = []
    for direction in directions.double():
        density = _two_spheres((distance[:-1] + delta / 2)[:, None] * direction, width)
        depth = torch.cumsum(density.sum(-1) * delta, 0)
        passed = torch.cat([torch.ones(1, dtype=torch.float64), torch.exp(-depth[:-1])])
        weights.append((passed[:, None] * density * delta).sum(0))
    return torch.stack(weights).float()


def _directions(count):
    directions = torch.rand(count, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([0.16, 0.16, 0.0])
    directions += torch.tensor([-0.06, -0.08, 1.0])
    return directions / directions.norm(dim=-1, keepdim=True)


@pytest.mark.parametrize("width", [0.0005, 0.003])
def test_two_overlapping_shapes_match_a_fine_march_within_one_percent(width):
    directions = _directions(48)
    distance = (torch.arange(400) + 0.5) / 400 * 0.13 + 0.44
    density = _two_spheres(distance[None, :, None] * directions[:, None], width)
    weights = composite(density, torch.full((48, 400), 0.13 / 400))
    reference = _march(directions, width)
    assert 0.1 < float((reference > 0.5).float().mean()) < 0.6  # both entities are seen by some rays
    assert float((weights.entity_weight.sum(1) - reference).abs().max()) < 0.01


def test_evaluating_an_entity_at_its_own_samples_only_would_miss_one_percent():
    directions = _directions(48)
    distance = (torch.arange(400) + 0.5) / 400 * 0.13 + 0.44
    density = _two_spheres(distance[None, :, None] * directions[:, None], 0.003)
    density[:, ::2, 0], density[:, 1::2, 1] = 0, 0
    weights = composite(density, torch.full((48, 400), 0.13 / 400))
    assert float((weights.entity_weight.sum(1) - _march(directions, 0.003)).abs().max()) > 0.01


def test_the_order_of_entities_does_not_matter():
    density = torch.rand(20, 30, 3, generator=torch.Generator().manual_seed(0)) * 200
    intervals = torch.rand(20, 30, generator=torch.Generator().manual_seed(1)) * 0.01
    order = [2, 0, 1]
    one, two = composite(density, intervals), composite(density[..., order], intervals)
    torch.testing.assert_close(one.entity_weight[..., order], two.entity_weight, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(one.background, two.background, rtol=1e-5, atol=1e-7)


def test_weights_and_background_sum_to_one():
    density = torch.rand(50, 30, 2, generator=torch.Generator().manual_seed(0)) ** 4 * 1e4
    intervals = torch.rand(50, 30, generator=torch.Generator().manual_seed(1)) * 0.01
    weights = composite(density, intervals)
    torch.testing.assert_close(weights.entity_weight.sum(dim=(1, 2)) + weights.background, torch.ones(50), atol=1e-5, rtol=0)


def test_a_homogeneous_slab_has_its_closed_form():
    weights = composite(torch.tensor([3.0, 1.0]).expand(1, 50, 2), torch.full((1, 50), 0.01))
    opacity = 1 - math.exp(-4 * 0.5)
    torch.testing.assert_close(weights.entity_weight.sum(1)[0], torch.tensor([0.75, 0.25]) * opacity)


def test_gradients_are_finite_at_zero_density_and_pass_gradcheck():
    density = torch.zeros(2, 4, 2, requires_grad=True)
    weights = composite(density, torch.full((2, 4), 0.01))
    weights.entity_weight.sum().backward()
    torch.testing.assert_close(density.grad, torch.full((2, 4, 2), 0.01))  # d opacity / d density = interval
    generator = torch.Generator().manual_seed(0)
    density = (torch.rand(2, 5, 2, dtype=torch.float64, generator=generator) * 50).requires_grad_()
    intervals = torch.rand(2, 5, dtype=torch.float64, generator=generator).requires_grad_()
    assert torch.autograd.gradcheck(lambda d, i: composite(d, i).entity_weight, (density, intervals))


def test_an_opaque_wall_takes_all_weight_at_its_place():
    distance = torch.linspace(0.4, 0.6, 201)[None]
    density = density_from_distance(0.5 - distance, 1e-4)[..., None]
    weights = composite(density, torch.full((1, 201), 0.001))
    assert float(weights.entity_weight.sum()) == pytest.approx(1.0, abs=1e-4) and float(weights.background) < 1e-4
    assert float((weights.entity_weight[..., 0] * distance).sum()) == pytest.approx(0.5, abs=1e-3)


def test_a_ray_through_nothing_leaves_all_to_the_background():
    weights = composite(torch.zeros(3, 5, 2), torch.full((3, 5), 0.1))
    assert not weights.entity_weight.any() and torch.equal(weights.background, torch.ones(3))
