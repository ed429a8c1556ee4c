"""Samples gather at the surface, never fail on a ray that meets nothing, and integrate densities well."""

from contextlib import nullcontext

import pytest
import torch

from hoifield.errors import InternalError
from hoifield.fields.density import density_from_distance
from hoifield.geometry.plain_reference import plain_reference
from hoifield.renderer.cached_distance import CachedDistance, CachedDistances
from hoifield.renderer.closest_approach import closest_approach, closest_approach_torch
from hoifield.renderer.composite import composite
from hoifield.renderer.march_torch import march_torch
from hoifield.renderer.ray_bounds import intersect_box
from hoifield.renderer.sample_rays import merge_samples, sample_rays


def _sphere_cache(center=(0.0, 0.0, 0.0), radius=0.04, half_size=0.08, count=64):
    axis = torch.linspace(-half_size, half_size, count)
    grid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)
    return CachedDistance((grid - torch.tensor(center)).norm(dim=-1) - radius, torch.full((3,), -half_size), 2 * half_size / (count - 1))


def _rays(count, spread=0.2):
    origins = torch.tensor([0.0, 0.0, -0.5]).expand(count, 3)
    sideways = (torch.rand(count, 2, generator=torch.Generator().manual_seed(0)) - 0.5) * spread
    directions = torch.cat([sideways, torch.ones(count, 1)], dim=-1)
    return origins, directions / directions.norm(dim=-1, keepdim=True)


def _sample(cached, origins, directions, width, count, seed=0):
    near, far = intersect_box(origins, directions, cached.lower, cached.upper)
    row = torch.zeros(len(origins), dtype=torch.int64)
    return sample_rays(origins, directions, CachedDistances.of_one(cached), row, width, count, torch.Generator().manual_seed(seed)), near, far


def test_samples_are_sorted_inside_the_bounds_and_close_to_the_surface():
    cached, (origins, directions) = _sphere_cache(), _rays(300)
    samples, near, far = _sample(cached, origins, directions, 0.0005, 16)
    hit = far > near
    assert bool((samples.diff(dim=-1) >= 0).all())
    assert bool(((samples >= near[:, None] - 1e-6) & (samples <= far[:, None] + 1e-6)).all())
    points = origins[:, None] + samples[..., None] * directions[:, None]
    through = (torch.linalg.cross(origins, directions).norm(dim=-1) < 0.035) & hit
    distance = points[through].norm(dim=-1) - 0.04
    assert float((distance.abs() < 0.004).float().mean()) > 0.6


def test_the_kernel_draws_the_samples_of_the_reference():
    cached, (origins, directions) = _sphere_cache(center=(0.01, 0.0, -0.005)), _rays(400)
    samples, near, far = _sample(cached, origins, directions, 0.001, 12)
    uniform = torch.rand(400, 12, generator=torch.Generator().manual_seed(0))
    row = torch.zeros(400, dtype=torch.int64)
    reference = march_torch(origins, directions, near, far, CachedDistances.of_one(cached), row, 0.001, uniform)
    # A bin on the edge of the band may fall on either side in 32 bits: such rays differ, but are few.
    close = ((samples - reference).abs() < 2e-5).all(dim=-1)
    assert float(close.float().mean()) > 0.97


@pytest.mark.parametrize("width", [0.0005, 0.008])
def test_each_ray_is_marched_in_its_own_grid(width):
    near_ball, far_ball = _sphere_cache(center=(0.01, 0.0, -0.03), radius=0.03), _sphere_cache(center=(-0.02, 0.01, 0.03), half_size=0.1)
    origins, directions = _rays(400)
    stack = CachedDistances(
        torch.stack([near_ball.values, far_ball.values]),
        torch.stack([near_ball.lower, far_ball.lower]),
        torch.tensor([near_ball.spacing, far_ball.spacing]),
    )
    row = torch.arange(400) % 2
    samples = sample_rays(origins, directions, stack, row, width, 12, torch.Generator().manual_seed(0))
    uniform = torch.rand(400, 12, generator=torch.Generator().manual_seed(0))
    near, far = intersect_box(origins, directions, stack.lower[row], stack.upper[row])
    reference = march_torch(origins, directions, near, far, stack, row, width, uniform)
    close = ((samples - reference).abs() < 2e-5).all(dim=-1)
    assert float(close.float().mean()) > 0.97
    swapped = sample_rays(origins, directions, stack, 1 - row, width, 12, torch.Generator().manual_seed(0))
    assert float(((swapped - reference).abs() < 2e-5).all(dim=-1).float().mean()) < 0.5


def test_rays_that_meet_nothing_get_finite_samples_without_length():
    cached = _sphere_cache()
    origins = torch.tensor([[0.0, 0.0, -0.5]]).repeat(3, 1)
    directions = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
    samples, near, far = _sample(cached, origins, directions, 0.001, 8)
    assert torch.equal(near, far) and bool(samples.isfinite().all())
    _, intervals = merge_samples([samples])
    assert torch.equal(intervals, torch.zeros(3, 8))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_ray_that_is_no_ray_is_not_marched(bad):
    """Its cells would lie anywhere in memory; all its samples lie at one place instead."""
    cached, (origins, directions) = _sphere_cache(), _rays(6)
    origins, directions = origins.clone(), directions.clone()
    origins[0, 1], origins[1], directions[2, 0], directions[3] = bad, bad, bad, bad
    samples, _, _ = _sample(cached, origins, directions, 0.001, 8)
    assert bool(samples.isfinite().all()) and bool((samples[4:].diff(dim=-1) > 0).any())
    assert bool((samples[:4] == samples[:4, :1]).all())


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("of_origin", [True, False])
@pytest.mark.parametrize("engine", [nullcontext, plain_reference])
def test_the_closest_approach_refuses_a_ray_that_is_no_ray(bad, of_origin, engine):
    origins, directions = (rays.clone() for rays in _rays(5))
    (origins if of_origin else directions)[3, 1] = bad
    with engine(), pytest.raises(InternalError, match="1 of 10"):
        closest_approach(_sphere_cache(), origins, directions, 24)


def test_a_ray_that_passes_by_is_sampled_around_its_closest_approach():
    cached = _sphere_cache()
    origins, directions = torch.tensor([[0.07, 0.0, -0.5]]), torch.tensor([[0.0, 0.0, 1.0]])
    samples, _, _ = _sample(cached, origins, directions, 0.0005, 8)
    assert float((samples - 0.5).abs().max()) < 0.02


def test_the_closest_approach_is_that_of_the_reference_and_of_the_sphere():
    cached, (origins, directions) = _sphere_cache(center=(0.01, 0.0, -0.005)), _rays(400)
    found, reference = closest_approach(cached, origins, directions, 48), closest_approach_torch(cached, origins, directions, 48)
    # Two points can be equally near to 32 bits: then either is right.
    assert float(((found - reference).abs() < 2e-6).float().mean()) > 0.98
    hit = torch.linalg.cross(origins, directions).norm(dim=-1) < 0.07
    exact = ((torch.tensor([0.01, 0.0, -0.005]) - origins) * directions).sum(-1)
    assert float((found - exact)[hit].abs().max()) < 0.005


def test_the_same_generator_gives_the_same_samples():
    cached, (origins, directions) = _sphere_cache(), _rays(100)
    first, second, other = (_sample(cached, origins, directions, 0.001, 8, seed)[0] for seed in (1, 1, 2))
    assert torch.equal(first, second) and not torch.equal(first, other)


@pytest.mark.parametrize("width", [0.0005, 0.003])
def test_opacity_from_a_few_samples_is_close_to_that_of_many(width):
    cached, (origins, directions) = _sphere_cache(), _rays(400)

    def opacity(count):
        samples, near, far = _sample(cached, origins, directions, width, count)
        distances, intervals = merge_samples([samples])
        points = origins[:, None] + distances[..., None] * directions[:, None]
        return 1 - composite(density_from_distance(points.norm(dim=-1) - 0.04, width)[..., None], intervals).background

    assert float((opacity(16) - opacity(512)).abs().mean()) < 0.01


def test_two_entities_share_their_samples_and_keep_the_empty_space_between_them_empty():
    front, back = torch.tensor([[0.50, 0.51, 0.53]]), torch.tensor([[0.80, 0.82]])
    distances, intervals = merge_samples([back, front])
    torch.testing.assert_close(distances, torch.tensor([[0.50, 0.51, 0.53, 0.80, 0.82]]))
    # ends reach out as far as they reach in: 5+5, 5+10, 10+10, 10+10, 10+10 mm
    torch.testing.assert_close(intervals, torch.tensor([[0.010, 0.015, 0.020, 0.020, 0.020]]))


def test_interleaved_sets_tile_their_common_stretch():
    sets = [torch.rand(50, 12, generator=torch.Generator().manual_seed(k)).sort(dim=-1).values for k in range(2)]
    distances, intervals = merge_samples(sets)
    inner = distances[:, -1] - distances[:, 0]
    ends = (distances[:, 1] - distances[:, 0]) / 2 + (distances[:, -1] - distances[:, -2]) / 2
    torch.testing.assert_close(intervals.sum(dim=-1), inner + ends)


def test_bounds_of_a_box_have_their_closed_form():
    origins = torch.tensor([[0.0, 0.0, -1.0], [0.0, 0.0, 0.0], [0.5, 0.0, -1.0]])
    directions = torch.tensor([[0.0, 0.0, 1.0]]).repeat(3, 1)
    half = torch.full((3,), 0.2)
    near, far = intersect_box(origins, directions, -half, half)
    torch.testing.assert_close(near[:2], torch.tensor([0.8, 0.0]))
    torch.testing.assert_close(far[:2], torch.tensor([1.2, 0.2]))
    assert near[2] == far[2]
