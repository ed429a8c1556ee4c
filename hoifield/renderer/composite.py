"""Volume rendering of several entities that share one set of samples on each ray."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class CompositeWeights:
    """How much each entity contributes at each sample; with the background they sum to 1 on every ray."""

    entity_weight: Float[Tensor, "ray sample entity"]
    background: Float[Tensor, "ray"]


def composite(densities: Float[Tensor, "ray sample entity"], intervals: Float[Tensor, "ray sample"]) -> CompositeWeights:
    """Weights of emission and absorption by the sum of all densities (1/m) over intervals (m), near to far.

    With S = sum of the densities and T what is left before a sample, the weight of entity e is
    T (1 - exp(-S interval)) density_e / S. Every entity is evaluated at every sample, so that nobody's optical depth is missed
    and the order of the entities does not matter. Gradients are exact where all densities are 0.
    """
    depth = densities.sum(dim=-1) * intervals
    passed_after = depth.cumsum(dim=-1)
    passed = torch.exp(depth - passed_after)
    # (1 - exp(-depth)) / depth tends to 1: no division by a density of 0, forward or backward.
    small = depth < 1e-4
    safe = torch.where(small, torch.ones_like(depth), depth)
    share = torch.where(small, 1 - 0.5 * depth, -torch.expm1(-safe) / safe)
    return CompositeWeights((passed * share * intervals)[..., None] * densities, torch.exp(-passed_after[:, -1]))
