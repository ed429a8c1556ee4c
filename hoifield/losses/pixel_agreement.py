"""Rendered rays against the pixels of the clip.

A fitted hand is never exactly where the seen one is. If the pixels were compared with the composite of all entities alone, a finger
fitted a few millimetres off would make the object grow matter in front of it. So a pixel labelled as an entity is compared with that
entity alone, and only depth order couples them: where a hand is seen and fitted, the object must not stand before it.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

LEAST_SHARE = 0.02
"""Floor of a share in a logarithm: one wrong pixel costs at most four nats."""


def colour_loss(
    composite_colour: Float[Tensor, "ray 3"],
    alone_colour: Float[Tensor, "ray entity 3"],
    seen: Float[Tensor, "ray 3"],
    label: Int[Tensor, "ray"],
    certain: Float[Tensor, "ray"],
) -> Float[Tensor, ""]:
    """Mean absolute colour error: of the labelled entity alone, or of the composite at background pixels (label -1).

    Pixels on a rim between labels (certain = 0) mix two colours and do not count (after HOLD, eq. 12).
    """
    own = alone_colour.gather(1, label.clamp(min=0)[:, None, None].expand(-1, 1, 3))[:, 0]
    colour = torch.where((label >= 0)[:, None], own, composite_colour)
    return ((colour - seen).abs().sum(-1) * certain).sum() / certain.sum().clamp(min=1.0)


def label_loss(
    alone_opacity: Float[Tensor, "ray entity"],
    label: Int[Tensor, "ray"],
    certain: Float[Tensor, "ray"],
) -> Float[Tensor, ""]:
    """Cross-entropy of silhouettes: the labelled entity stops its pixels' rays, no entity stops those of the background.

    What lies behind a hand or behind the object is unknown: there the other entities may be (`hand_before_object_loss`).
    """
    entities = torch.arange(alone_opacity.shape[1], device=label.device)
    wanted = label[:, None] == entities
    empty = (label < 0)[:, None].expand_as(wanted)
    stopped = -torch.log(alone_opacity.clamp(min=LEAST_SHARE))
    passed = -torch.log((1.0 - alone_opacity).clamp(min=LEAST_SHARE))
    loss = (stopped * wanted + passed * empty).sum(-1)
    return (loss * certain).sum() / certain.sum().clamp(min=1.0)


def hand_before_object_loss(
    alone_opacity: Float[Tensor, "ray entity"],
    entity_weight: Float[Tensor, "ray entity"],
    label: Int[Tensor, "ray"],
    certain: Float[Tensor, "ray"],
) -> Float[Tensor, ""]:
    """The object does not stand before a hand that is seen, as far as the fitted hand is there at all (weight: its own opacity, held)."""
    there = alone_opacity.detach().gather(1, label.clamp(min=0)[:, None])[:, 0] * (label > 0)
    before = -torch.log((1.0 - entity_weight[:, 0]).clamp(min=LEAST_SHARE))
    return (there * before * certain).sum() / certain.sum().clamp(min=1.0)
