"""Density is a density: its integral along a ray does not depend on the unit of length."""

import math

import pytest
import torch

from hoifield.fields.density import density_from_distance


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_opacity_through_a_sphere_does_not_change_when_the_scene_is_rescaled(scale):
    def opacity(factor):
        along = torch.linspace(-0.1, 0.1, 4001, dtype=torch.float64) * factor
        distance = torch.hypot(along, torch.tensor(0.0508 * factor, dtype=torch.float64)) - 0.05 * factor
        depth = torch.trapezoid(density_from_distance(distance, 0.0002 * factor), along)
        return 1 - math.exp(-float(depth))

    assert 0.2 < opacity(1.0) < 0.999
    assert opacity(scale) == pytest.approx(opacity(1.0), rel=1e-9)


def test_density_is_half_on_the_surface_and_full_deep_inside():
    density = density_from_distance(torch.tensor([0.0, -1.0, 1.0]), 0.01)
    torch.testing.assert_close(density, torch.tensor([50.0, 100.0, 0.0]))


def test_the_optical_depth_before_a_plane_is_one_half():
    distance = torch.linspace(0, 0.2, 20001, dtype=torch.float64)
    assert float(torch.trapezoid(density_from_distance(distance, 0.003), distance)) == pytest.approx(0.5, rel=1e-5)


def test_gradients_to_distance_and_width_are_exact_and_finite_everywhere():
    distance = torch.tensor([-5.0, -0.02, 0.011, 5.0], dtype=torch.float64, requires_grad=True)
    width = torch.tensor(0.01, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(density_from_distance, (distance, width))
    at_surface = torch.zeros(1, requires_grad=True)
    density_from_distance(at_surface, 0.01).backward()
    assert float(at_surface.grad) == pytest.approx(-0.5 / 0.01**2)


@pytest.mark.parametrize(("width", "radius"), [(0.0002, 0.035), (0.0002, 0.005), (0.001, 0.03)])
def test_a_silhouette_lies_outside_the_surface_by_the_documented_offset(width, radius):
    offset = torch.linspace(0, 6 * width, 400, dtype=torch.float64)
    along = torch.linspace(-radius, radius, 8001, dtype=torch.float64)
    distance = torch.hypot(along, (radius + offset)[:, None]) - radius
    opacity = 1 - torch.exp(-torch.trapezoid(density_from_distance(distance, width), along))
    measured = float(offset[int((opacity > 0.5).sum())])
    assert measured == pytest.approx(width * math.log(0.72 * math.sqrt(2 * math.pi * radius / width)), rel=0.05)
