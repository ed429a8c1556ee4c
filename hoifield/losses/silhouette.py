"""Silhouettes of a held distance grid against labelled pixels, by the closest approach of each pixel's ray."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hoifield.geometry.cameras import pixel_directions
from hoifield.geometry.trilinear import lookup_grid
from hoifield.renderer.cached_distance import CachedDistance
from hoifield.renderer.closest_approach import closest_approach

ALONG_RAY = 48
RIM = 0.5
"""Pixels over which a pixel counts as half covered: both sides of a true outline then pull alike, and a whole outline is placed to a fraction of one."""


def silhouette_loss(
    grid: CachedDistance,
    T_object_camera: Float[Tensor, "frame 4 4"],
    pixels: Float[Tensor, "frame pixel 2"],
    inside: Bool[Tensor, "frame pixel"],
    K: Float[Tensor, "3 3"],
    depth: Float[Tensor, "frame"],
) -> Float[Tensor, ""]:
    """Robust distance, in pixels, by which rays of object pixels miss the object, and rays of background pixels enter it.

    The closest approach of a ray is a signed distance to the silhouette; its gradient is the field's at the closest point
    (envelope theorem), which the lookup carries. Softplus over RIM pixels, then Geman-McClure with a scale of 3 pixels.
    """
    frames, count = pixels.shape[:2]
    directions = pixel_directions(pixels, K)
    rotation = T_object_camera[:, :3, :3]
    origins = T_object_camera[:, None, :3, 3].expand(frames, count, 3)
    local = directions @ rotation.transpose(1, 2)
    closest_along = closest_approach(grid, origins.detach().reshape(-1, 3), local.detach().reshape(-1, 3), ALONG_RAY).reshape(frames, count)
    closest = origins + local * closest_along[..., None]
    signed = lookup_grid(grid.values, grid.lower, grid.spacing, closest.reshape(-1, 3))
    in_pixels = signed.reshape(frames, count) * (K[0, 0] / depth)[:, None]
    error = RIM * torch.nn.functional.softplus(torch.where(inside, in_pixels, -in_pixels) / RIM) / 3.0
    squared = error**2
    return (squared / (1.0 + squared)).mean()
