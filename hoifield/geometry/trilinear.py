"""Trilinear lookups in stacks of regular grids, with analytic gradients: how cached distances are read everywhere."""

import numpy as np
import torch
from jaxtyping import Float, Int
from numba import njit, prange
from torch import Tensor

from hoifield.geometry.plain_reference import kernels_serve


@njit(parallel=True, cache=True, error_model="numpy")
def _lookup(volumes, row, position, lower, spacing, values, gradients):  # type: ignore[no-untyped-def]
    for i in prange(len(row)):
        f = row[i]
        nx, ny, nz = volumes.shape[1], volumes.shape[2], volumes.shape[3]
        sizes = (nx, ny, nz)
        cell = np.empty(3, np.int64)
        part = np.empty(3, np.float32)
        outside = np.empty(3, np.float32)
        for k in range(3):
            x = (position[i, k] - lower[f, k]) / spacing[f]
            clamped = min(max(x, np.float32(0.0)), np.float32(sizes[k] - 1))
            outside[k] = (x - clamped) * spacing[f]
            c = int(min(np.floor(clamped), np.float32(sizes[k] - 2)))
            cell[k] = c
            part[k] = clamped - np.float32(c)
        X, Y, Z = part[0], part[1], part[2]
        a, b, c = cell[0], cell[1], cell[2]
        v000, v001 = volumes[f, a, b, c], volumes[f, a, b, c + 1]
        v010, v011 = volumes[f, a, b + 1, c], volumes[f, a, b + 1, c + 1]
        v100, v101 = volumes[f, a + 1, b, c], volumes[f, a + 1, b, c + 1]
        v110, v111 = volumes[f, a + 1, b + 1, c], volumes[f, a + 1, b + 1, c + 1]
        d00, d01, d10, d11 = v100 - v000, v101 - v001, v110 - v010, v111 - v011
        b00, b01, b10, b11 = v000 + X * d00, v001 + X * d01, v010 + X * d10, v011 + X * d11
        e0, e1 = b10 - b00, b11 - b01
        c0, c1 = b00 + Y * e0, b01 + Y * e1
        g0, g1 = d00 + Y * (d10 - d00), d01 + Y * (d11 - d01)
        gradient = (g0 + Z * (g1 - g0), e0 + Z * (e1 - e0), c1 - c0)
        distance = np.sqrt(outside[0] ** 2 + outside[1] ** 2 + outside[2] ** 2)
        values[i] = c0 + Z * (c1 - c0) + distance
        for k in range(3):
            if outside[k] != 0.0:
                gradients[i, k] = outside[k] / distance
            else:
                gradients[i, k] = gradient[k] / spacing[f]


def lookup_distance(
    volumes: Float[Tensor, "volume nx ny nz"],
    row: Int[Tensor, "point"],
    points: Float[Tensor, "point 3"],
    lower: Float[Tensor, "volume 3"],
    spacing: Float[Tensor, "volume"],
) -> tuple[Float[Tensor, "point"], Float[Tensor, "point 3"]]:
    """Signed distances at points, one volume per point, and their gradients; metres.

    Vertex (0, 0, 0) of volume v lies at `lower[v]`. Outside a volume the distance to its box is added: a surface inside the box is then
    at least 1 / sqrt(2) of the value away, and at most the value. The value carries first-order gradients to `points` (not to the
    volumes). On the CPU by a numba kernel, elsewhere by `lookup_distance_torch`.
    """
    if kernels_serve(points):
        value, gradient = _lookup_numba(volumes, row, points.detach(), lower, spacing)
    else:
        value, gradient = lookup_distance_torch(volumes, row, points.detach(), lower, spacing)
    if points.requires_grad:
        value = value + (gradient * (points - points.detach())).sum(-1)
    return value, gradient


def lookup_grid(
    values: Float[Tensor, "nx ny nz"], lower: Float[Tensor, "3"], spacing: float, points: Float[Tensor, "point 3"]
) -> Float[Tensor, "point"]:
    """Signed distances (m) of `lookup_distance` for a single grid; vertex (i, j, k) lies at lower + spacing * (i, j, k)."""
    row = torch.zeros(len(points), dtype=torch.int64, device=points.device)
    return lookup_distance(values[None], row, points, lower[None], torch.tensor([spacing], device=points.device))[0]


def _lookup_numba(volumes: Tensor, row: Tensor, points: Tensor, lower: Tensor, spacing: Tensor) -> tuple[Tensor, Tensor]:
    flat = np.ascontiguousarray(points.numpy(), dtype=np.float32)
    if not np.isfinite(flat).all():
        raise ValueError(f"{np.count_nonzero(~np.isfinite(flat))} non-finite coordinates given to a grid lookup")
    values = np.empty(len(flat), np.float32)
    gradients = np.empty((len(flat), 3), np.float32)
    _lookup(volumes.numpy(), row.numpy(), flat, lower.numpy(), spacing.numpy(), values, gradients)
    return torch.from_numpy(values), torch.from_numpy(gradients)


def lookup_distance_torch(
    volumes: Float[Tensor, "volume nx ny nz"],
    row: Int[Tensor, "point"],
    points: Float[Tensor, "point 3"],
    lower: Float[Tensor, "volume 3"],
    spacing: Float[Tensor, "volume"],
) -> tuple[Float[Tensor, "point"], Float[Tensor, "point 3"]]:
    """What `lookup_distance` gives, in plain PyTorch on any device: the readable reference."""
    size = torch.tensor(volumes.shape[1:], device=points.device)
    step = spacing[row, None]
    position = (points - lower[row]) / step
    clamped = torch.minimum(position.clamp(min=0), (size - 1).to(points))
    outside = (position - clamped) * step
    beyond = outside.norm(dim=-1, keepdim=True)
    cell = torch.minimum(clamped.long(), size - 2)
    part = (clamped - cell)[:, None]
    corner = torch.cartesian_prod(*[torch.arange(2, device=points.device)] * 3)
    at = cell[:, None] + corner
    value = volumes[row[:, None], at[..., 0], at[..., 1], at[..., 2]]
    x, y, z = torch.where(corner == 1, part, 1 - part).unbind(-1)
    sign = 2.0 * corner - 1.0
    slope = torch.stack([y * z, x * z, x * y], dim=-1) * sign * value[..., None]
    inner = slope.sum(1) / step
    return (x * y * z * value).sum(1) + beyond[:, 0], torch.where(outside == 0, inner, outside / beyond.clamp(min=1e-12))
