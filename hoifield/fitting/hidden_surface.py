"""The object's surface that no frame shows: no pixel says how it bends, so it bends as little as it can."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from hoifield.fields.distance_field import DistanceField
from hoifield.fitting.frame_pixels import FramePixels
from hoifield.fitting.held_surface import surface_of_grid
from hoifield.fitting.seen_surface import find_seen
from hoifield.losses.surface import smooth_surface_loss
from hoifield.renderer.cached_distance import CachedDistance
from hoifield.scene.hull_bound import HullBound
from hoifield.scene.scene import Scene

PLACES = 256
"""Looked at in one step."""
LIKE_WITHIN = 0.01
"""Metres."""
BESIDE = 0.004
"""Metres between two places whose normals should agree."""


def find_hidden(scene: Scene, pixels: FramePixels, lookup: CachedDistance, seed: int) -> Float[Tensor, "point 3"]:
    """Points of the surface, object frame, that hardly a fitted frame shows: uniform by area, none where there is no surface."""
    if not bool((lookup.values < 0).any()):
        return torch.zeros(0, 3, device=scene.device)
    surface = surface_of_grid(lookup, seed)
    return surface.points[~find_seen(scene, pixels, lookup, surface.points, surface.normals)]


def bend_loss(field: DistanceField, hidden: Float[Tensor, "point 3"], generator: torch.Generator) -> Float[Tensor, ""]:
    """How much the surface bends at some of the points, which lie near it: `smooth_surface_loss` at their feet and a little beside these."""
    if len(hidden) == 0:
        return field.table.sum() * 0.0
    start = hidden[torch.randint(len(hidden), (PLACES,), generator=generator).to(hidden.device)]
    with torch.no_grad():
        near = field.query(start)
        normal = functional.normalize(near.gradient, dim=-1)
        foot = start - near.signed_distance[:, None] * normal
        aside = torch.linalg.cross(normal, torch.randn(start.shape, generator=generator).to(start))
        places = torch.cat([foot, foot + BESIDE * functional.normalize(aside, dim=-1)])
    return smooth_surface_loss(*field.query(places).gradient.chunk(2))


def like_hull_loss(field: DistanceField, hull: HullBound, hidden: Float[Tensor, "point 3"], generator: torch.Generator) -> Float[Tensor, ""]:
    """How far the surface is from the hull's at some of the points, in LIKE_WITHIN; what is farther off than that, such as the inside of a
    cup whose hull is closed, is let be."""
    if len(hidden) == 0:
        return field.table.sum() * 0.0
    places = hidden[torch.randint(len(hidden), (PLACES,), generator=generator).to(hidden.device)]
    off = (field.query(places).signed_distance - hull.at(places)).abs()
    return (off / LIKE_WITHIN).clamp(max=1.0).mean()
