"""Values of a regular grid between its vertices."""

import torch
from jaxtyping import Float
from torch import Tensor


def lookup_trilinear(
    values: Float[Tensor, "nx ny nz"], lower: Float[Tensor, "3"], spacing: float, points: Float[Tensor, "point 3"]
) -> Float[Tensor, "point"]:
    """Trilinear values at `points`; vertex (i, j, k) of the grid lies at lower + spacing * (i, j, k). Points outside are clamped."""
    shape = torch.tensor(values.shape, device=points.device)
    position = torch.minimum(((points - lower) / spacing).clamp(min=0), (shape - 1).to(points.dtype))
    cell = torch.minimum(position.detach().long(), shape - 2)
    x, y, z = (position - cell).unbind(-1)
    stride_x, stride_y = values.shape[1] * values.shape[2], values.shape[2]
    first = cell[:, 0] * stride_x + cell[:, 1] * stride_y + cell[:, 2]
    flat = values.reshape(-1)
    along_x = []
    for offset in (0, 1, stride_y, stride_y + 1):
        a, b = flat[first + offset], flat[first + offset + stride_x]
        along_x.append(a + x * (b - a))
    low, high = along_x[0] + y * (along_x[2] - along_x[0]), along_x[1] + y * (along_x[3] - along_x[1])
    return low + z * (high - low)


def distance_beyond(lower: Float[Tensor, "3"], upper: Float[Tensor, "3"], points: Float[Tensor, "point 3"]) -> Float[Tensor, "point"]:
    """Distance of points to an axis-aligned box; 0 inside."""
    return (points - points.clamp(min=lower, max=upper)).norm(dim=-1)
