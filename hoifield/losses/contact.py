"""Hand and object touch where they should, and do not pass through each other."""

import torch
from jaxtyping import Float
from torch import Tensor


def attraction_loss(distance: Float[Tensor, "frame vertex"], reach: float, scale: float) -> Float[Tensor, ""]:
    """Contact-zone vertices within `reach` metres of the object are drawn to its surface; farther ones are let go.

    Geman-McClure in the gap beyond the surface, so that a finger that does not touch is not dragged along (HOLD draws all zones).
    """
    gap = torch.relu(distance)
    inside_reach = (gap < reach).float()
    squared = (gap / scale) ** 2
    return (squared / (1.0 + squared) * inside_reach).mean()


def penetration_loss(distance: Float[Tensor, "frame vertex"], tolerance: float, scale: float) -> Float[Tensor, ""]:
    """Mean squared depth of hand vertices in the object beyond `tolerance` metres (soft skin), in units of `scale`."""
    return ((torch.relu(-distance - tolerance) / scale) ** 2).mean()
