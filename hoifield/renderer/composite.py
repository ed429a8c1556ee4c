"""Volume rendering of several entities that share one set of samples on each ray."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hoifield.fields.density import density_from_distance
from hoifield.geometry.plain_reference import kernels_serve
from hoifield.renderer.composite_numba import composite_numba


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


@dataclass(frozen=True)
class CompositeColours:
    """Rays after compositing: all entities together, and each alone before the background."""

    colour: Float[Tensor, "ray 3"]
    alone_colour: Float[Tensor, "ray entity 3"]
    alone_opacity: Float[Tensor, "ray entity"]
    entity_weight: Float[Tensor, "ray entity"]
    background: Float[Tensor, "ray"]
    sample_weight: Float[Tensor, "ray sample entity"]
    """Weights of `composite`, without gradient."""


def composite_entities(
    distance: Float[Tensor, "near"],
    colour: Float[Tensor, "near 3"],
    slot: Int[Tensor, "ray sample entity"],
    behind: Float[Tensor, "ray 3"],
    intervals: Float[Tensor, "ray sample"],
    width: float,
) -> CompositeColours:
    """Colours and shares of rays from the near samples of all entities; differentiable to distances, colours and `behind`.

    `slot` says where a sample of an entity lies among the near ones, -1 where the entity has no density. `behind` is the background's
    colour, `width` that of the surfaces (m). On the CPU by a numba kernel, elsewhere by `composite_entities_torch`.
    """
    if not kernels_serve(distance) or distance.dtype != torch.float32:
        return composite_entities_torch(distance, colour, slot, behind, intervals, width)
    return CompositeColours(*composite_numba(distance, colour, slot, behind, intervals, width))


def composite_entities_torch(
    distance: Float[Tensor, "near"],
    colour: Float[Tensor, "near 3"],
    slot: Int[Tensor, "ray sample entity"],
    behind: Float[Tensor, "ray 3"],
    intervals: Float[Tensor, "ray sample"],
    width: float,
) -> CompositeColours:
    """What `composite_entities` gives, in plain PyTorch on any device: the readable reference."""
    density = torch.zeros_like(slot, dtype=distance.dtype).masked_scatter(slot >= 0, density_from_distance(distance[slot[slot >= 0]], width))
    coloured = density.new_zeros(*slot.shape, 3).masked_scatter((slot >= 0)[..., None], colour[slot[slot >= 0]])
    together = composite(density, intervals)
    alone = [composite(density[..., entity : entity + 1], intervals) for entity in range(slot.shape[-1])]
    alone_weight = torch.cat([weights.entity_weight for weights in alone], dim=-1)
    alone_left = torch.stack([weights.background for weights in alone], dim=-1)
    return CompositeColours(
        colour=together.background[:, None] * behind + (together.entity_weight[..., None] * coloured).sum((1, 2)),
        alone_colour=alone_left[..., None] * behind[:, None] + (alone_weight[..., None] * coloured).sum(1),
        alone_opacity=1.0 - alone_left,
        entity_weight=together.entity_weight.sum(1),
        background=together.background,
        sample_weight=together.entity_weight.detach(),
    )
