"""Measured depth against shapes and poses: where a sensor saw the surface, and what it looked through."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def measured_surface_loss(signed_distance: Float[Tensor, "point"], scale: float) -> Float[Tensor, ""]:
    """Mean Charbonnier distance, in units of `scale` metres, of measured points from the surface (ANIM's depth supervision, made robust)."""
    return (torch.sqrt(1.0 + (signed_distance / scale) ** 2) - 1.0).mean()


def looked_through_loss(signed_distance: Float[Tensor, "point"], scale: float) -> Float[Tensor, ""]:
    """Mean depth inside the object, in units of `scale` metres, of points that the sensor looked through."""
    return (torch.relu(-signed_distance) / scale).mean()


def measured_points_loss(
    signed_distance: Float[Tensor, "frame point"], known: Bool[Tensor, "frame point"], scale: float
) -> Float[Tensor, ""]:
    """Robust distance (Geman-McClure, units of `scale` metres) of measured points from a held surface; mean over the known ones."""
    squared = (signed_distance / scale) ** 2
    return (squared / (1.0 + squared) * known).sum() / known.sum().clamp(min=1)
