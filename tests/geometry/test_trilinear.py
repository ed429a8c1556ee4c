"""Trilinear lookups against a plain reference, finite differences, and what lies outside."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hoifield.geometry.trilinear import lookup_distance, lookup_distance_torch, lookup_grid

LOWER = torch.tensor([[-0.1, 0.0, 0.2], [0.3, -0.2, -0.1], [0.0, 0.0, 0.0]])
SPACING = torch.tensor([0.02, 0.05, 0.01])
SHAPE = (4, 6, 5)


def volumes(seed: int = 0) -> torch.Tensor:
    return torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(seed))


def reference(volume: np.ndarray, lower: np.ndarray, spacing: float, point: np.ndarray) -> float:
    """The eight corners weighted by the opposite volumes, in 64 bits."""
    top = np.array(volume.shape) - 1
    position = (point - lower) / spacing
    clamped = np.clip(position, 0, top)
    cell = np.minimum(np.floor(clamped).astype(int), top - 1)
    part = clamped - cell
    total = 0.0
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod([part[k] if corner[k] else 1 - part[k] for k in range(3)])
        total += weight * float(volume[tuple(cell + corner)])
    return total + float(np.linalg.norm((position - clamped) * spacing))


def points_around(count: int, seed: int, stretch: float) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    row = torch.randint(3, (count,), generator=generator)
    size = (torch.tensor(SHAPE) - 1) * SPACING[row, None]
    unit = (torch.rand(count, 3, generator=generator) - 0.5) * stretch + 0.5
    return row, LOWER[row] + unit * size


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_lookup_is_the_weighted_mean_of_eight_corners_and_adds_the_distance_to_the_box(seed: int):
    grids, (row, points) = volumes(seed), points_around(60, seed, 1.8)
    values, _ = lookup_distance(grids, row, points, LOWER, SPACING)
    expected = [reference(grids[f].numpy(), LOWER[f].double().numpy(), float(SPACING[f]), p) for f, p in zip(row.tolist(), points.double().numpy())]
    assert np.allclose(values.numpy(), expected, atol=2e-4)


def test_the_kernel_agrees_with_the_readable_reference_inside_and_outside():
    grids, (row, points) = volumes(), points_around(400, 1, 1.8)
    values, gradient = lookup_distance(grids, row, points, LOWER, SPACING)
    expected, slope = lookup_distance_torch(grids, row, points, LOWER, SPACING)
    assert torch.allclose(values, expected, atol=1e-4) and torch.allclose(gradient, slope, atol=1e-2)
    wide_lower = LOWER.double(), SPACING.double()
    exact, _ = lookup_distance_torch(grids.double(), row, points.double(), *wide_lower)
    assert torch.allclose(expected, exact.float(), atol=2e-4)


def test_a_single_grid_is_read_like_one_of_a_stack():
    grids, (row, points) = volumes(), points_around(200, 1, 1.2)
    values, _ = lookup_distance(grids, row, points, LOWER, SPACING)
    for f in range(3):
        here = row == f
        assert torch.equal(values[here], lookup_grid(grids[f], LOWER[f], float(SPACING[f]), points[here]))


def test_beyond_its_grid_a_surface_is_at_most_the_value_away_and_at_least_a_root_of_two_less():
    axis = torch.linspace(-0.08, 0.08, 64)
    grid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).norm(dim=-1) - 0.04
    outward = torch.nn.functional.normalize(torch.randn(300, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    points = outward * torch.linspace(0.15, 1.0, 300)[:, None]
    values, true = lookup_grid(grid, torch.full((3,), -0.08), 0.16 / 63, points), points.norm(dim=-1) - 0.04
    assert bool((values >= true - 1e-4).all()) and bool((values <= 2**0.5 * true).all())
    assert bool((values > true + 0.01).any()), "control: it is not the distance itself"


def test_vertices_give_their_own_values_up_to_the_last():
    grids = volumes()
    index = torch.tensor(list(np.ndindex(*SHAPE)))
    values, _ = lookup_distance(grids, torch.zeros(len(index), dtype=torch.int64), LOWER[0] + index * SPACING[0], LOWER, SPACING)
    assert torch.allclose(values, grids[0].reshape(-1), atol=1e-3)


def test_the_gradient_is_that_of_finite_differences_inside_cells():
    grids, (row, points) = volumes(), points_around(400, 2, 0.98)
    _, gradient = lookup_distance(grids, row, points, LOWER, SPACING)
    step = 0.01
    part = ((points - LOWER[row]) / SPACING[row, None]) % 1
    within = ((part > 2 * step) & (part < 1 - 2 * step)).all(1)
    assert int(within.sum()) > 300
    for k in range(3):
        # On one axis within a cell the interpolation is linear: the difference is exact but for rounding.
        offset = torch.zeros(3)
        offset[k] = 1.0
        ahead, _ = lookup_distance(grids, row, points + offset * step * SPACING[row, None], LOWER, SPACING)
        behind, _ = lookup_distance(grids, row, points - offset * step * SPACING[row, None], LOWER, SPACING)
        per_cell = (ahead - behind) / (2 * step)
        assert torch.allclose(per_cell[within], (gradient[:, k] * SPACING[row])[within], atol=5e-3)


def test_the_gradient_flows_to_points_once_and_a_plain_call_carries_none():
    grids, (row, points) = volumes(), points_around(50, 3, 0.9)
    moved = points.clone().requires_grad_()
    values, gradient = lookup_distance(grids, row, moved, LOWER, SPACING)
    weight = torch.arange(50.0)
    (values * weight).sum().backward()
    assert moved.grad is not None
    assert torch.allclose(moved.grad, gradient * weight[:, None])
    assert torch.equal(values.detach(), lookup_distance(grids, row, points, LOWER, SPACING)[0])
    assert not lookup_distance(grids, row, points, LOWER, SPACING)[0].requires_grad


def test_outside_the_gradient_leads_away_from_the_box():
    flat = torch.zeros(3, *SHAPE)
    upper = LOWER[1] + (torch.tensor(SHAPE) - 1) * SPACING[1]
    points = torch.stack([upper + torch.tensor([0.0, 0.0, 0.07]), upper + torch.tensor([0.3, 0.4, 0.0]), LOWER[1] - torch.tensor([0.01, 0.0, 0.0])])
    points[0, :2] -= 0.03
    values, gradient = lookup_distance(flat, torch.ones(3, dtype=torch.int64), points, LOWER, SPACING)
    assert torch.allclose(values, torch.tensor([0.07, 0.5, 0.01]), atol=1e-6)
    assert torch.allclose(gradient[0, 2], torch.tensor(1.0), atol=1e-4)
    assert torch.allclose(gradient[1], torch.tensor([0.6, 0.8, 0.0]), atol=1e-4)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_coordinate_that_is_no_number_is_refused_with_the_count(bad: float):
    points = torch.zeros(4, 3)
    points[2, 1] = bad
    with pytest.raises(ValueError, match="1 non-finite"):
        lookup_distance(volumes(), torch.zeros(4, dtype=torch.int64), points, LOWER, SPACING)
