"""A point of the surface has one colour: pictures that show it agree where poses are right (direct alignment, without a colour field)."""

import torch
from jaxtyping import Float
from torch import Tensor

FEWEST_FRAMES = 3
"""Frames that must show a point before its colour is known."""
ROUNDS = 2
"""Times that the points' colours and the frames' brightness are found in turns."""


def same_colour_loss(
    colour: Float[Tensor, "frame point channel"], weight: Float[Tensor, "frame point"], scale: float
) -> Float[Tensor, ""]:
    """Robust difference between the colour seen at each point in each frame and the point's mean colour over all frames.

    `weight` is 0 where a frame does not show the point. A frame may be brighter or darker as a whole: its mean difference is taken off.
    Geman-McClure with `scale` (colour units), so that shine and wrong visibility do not pull. Mean over frames, each by its weights;
    the mean colours are held, so the gradient moves frames towards what they agree on.
    """
    weight = weight * ((weight > 0).sum(0) >= FEWEST_FRAMES)
    per_point = weight.sum(0)[:, None].clamp(min=1e-6)
    per_frame = weight.sum(1).clamp(min=1e-6)
    with torch.no_grad():
        offset = torch.zeros_like(colour[:, :1])
        for _ in range(ROUNDS):
            mean = (weight[..., None] * (colour - offset)).sum(0) / per_point
            offset = (weight[..., None] * (colour - mean)).sum(1, keepdim=True) / per_frame[:, None, None]
    squared = ((colour - mean - offset) / scale).square().sum(-1)
    return ((squared / (1.0 + squared) * weight).sum(1) / per_frame).mean()
