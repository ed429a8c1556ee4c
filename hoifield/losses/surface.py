"""What keeps the object's distance field a distance, and its space empty where nothing was seen."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

FLAT = 1e-3
"""Length from which on a gradient has a direction."""
SAME_NORMAL = 0.01
"""Distance of two normals up to which they pass for the same."""


def eikonal_loss(gradient: Float[Tensor, "point 3"]) -> Float[Tensor, ""]:
    """Mean (|grad| - 1)^2 (Gropp et al. 2020, eq. 3)."""
    return ((gradient.norm(dim=-1) - 1.0) ** 2).mean()


def sparsity_loss(signed_distance: Float[Tensor, "point"], scale: float) -> Float[Tensor, ""]:
    """Mean of exp(-|distance| / scale) at points far from every observed surface: no floating sheets (HOLD, opacity sparsity)."""
    return torch.exp(-signed_distance.abs() / scale).mean()


def smooth_surface_loss(gradient: Float[Tensor, "point 3"], beside: Float[Tensor, "point 3"]) -> Float[Tensor, ""]:
    """Mean distance of the unit normals at points of the surface and a little beside them (UNISURF, Oechsle et al. 2021, surface regularisation).

    Not squared, so that a sharp edge costs no more than the same bend spread over a lump. 0 without points.
    """
    apart = functional.normalize(gradient, dim=-1, eps=FLAT) - functional.normalize(beside, dim=-1, eps=FLAT)
    return torch.sqrt(apart.square().sum(-1) + SAME_NORMAL**2).sum() / max(len(apart), 1)


def interpenetration_loss(object_distance: Float[Tensor, "point"], hand_distance: Float[Tensor, "point"], scale: float) -> Float[Tensor, ""]:
    """Mean of the depth of points that lie inside hand and object at once, in units of `scale` metres."""
    depth = torch.minimum(torch.relu(-object_distance), torch.relu(-hand_distance))
    return (depth / scale).mean()
