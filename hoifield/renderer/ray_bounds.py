"""Where rays enter and leave the bounds of an entity."""

import torch
from jaxtyping import Float
from torch import Tensor


def intersect_box(
    origins: Float[Tensor, "ray 3"], directions: Float[Tensor, "ray 3"], lower: Float[Tensor, "3"], upper: Float[Tensor, "3"]
) -> tuple[Float[Tensor, "ray"], Float[Tensor, "ray"]]:
    """Ray distances (m) at which unit rays enter and leave a box; near = far where they miss it or it lies behind (slab test).

    Give rays in the frame of the box, so that an oriented box is an axis-aligned one.
    """
    tiny = torch.where(directions < 0, -1e-9, 1e-9).to(directions)
    inverse = 1 / torch.where(directions.abs() < 1e-9, tiny, directions)
    first, second = (lower - origins) * inverse, (upper - origins) * inverse
    near = torch.minimum(first, second).amax(dim=-1).clamp(min=0)
    far = torch.maximum(first, second).amin(dim=-1)
    return _close_misses(near, far)


def _close_misses(near: Float[Tensor, "ray"], far: Float[Tensor, "ray"]) -> tuple[Float[Tensor, "ray"], Float[Tensor, "ray"]]:
    """Bounds with near = far, both finite, where no stretch of the ray lies between them."""
    hit = far > near
    middle = ((near + far) / 2).clamp(min=0)
    return torch.where(hit, near, middle), torch.where(hit, far, middle)
