"""Where a soft surface seems to end: closed form against the integral along grazing rays of a ball."""

import numpy as np
import pytest
import torch
from tiny_scene import RADIUS

from hoifield.fields.density import density_from_distance
from hoifield.renderer.surface_level import rendered_surface_level


def ball_values(resolution: int = 48) -> tuple[np.ndarray, float]:
    axis = np.linspace(-0.05, 0.05, resolution)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)
    return np.linalg.norm(grid, axis=-1) - RADIUS, axis[1] - axis[0]


@pytest.mark.parametrize("width", [0.0005, 0.001, 0.002])
def test_the_rendered_surface_is_where_a_grazing_ray_loses_half_its_light(width: float):
    values, spacing = ball_values()
    level = rendered_surface_level(values, spacing, width)
    along = torch.linspace(-0.2, 0.2, 200_001, dtype=torch.float64)
    distance = torch.sqrt(along**2 + (RADIUS + level) ** 2) - RADIUS
    depth = float(torch.trapezoid(density_from_distance(distance, width), along))
    assert np.exp(-depth) == pytest.approx(0.5, abs=0.04)


def test_a_surface_much_wider_than_the_object_is_not_moved_inward():
    values, spacing = ball_values()
    assert rendered_surface_level(values, spacing, 10.0) == 0.0


def test_an_exact_surface_is_shown_where_it_is():
    values, spacing = ball_values()
    assert rendered_surface_level(values, spacing, 0.0) == 0.0
