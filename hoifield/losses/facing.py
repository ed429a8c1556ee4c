"""Surfaces that face the way a picture shows them to."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

FLAT = 1e-3
"""Length from which on a gradient has a direction."""


def facing_loss(gradient: Float[Tensor, "point 3"], seen: Float[Tensor, "point 3"], trust: Float[Tensor, "point"]) -> Float[Tensor, ""]:
    """Mean distance of the unit normals of a field from those seen (after MonoSDF, Yu et al. 2022, eq. 17), by how far each is trusted; 0 without points."""
    apart = (functional.normalize(gradient, dim=-1, eps=FLAT) - seen).square().sum(-1).add(1e-4).sqrt()
    return (apart * trust).sum() / max(len(apart), 1)
