"""Each kernel beside its readable twin, on random material of the size of a step; and the bytes and operations that an encoding needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from hoifield.benchmark.machine_limits import MachineLimits
from hoifield.benchmark.paired_times import PairedTimes, Work, time_pairs
from hoifield.fields.distance_field import DistanceField
from hoifield.fields.encode import encode
from hoifield.fields.hash_grid_layout import HashGridLayout
from hoifield.geometry.trilinear import lookup_distance
from hoifield.renderer.cached_distance import CachedDistance, CachedDistances
from hoifield.renderer.closest_approach import closest_approach
from hoifield.renderer.composite import composite_entities
from hoifield.renderer.place_torch import place_samples, turn_normals
from hoifield.renderer.sample_rays import sample_rays

WIDE_LAYOUT = HashGridLayout(levels=16, table_size=2**19, finest_resolution=2048)
"""The grid that published figures of hash encodings are about; 49 MB, more than the caches of most machines."""
LOCATE_FLOPS = 9
"""Of one point on one level: three multiply-adds, three fractions."""
FORWARD_FLOPS = 36
"""Of one feature: the tree of interpolations and its three slopes."""
BACKWARD_FLOPS = 40
"""Of one feature: the transposed tree, and eight additions to the table."""


@dataclass(frozen=True)
class EncodeCost:
    """What features, Jacobian and table gradient of points need at least: each array moved once, the table's gradient cleared and added to."""

    bytes: int
    flops: int

    def least_seconds(self, limits: MachineLimits) -> float:
        """Under the roof: memory or arithmetic, whichever takes longer."""
        return max(self.bytes / limits.copy_bytes_per_s, self.flops / limits.flops_per_s)


def count_encode(points: int, layout: HashGridLayout) -> EncodeCost:
    """Bytes and operations. Corners are gathered and scattered in the caches: those bytes do not count."""
    table = 4 * layout.entries * layout.features
    rows = 4 * 4 * layout.encoded * points
    positions = 2 * 3 * 4 * points
    flops = points * layout.levels * (2 * LOCATE_FLOPS + layout.features * (FORWARD_FLOPS + BACKWARD_FLOPS))
    return EncodeCost(positions + 2 * rows + 4 * table, flops)


def encode_material(points: int, layout: HashGridLayout, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Random points and table, and gradients to the features (first) and to the three slopes of each point, feature first."""
    return _random(device, points, 3), _random(device, layout.entries, layout.features), _random(device, 4, layout.encoded, points)


def encode_work(points: int, layout: HashGridLayout, device: torch.device) -> Work:
    """Features, Jacobian and table gradient of `encode_material`."""
    positions, table, incoming = encode_material(points, layout, device)
    table.requires_grad_()

    def work() -> None:
        encoding = encode(positions, table, layout)
        torch.autograd.grad((encoding.features, encoding.jacobian), table, (incoming[0].t(), incoming[1:].permute(2, 1, 0)))

    return work


def time_kernels(field: DistanceField, pairs: int, rays: int = 1024) -> dict[str, PairedTimes]:
    """Times by kernel and twin of a step's worth of work, forward and backward where there is a backward."""
    kernels: dict[str, Callable[[], Any]] = {
        "distance field": _field_work(field, 10 * rays),
        "march": _march_work(field, rays),
        "grid lookup": _lookup_work(field, 24 * rays),
        "closest approach": _approach_work(field, rays),
        "placing and turning": _placing_work(field.table.device, rays, 10),
        "compositing": _compositing_work(field.table.device, rays, 24),
    }
    return {name: time_pairs(work, work, pairs) for name, work in kernels.items()}


def _random(device: torch.device, *shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)).to(device)


def _points_in(field: DistanceField, count: int) -> torch.Tensor:
    return field.lower + _random(field.table.device, count, 3) * (field.upper - field.lower)


def _grid_of(field: DistanceField) -> CachedDistance:
    values, lower, spacing = field.as_grid(64)
    return CachedDistance(values.contiguous(), lower, spacing)


def _rays_at(field: DistanceField, rays: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Origins around a field, and unit directions through points in it."""
    directions = torch.nn.functional.normalize(_random(field.table.device, rays, 3) - 0.5, dim=-1)
    return _points_in(field, rays) - directions * 3 * field.bounds_half_size, directions


def _field_work(field: DistanceField, count: int) -> Work:
    points = _points_in(field, count)

    def work() -> None:
        given = points.clone().requires_grad_()
        sample = field.query(given)
        total = sample.signed_distance.sum() + sample.gradient.square().sum() + sample.feature.sum()
        torch.autograd.grad(total, [given, *field.parameters()])

    return work


def _march_work(field: DistanceField, rays: int) -> Work:
    grid, (origins, directions) = CachedDistances.of_one(_grid_of(field)), _rays_at(field, rays)
    row = torch.zeros(rays, dtype=torch.int64, device=origins.device)
    return lambda: sample_rays(origins, directions, grid, row, 0.002, 16, torch.Generator().manual_seed(0))


def _lookup_work(field: DistanceField, count: int) -> Work:
    grid, points = CachedDistances.of_one(_grid_of(field)), _points_in(field, count)
    row = torch.zeros(count, dtype=torch.int64, device=points.device)
    return lambda: lookup_distance(grid.values, row, points, grid.lower, grid.spacing)


def _approach_work(field: DistanceField, rays: int) -> Work:
    grid, (origins, directions) = _grid_of(field), _rays_at(field, rays)
    return lambda: closest_approach(grid, origins, directions, 24)


def _placing_work(device: torch.device, rays: int, near: int) -> Work:
    ray = torch.arange(rays, device=device).repeat_interleave(near)
    T, directions = torch.eye(4, device=device).repeat(rays, 1, 1), torch.nn.functional.normalize(_random(device, rays, 3) - 0.5, dim=-1)
    slopes, along = _random(device, rays * near, 3), torch.ones(rays * near, device=device)

    def work() -> None:
        moved, gradient = T.clone().requires_grad_(), slopes.clone().requires_grad_()
        total = place_samples(moved, directions, along, ray).square().sum() + turn_normals(gradient, moved, ray)[:, 0].sum()
        torch.autograd.grad(total, [moved, gradient])

    return work


def _compositing_work(device: torch.device, rays: int, samples: int) -> Work:
    slot = torch.arange(rays * samples * 2, device=device).reshape(rays, samples, 2)
    distance, colour = (_random(device, slot.numel()) - 0.5) * 0.01, _random(device, slot.numel(), 3)
    behind, intervals = _random(device, rays, 3), _random(device, rays, samples) * 0.004

    def work() -> None:
        given, painted = distance.clone().requires_grad_(), colour.clone().requires_grad_()
        found = composite_entities(given, painted, slot, behind, intervals, 0.002)
        total = found.colour.sum() + found.alone_colour.square().sum() + found.alone_opacity.sum() + found.entity_weight[:, 0].sum()
        torch.autograd.grad(total, [given, painted])

    return work
