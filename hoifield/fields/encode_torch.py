"""The hash-grid encoding in plain PyTorch: the readable reference, on any device and in any precision."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hoifield.fields.hash_grid_layout import HASH_PRIME_Y, HASH_PRIME_Z, HashGridLayout, LevelShape


def encode_torch(
    points: Float[Tensor, "point 3"], table: Float[Tensor, "entry feature"], layout: HashGridLayout
) -> tuple[Float[Tensor, "encoded point"], Float[Tensor, "3 encoded point"]]:
    """Features and their derivatives to the three coordinates, feature first; autograd gives every gradient.

    `points` lie in [0, 1]. The derivative is written out (not taken by autograd), so first-order autograd of it is enough.
    """
    values, slopes = [], []
    for shape in layout.level_shapes:
        position = points * shape.scale + 0.5
        cell = position.detach().floor()
        value, slope = _interpolate(table[_corner_rows(cell.long(), shape)], position - cell)
        values.append(value)
        slopes.append(slope * shape.scale)
    return torch.cat(values, dim=0), torch.cat(slopes, dim=1)


def _corner_rows(cell: Int[Tensor, "point 3"], shape: LevelShape) -> Int[Tensor, "point 8"]:
    """Table rows of the 8 corners of each cell, in the order 4x + 2y + z."""
    corner = torch.arange(8, device=cell.device)
    step = torch.stack([corner >> 2, corner >> 1 & 1, corner & 1], dim=-1)
    x, y, z = (cell[:, None, :] + step).unbind(-1)
    if shape.dense:
        row = x + y * shape.side + z * shape.side**2
    else:
        row = (x ^ y * HASH_PRIME_Y ^ z * HASH_PRIME_Z) & (shape.size - 1)
    return row + shape.offset


def _interpolate(
    corners: Float[Tensor, "point 8 feature"], fraction: Float[Tensor, "point 3"]
) -> tuple[Float[Tensor, "feature point"], Float[Tensor, "3 feature point"]]:
    """Trilinear value, and its derivative per cell, as a tree of linear interpolations (x, then y, then z)."""
    x, y, z = fraction.t().unbind(0)
    a = corners.permute(1, 2, 0)
    d = a[4:] - a[:4]
    b = a[:4] + x * d
    e, p = b[2:] - b[:2], d[2:] - d[:2]
    c, g = b[:2] + y * e, d[:2] + y * p
    value = c[0] + z * (c[1] - c[0])
    return value, torch.stack([g[0] + z * (g[1] - g[0]), e[0] + z * (e[1] - e[0]), c[1] - c[0]])
