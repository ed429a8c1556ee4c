"""The distance field is metric, differentiable, a lower bound outside its bounds, and starts from a given grid."""

import pytest
import torch

from hoifield.errors import InternalError
from hoifield.fields.distance_field import DistanceField
from hoifield.fields.hash_grid_layout import HashGridLayout
from hoifield.geometry.trilinear import lookup_grid

SMALL = HashGridLayout(levels=4, table_size=2**12, base_resolution=8, finest_resolution=40)


def _rough_field(half_size=0.1, center=(0.02, -0.01, 0.3), backend="auto"):
    """A field with a random, uneven shape."""
    field = DistanceField(torch.tensor(center), half_size, SMALL, seed=3, backend=backend)
    with torch.no_grad():
        field.table.uniform_(-0.3, 0.3, generator=torch.Generator().manual_seed(0))
    return field


def _inner_points(field, count, spread=0.9, dtype=torch.float32):
    points = torch.rand(count, 3, generator=torch.Generator().manual_seed(5)).to(dtype) * 2 - 1
    return points * spread * field.bounds_half_size + field.bounds_center


def test_a_new_field_is_a_sphere_of_half_the_bounds():
    field = DistanceField(torch.zeros(3), 0.08)
    points = _inner_points(field, 500)
    sample = field.query(points)
    assert float((sample.signed_distance - (points.norm(dim=-1) - 0.04)).detach().abs().max()) < 0.004
    assert float((sample.gradient.norm(dim=-1) - 1).detach().abs().max()) < 0.1


def test_the_gradient_is_the_derivative_of_the_distance():
    field = _rough_field(backend="torch").double()
    points = _inner_points(field, 200, dtype=torch.float64).requires_grad_()
    sample = field.query(points)
    (expected,) = torch.autograd.grad(sample.signed_distance.sum(), points)
    torch.testing.assert_close(sample.gradient, expected, atol=1e-9, rtol=1e-7)
    assert float((sample.gradient.norm(dim=-1) - 1).detach().abs().mean()) > 0.02  # the shape is uneven, so this is not a sphere's gradient


def test_points_receive_the_gradient_of_normals_too():
    field = _rough_field(backend="torch").double()
    weight = torch.randn(3, generator=torch.Generator().manual_seed(1)).double()

    def read(points):
        sample = field.query(points)
        return (sample.gradient @ weight) + 10 * sample.signed_distance

    points = _inner_points(field, 20, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(read, (points,), eps=1e-8, atol=1e-4)


def test_scaling_the_bounds_scales_distances_and_keeps_gradients():
    small, large = _rough_field(0.1, (0, 0, 0)), _rough_field(1.0, (0, 0, 0))
    points = _inner_points(small, 300)
    near, far = small.query(points), large.query(points * 10)
    torch.testing.assert_close(near.signed_distance * 10, far.signed_distance, atol=1e-5, rtol=1e-4)
    assert float((near.gradient - far.gradient).detach().norm(dim=-1).median()) < 1e-3


def test_distances_outside_the_bounds_are_lower_bounds_and_continuous():
    field = _rough_field()
    on_border = _inner_points(field, 4000, spread=3.0)
    outside = on_border[((on_border - field.bounds_center).abs() > field.bounds_half_size).any(dim=-1)]
    sample = field.query(outside)
    values, lower, spacing = field.as_grid(48)
    axes = torch.stack(torch.meshgrid(*[torch.arange(48)] * 3, indexing="ij"), dim=-1)
    surface = axes[values.abs() < spacing].float() * spacing + lower
    nearest = torch.cdist(outside, surface).amin(dim=1)
    assert bool((sample.signed_distance <= nearest + spacing).all())
    assert bool((sample.signed_distance > 0).all())
    torch.testing.assert_close(field.signed_distance(outside), sample.signed_distance, atol=1e-6, rtol=1e-4)
    edge = field.upper * torch.tensor([1.0, 0, 0]) + field.bounds_center * torch.tensor([0, 1.0, 1.0])
    step = torch.tensor([1e-6, 0, 0])
    assert abs(float(field.signed_distance((edge + step)[None]) - field.signed_distance((edge - step)[None]))) < 1e-5


def test_gradients_outside_the_bounds_are_derivatives_too():
    field = _rough_field(backend="torch").double()
    points = _inner_points(field, 300, spread=2.0, dtype=torch.float64).requires_grad_()
    sample = field.query(points)
    (expected,) = torch.autograd.grad(sample.signed_distance.sum(), points)
    torch.testing.assert_close(sample.gradient, expected, atol=1e-8, rtol=1e-6)


def test_a_field_starts_from_a_given_grid():
    axis = torch.linspace(-0.1, 0.1, 40)
    grid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)
    excess = grid.abs() - torch.tensor([0.06, 0.03, 0.05])
    box = excess.clamp(min=0).norm(dim=-1) + excess.amax(dim=-1).clamp(max=0)
    field = DistanceField(torch.zeros(3), 0.1)
    before = float((field.signed_distance(grid.reshape(-1, 3)) - box.reshape(-1)).abs().mean())
    near_error = field.start_from_grid(box, torch.full((3,), -0.1), 0.2 / 39, steps=80)
    after = float((field.signed_distance(grid.reshape(-1, 3)) - box.reshape(-1)).abs().mean())
    assert near_error < 1e-3 and after < 2.5e-3 < before / 5


def test_the_same_seed_gives_the_same_field_and_another_seed_another():
    one, two, other = (DistanceField(torch.zeros(3), 0.1, SMALL, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one.table, two.table) and not torch.equal(one.table, other.table)


def test_the_grid_of_a_field_reads_back_as_its_distances():
    field = DistanceField(torch.tensor([0.0, 0.1, 0.0]), 0.1)
    values, lower, spacing = field.as_grid(64)
    points = _inner_points(field, 200)
    torch.testing.assert_close(lookup_grid(values, lower, spacing, points), field.signed_distance(points), atol=3e-4, rtol=0)


def test_empty_queries_are_allowed():
    assert DistanceField(torch.zeros(3), 0.1, SMALL).query(torch.zeros(0, 3)).signed_distance.shape == (0,)


def test_a_field_that_cannot_learn_would_fail_the_start(monkeypatch):
    axis = torch.linspace(-0.1, 0.1, 20)
    grid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)
    slab = grid[..., 0].abs() - 0.02
    field = DistanceField(torch.zeros(3), 0.1, SMALL)
    assert field.start_from_grid(slab, torch.full((3,), -0.1), 0.2 / 19, steps=1) > 2e-3


def _query_and_gradients(field, points, dtype=torch.float32):
    """Distance, gradient, feature, and the gradients to points and to every parameter of a random weighting of all three."""
    points = points.to(dtype).requires_grad_()
    generator = torch.Generator().manual_seed(7)
    sample = field.query(points)
    weights = [torch.randn(found.shape, generator=generator).to(dtype) for found in (sample.signed_distance, sample.gradient, sample.feature)]
    weighted = (sample.signed_distance * weights[0]).sum() * 10 + (sample.gradient * weights[1]).sum() + (sample.feature * weights[2]).sum()
    gradients = torch.autograd.grad(weighted, [points, *field.parameters()])
    return [sample.signed_distance, sample.gradient, sample.feature, *gradients]


FIELD_LAYOUTS = [SMALL, HashGridLayout(levels=5, features=3, table_size=2**10, base_resolution=5, finest_resolution=30)]


@pytest.mark.parametrize("layout", FIELD_LAYOUTS)
@pytest.mark.parametrize("open_levels", [2.5, 9.0])
@pytest.mark.parametrize("spread", [0.9, 2.0])
def test_both_back_ends_give_the_same_field_and_the_same_gradients(layout, open_levels, spread):
    """At a spread of 2 most points lie outside the cube, and some deep inside the object's continuation."""
    fields = [DistanceField(torch.tensor([0.02, -0.01, 0.3]), 0.1, layout, hidden=24, feature_count=6, seed=3, backend=b) for b in ("numba", "torch")]
    for field in fields:
        field.open_levels = open_levels
        with torch.no_grad():
            field.table.uniform_(-0.3, 0.3, generator=torch.Generator().manual_seed(0))
            field.network.last.bias[0] = -0.4
    points = _inner_points(fields[0], 1001, spread)
    assert bool((fields[0].signed_distance(points) < 0).any())
    reference = _query_and_gradients(fields[1].double(), points, torch.float64)
    for found, expected in zip(_query_and_gradients(fields[0], points), reference, strict=True):
        assert float((found.double() - expected).detach().norm() / expected.detach().norm()) < 3e-5


def test_the_kernels_do_not_depend_on_the_threads():
    field = _rough_field()
    points = _inner_points(field, 3000, spread=1.2)
    threads, results = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            results.append(_query_and_gradients(field, points))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("backend", ["torch", "numba"])
def test_a_point_that_is_not_finite_is_refused(backend):
    field = _rough_field(backend=backend)
    points = _inner_points(field, 5)
    points[3, 1] = torch.nan
    with pytest.raises(InternalError, match="1 of 5"):
        field.query(points)


def test_closed_levels_do_not_count_and_leave_the_gradient_exact():
    field = _rough_field(backend="torch").double()
    field.open_levels = 1.5
    points = _inner_points(field, 100, dtype=torch.float64).requires_grad_()
    sample = field.query(points)
    (expected,) = torch.autograd.grad(sample.signed_distance.sum(), points)
    torch.testing.assert_close(sample.gradient, expected, atol=1e-9, rtol=1e-7)
    torch.testing.assert_close(field.signed_distance(points), sample.signed_distance)
    with torch.no_grad():
        field.table[field.layout.level_shapes[2].offset :] += 1.0
    torch.testing.assert_close(field.query(points).signed_distance, sample.signed_distance)
    field.open_levels = 4.0
    assert float((field.query(points).signed_distance - sample.signed_distance).detach().abs().max()) > 1e-4
