"""Hand and object touch where they should, and do not pass through each other."""

import torch
from jaxtyping import Float
from torch import Tensor

NEAREST = 0.05
"""Share of a zone's vertices that stand for it, at least one."""


def attraction_loss(distance: list[Float[Tensor, "frame vertex"]], reach: float, scale: float) -> Float[Tensor, ""]:
    """Each zone's nearest vertices, where they are within `reach` metres of the object, are drawn to its surface; farther zones are let go.

    Geman-McClure in the gap beyond the surface, so that a finger that does not touch is not dragged along. Of a zone only the NEAREST share
    counts: a pad that touches has done so, however far from the surface its rim curves away (HOLD draws all of every zone, and with it the object).
    """
    losses = []
    for zone in distance:
        nearest = zone.topk(max(1, round(NEAREST * zone.shape[1])), dim=1, largest=False).values
        squared = (torch.relu(nearest) / scale) ** 2
        losses.append((squared / (1.0 + squared) * (nearest < reach)).mean())
    return torch.stack(losses).mean()


def penetration_loss(distance: Float[Tensor, "frame vertex"], tolerance: float, scale: float) -> Float[Tensor, ""]:
    """Mean squared depth of hand vertices in the object beyond `tolerance` metres (soft skin), in units of `scale`."""
    return ((torch.relu(-distance - tolerance) / scale) ** 2).mean()
