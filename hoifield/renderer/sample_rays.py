"""Where to look on a ray: samples concentrated at the surface of one entity, and the union of several entities' samples."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hoifield.fields.encode_numba import match_threads
from hoifield.geometry.plain_reference import kernels_serve
from hoifield.renderer.cached_distance import CachedDistances
from hoifield.renderer.march_numba import march_numba
from hoifield.renderer.march_torch import march_torch
from hoifield.renderer.ray_bounds import intersect_box


@torch.no_grad()
def sample_rays(
    origins_entity: Float[Tensor, "ray 3"],
    directions_entity: Float[Tensor, "ray 3"],
    cached: CachedDistances,
    row: Int[Tensor, "ray"],
    width: float,
    count: int,
    generator: torch.Generator,
) -> Float[Tensor, "ray count"]:
    """Ascending ray distances (m) of `count` stratified samples per ray, drawn by inverse distribution on cached distance grids.

    Rays (unit directions) are in the entity's frame, ray r in grid row[r]; the distances hold in every frame, for poses are rigid. Within
    the grid's box a ray is first searched for the stretch that comes near the surface; there, samples follow the rendering weight
    (VolSDF density of `width` metres), closeness to the surface, and a uniform share. A ray that comes near nothing gets samples around
    its closest approach; one that misses the box has all at one place, which `merge_samples` gives no length.
    """
    near, far = intersect_box(origins_entity, directions_entity, cached.lower[row], cached.upper[row])
    near = torch.nan_to_num(near, nan=0.0, posinf=0.0, neginf=0.0)
    far = torch.where(far.isfinite(), far, near)
    uniform = torch.rand(len(near), count, generator=generator)
    if not kernels_serve(origins_entity):
        return march_torch(origins_entity, directions_entity, near, far, cached, row, width, uniform.to(near))
    out = torch.empty(len(near), count)
    match_threads()
    march_numba(
        _array(origins_entity), _array(directions_entity), _array(near), _array(far), _array(cached.values), row.numpy(),
        _array(cached.lower), _array(cached.spacing), width, uniform.numpy(), out.numpy(),
    )  # fmt: skip
    return out


def merge_samples(
    sets: list[Float[Tensor, "ray _"]],
) -> tuple[Float[Tensor, "ray sample"], Float[Tensor, "ray sample"]]:
    """All samples of all entities sorted by distance, and the length (m) of ray that each stands for.

    A sample stands for half of the gap to each neighbour. A gap that no entity's set spans (empty space between two entities)
    belongs to nobody: the samples at its ends reach into it as far as they reach to their other side.
    """
    distances = torch.cat(sets, dim=-1).sort(dim=-1).values
    half = distances.diff(dim=-1) / 2
    middle = distances[:, :-1] + half
    spanned = torch.zeros_like(middle, dtype=torch.bool)
    for samples in sets:
        spanned |= (middle >= samples[:, :1]) & (middle <= samples[:, -1:])
    covered = torch.where(spanned, half, torch.zeros_like(half))
    nothing = torch.zeros_like(distances[:, :1])
    unbounded = torch.full_like(nothing, torch.inf)
    before, after = torch.cat([nothing, covered], dim=-1), torch.cat([covered, nothing], dim=-1)
    room_before = torch.cat([unbounded, torch.where(spanned, 0.0, half)], dim=-1)
    room_after = torch.cat([torch.where(spanned, 0.0, half), unbounded], dim=-1)
    return distances, before + after + torch.minimum(room_before, after) + torch.minimum(room_after, before)


def _array(values: Tensor) -> np.ndarray:
    return values.detach().to(torch.float32).contiguous().numpy()
