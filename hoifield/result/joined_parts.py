"""An object that the fit left in pieces made one again: where a fist hides its middle no pixel asks for any, but the first hull had one there."""

import numpy as np
import torch
from jaxtyping import Float
from scipy import ndimage

from hoifield.scene.hull_bound import HullBound

OF_THE_OBJECT = 0.15
"""A part with this share of the largest one's volume belongs to the object; the rest are crumbs."""
CORES = 16
"""Depths of the hull that are tried, the thinnest core first."""


def join_parts(
    signed_distance: Float[np.ndarray, "x y z"], lower: Float[torch.Tensor, "3"], spacing: float, bound: HullBound
) -> Float[np.ndarray, "x y z"]:
    """The distances at lower + spacing * (i, j, k), negative inside, with their large parts joined by the thinnest core of the hull that
    reaches from one to the other. Nothing changes where there is one large part, or no core joins them.
    """
    parts, count = ndimage.label(signed_distance < 0)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    large = 1 + np.flatnonzero(sizes >= OF_THE_OBJECT * sizes.max(initial=0))
    if len(large) < 2:
        return signed_distance
    nodes = torch.from_numpy(np.indices(signed_distance.shape, np.float32).reshape(3, -1).T) * spacing + lower
    hull = bound.at(nodes).numpy().reshape(signed_distance.shape)
    for depth in np.linspace(-float(hull.min()), 0.0, CORES + 1)[1:]:
        core = hull + depth
        together, _ = ndimage.label((core < 0) | np.isin(parts, large))
        if len({int(together[parts == part][0]) for part in large}) == 1:
            return np.minimum(signed_distance, np.where(_between(core < 0, parts, large), core, np.inf)).astype(signed_distance.dtype)
    return signed_distance


def _between(core: np.ndarray, parts: np.ndarray, large: np.ndarray) -> np.ndarray:
    """Nodes of those pieces of the core outside of the parts that touch more than one of them, and a little around."""
    pieces, count = ndimage.label(core & ~np.isin(parts, large))
    bridges = np.zeros(parts.shape, bool)
    for piece in range(1, count + 1):
        grown = ndimage.binary_dilation(pieces == piece, iterations=2)
        if len(np.intersect1d(parts[grown], large)) > 1:
            bridges |= grown
    return bridges
