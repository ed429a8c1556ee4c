"""The march of rays through a cached distance grid in plain PyTorch: the readable reference, on any device."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hoifield.fields.density import density_from_distance
from hoifield.geometry.trilinear import lookup_distance
from hoifield.renderer.cached_distance import CachedDistances
from hoifield.renderer.march_settings import BAND_WIDTHS, COARSE_BINS, FINE_BINS, SHARE_NEAR, SHARE_UNIFORM


def march_torch(
    origins: Float[Tensor, "ray 3"],
    directions: Float[Tensor, "ray 3"],
    near: Float[Tensor, "ray"],
    far: Float[Tensor, "ray"],
    cached: CachedDistances,
    row: Int[Tensor, "ray"],
    width: float,
    uniform: Float[Tensor, "ray count"],
) -> Float[Tensor, "ray count"]:
    """Ascending ray distances by inverse distribution, ray r in grid row[r]; rays with near >= far get `near` throughout."""
    band = cached.spacing[row, None].clamp(min=BAND_WIDTHS * width)
    start, stop = _occupied_stretch(origins, directions, near, far, cached, row, band)
    step = ((stop - start) / FINE_BINS)[:, None]
    distance = _distances(origins, directions, start, step, FINE_BINS, cached, row)
    broad = (0.5 * step).clamp(min=width)
    optical = density_from_distance(distance / broad, 1.0) * step / broad
    rendered = torch.exp(optical - optical.cumsum(dim=-1)) * -torch.expm1(-optical)
    close = torch.exp(-distance.abs() / broad)
    open_bins = (distance < band + 0.5 * step).to(distance)
    share = 1e-3 / FINE_BINS + (1 - SHARE_NEAR - SHARE_UNIFORM) * _normalised(rendered)
    share = share + SHARE_NEAR * _normalised(close) + SHARE_UNIFORM * _normalised(open_bins)
    after = share.cumsum(dim=-1)
    count = uniform.shape[1]
    wanted = (torch.arange(count, device=uniform.device) + uniform) / count * after[:, -1:]
    index = torch.searchsorted(after, wanted).clamp(max=FINE_BINS - 1)
    chosen = share.gather(1, index)
    within = ((wanted - after.gather(1, index) + chosen) / chosen).clamp(0, 1)
    samples = start[:, None] + (index + within) * step
    return torch.where((far > near)[:, None], samples, near[:, None])


def _occupied_stretch(
    origins: Float[Tensor, "ray 3"],
    directions: Float[Tensor, "ray 3"],
    near: Float[Tensor, "ray"],
    far: Float[Tensor, "ray"],
    cached: CachedDistances,
    row: Int[Tensor, "ray"],
    band: Float[Tensor, "ray 1"],
) -> tuple[Float[Tensor, "ray"], Float[Tensor, "ray"]]:
    """Ends of the part of each ray that comes within `band` of the surface, or else of the bins around its closest approach."""
    step = ((far - near) / COARSE_BINS)[:, None]
    distance = _distances(origins, directions, near, step, COARSE_BINS, cached, row)
    occupied = (distance < band + 0.5 * step).to(torch.int8)
    closest = distance.argmin(dim=-1)
    any_bin = occupied.amax(dim=-1) > 0
    first = torch.where(any_bin, occupied.argmax(dim=-1), (closest - 1).clamp(min=0))
    last = torch.where(any_bin, COARSE_BINS - 1 - occupied.flip(-1).argmax(dim=-1), (closest + 1).clamp(max=COARSE_BINS - 1))
    return near + first * step[:, 0], near + (last + 1) * step[:, 0]


def _distances(
    origins: Float[Tensor, "ray 3"],
    directions: Float[Tensor, "ray 3"],
    start: Float[Tensor, "ray"],
    step: Float[Tensor, "ray 1"],
    bins: int,
    cached: CachedDistances,
    row: Int[Tensor, "ray"],
) -> Float[Tensor, "ray bin"]:
    """Cached distances at the middle of the bins of each ray."""
    t = start[:, None] + (torch.arange(bins, device=start.device) + 0.5) * step
    points = origins[:, None] + t[..., None] * directions[:, None]
    rows = row[:, None].expand(-1, bins).reshape(-1)
    return lookup_distance(cached.values, rows, points.reshape(-1, 3), cached.lower, cached.spacing)[0].reshape(-1, bins)


def _normalised(share: Float[Tensor, "ray bin"]) -> Float[Tensor, "ray bin"]:
    """Rows that sum to 1; rows of nothing stay 0."""
    total = share.sum(dim=-1, keepdim=True)
    return torch.where(total > 1e-6, share / total.clamp(min=1e-6), torch.zeros_like(share))
