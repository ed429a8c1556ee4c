"""Where the first hull has matter and no frame could see whether that is so: there the hull is the best guess, and is held."""

import torch
from jaxtyping import Bool
from torch import Tensor

from hoifield.fitting.frame_pixels import FramePixels
from hoifield.fitting.seen_surface import looks_at, unhidden
from hoifield.renderer.cached_distance import CachedDistance
from hoifield.scene.hull_bound import HullBound
from hoifield.scene.scene import Scene

DEEP = 0.005
"""Metres inside of the hull from which matter is held: its skin is the silhouettes' to settle."""


@torch.no_grad()
def find_hidden(scene: Scene, hull: HullBound, pixels: FramePixels, lookup: CachedDistance) -> Bool[Tensor, "nx ny nz"]:
    """Vertices of the hull's grid deep inside of it that no frame showed to be empty: behind the present surface, or not on pixels of the object."""
    hidden = hull.values < -DEEP
    at = hidden.nonzero()
    points = at.to(hull.lower) * hull.spacing + hull.lower
    shown = torch.zeros(len(points), dtype=torch.bool, device=points.device)
    for sight, on_object in looks_at(scene, pixels, points):
        asked = (on_object & ~shown).nonzero()[:, 0]
        shown[asked] = unhidden(lookup, points[asked], sight[asked])
    hidden[tuple(at[shown].t())] = False
    return hidden
