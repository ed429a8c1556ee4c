"""Where rays first enter a surface that is kept on a grid."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hoifield.renderer.cached_distance import CachedDistance
from hoifield.renderer.ray_bounds import intersect_box


@torch.no_grad()
def first_surface(
    cached: CachedDistance, origins: Float[Tensor, "ray 3"], directions: Float[Tensor, "ray 3"], count: int
) -> tuple[Float[Tensor, "ray"], Bool[Tensor, "ray"]]:
    """Ray distance (m) at which unit rays, in the grid's frame, first go from outside to inside between two of `count` places, and whether they do."""
    near, far = intersect_box(origins, directions, cached.lower, cached.upper)
    along = near[:, None] + (far - near)[:, None] * torch.linspace(0.0, 1.0, count).to(near)
    points = origins[:, None] + directions[:, None] * along[..., None]
    distance = cached.lookup(points.reshape(-1, 3)).reshape(along.shape)
    enters = (distance[:, :-1] > 0) & (distance[:, 1:] <= 0) & (far > near)[:, None]
    first = enters.to(torch.int8).argmax(1, keepdim=True)
    before, after = distance.gather(1, first)[:, 0], distance.gather(1, first + 1)[:, 0]
    share = before / (before - after).clamp(min=1e-9)
    start = along.gather(1, first)[:, 0]
    return start + share * (along.gather(1, first + 1)[:, 0] - start), enters.any(1)
