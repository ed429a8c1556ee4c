"""Where rays come nearest to a surface: the smallest of a few cached distances along each."""

import torch
from jaxtyping import Float
from torch import Tensor

from hoifield.fields.encode import require_finite
from hoifield.fields.encode_numba import match_threads
from hoifield.geometry.plain_reference import kernels_serve
from hoifield.geometry.trilinear import lookup_grid
from hoifield.renderer.cached_distance import CachedDistance
from hoifield.renderer.march_numba import MOST_BINS, closest_numba
from hoifield.renderer.ray_bounds import intersect_box


@torch.no_grad()
def closest_approach(cached: CachedDistance, origins: Float[Tensor, "ray 3"], directions: Float[Tensor, "ray 3"], count: int) -> Float[Tensor, "ray"]:
    """Ray distance (m) of the smallest signed distance among `count` points from where a unit ray enters the grid to where it leaves.

    Rays are in the grid's frame; one that misses the grid gets the distance at which it passes. On the CPU by a numba kernel.
    Raises InternalError (HF-FLD-004) for rays that are not finite.
    """
    require_finite(torch.cat([origins, directions]))
    near, far = intersect_box(origins, directions, cached.lower, cached.upper)
    if not kernels_serve(origins) or origins.dtype != torch.float32 or count > MOST_BINS:
        return closest_approach_torch(cached, origins, directions, count)
    out = torch.empty(len(origins))
    match_threads()
    closest_numba(
        origins.contiguous().numpy(), directions.contiguous().numpy(), near.numpy(), far.numpy(), cached.values.contiguous().numpy(),
        cached.lower.numpy(), cached.spacing, count, out.numpy(),
    )  # fmt: skip
    return out


@torch.no_grad()
def closest_approach_torch(cached: CachedDistance, origins: Float[Tensor, "ray 3"], directions: Float[Tensor, "ray 3"], count: int) -> Float[Tensor, "ray"]:
    """What `closest_approach` gives, in plain PyTorch on any device: the readable reference."""
    near, far = intersect_box(origins, directions, cached.lower, cached.upper)
    along = near[:, None] + (far - near)[:, None] * torch.linspace(0.0, 1.0, count).to(near)
    points = origins[:, None] + directions[:, None] * along[..., None]
    best = lookup_grid(cached.values, cached.lower, cached.spacing, points.reshape(-1, 3)).reshape(-1, count).argmin(1)
    return along.gather(1, best[:, None])[:, 0]
