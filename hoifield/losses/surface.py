"""What keeps the object's distance field a distance, and its space empty where nothing was seen."""

import torch
from jaxtyping import Float
from torch import Tensor


def eikonal_loss(gradient: Float[Tensor, "point 3"]) -> Float[Tensor, ""]:
    """Mean (|grad| - 1)^2 (Gropp et al. 2020, eq. 3)."""
    return ((gradient.norm(dim=-1) - 1.0) ** 2).mean()


def sparsity_loss(signed_distance: Float[Tensor, "point"], scale: float) -> Float[Tensor, ""]:
    """Mean of exp(-|distance| / scale) at points far from every observed surface: no floating sheets (HOLD, opacity sparsity)."""
    return torch.exp(-signed_distance.abs() / scale).mean()


def interpenetration_loss(object_distance: Float[Tensor, "point"], hand_distance: Float[Tensor, "point"], scale: float) -> Float[Tensor, ""]:
    """Mean of the depth of points that lie inside hand and object at once, in units of `scale` metres."""
    depth = torch.minimum(torch.relu(-object_distance), torch.relu(-hand_distance))
    return (depth / scale).mean()
