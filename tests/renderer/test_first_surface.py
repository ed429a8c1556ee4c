"""Rays and a ball kept on a grid: where they enter it is known in closed form."""

import pytest
import torch

from hoifield.renderer.cached_distance import CachedDistance
from hoifield.renderer.first_surface import first_surface

RADIUS = 0.04


@pytest.fixture(scope="module")
def ball() -> CachedDistance:
    axis = torch.linspace(-0.06, 0.06, 49)
    points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)
    return CachedDistance(points.norm(dim=-1) - RADIUS, torch.full((3,), -0.06), float(axis[1] - axis[0]))


def test_rays_enter_a_ball_where_they_should_and_some_do_not(ball: CachedDistance) -> None:
    aside = torch.linspace(0.0, 0.055, 12)
    origins = torch.stack([aside, torch.zeros(12), torch.full((12,), -0.3)], dim=-1)
    distance, met = first_surface(ball, origins, torch.tensor([0.0, 0.0, 1.0]).expand(12, 3), 64)
    assert met.tolist() == (aside < RADIUS).tolist()
    assert distance[met] == pytest.approx(0.3 - (RADIUS**2 - aside[met] ** 2).sqrt(), abs=4e-4)


def test_a_ray_that_misses_the_grid_or_starts_in_the_ball_enters_nothing(ball: CachedDistance) -> None:
    origins = torch.tensor([[0.2, 0.0, -0.3], [0.0, 0.0, 0.0]])
    assert not first_surface(ball, origins, torch.tensor([0.0, 0.0, 1.0]).expand(2, 3), 64)[1].any()


def test_of_two_entrances_the_first_counts() -> None:
    depth = torch.linspace(-0.06, 0.06, 49)
    shells = torch.minimum((depth + 0.03).abs(), (depth - 0.03).abs()) - 0.01
    grid = CachedDistance(shells.expand(8, 8, 49).contiguous(), torch.tensor([-0.01, -0.01, -0.06]), float(depth[1] - depth[0]))
    distance, met = first_surface(grid, torch.tensor([[0.0, 0.0, -0.2]]), torch.tensor([[0.0, 0.0, 1.0]]), 64)
    assert bool(met[0]) and float(distance[0]) == pytest.approx(0.16, abs=1e-3)
