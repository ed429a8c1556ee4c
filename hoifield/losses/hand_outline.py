"""The outline of a posed hand against the hand's mask: its points on the mask, and the mask's outline on its own."""

from jaxtyping import Float
from torch import Tensor

from hoifield.geometry.sample_pictures import sample_pictures


def inside_mask_loss(
    pixels: Float[Tensor, "frame vertex 2"], outside_distance: Float[Tensor, "frame row column"], corner: Float[Tensor, "frame 2"], scale: float
) -> Float[Tensor, ""]:
    """Robust distance (units of `scale` pixels) by which projected vertices lie outside hand and object.

    `outside_distance` holds, per pixel of a crop, the distance in pixels to the nearest hand or object pixel; `corner` is the crop's
    left and top. Bilinear, so differentiable in the pixels; vertices outside the crop count as at its border.
    """
    distance = sample_pictures(outside_distance[:, None], pixels - corner[:, None])[..., 0]
    squared = (distance / scale) ** 2
    return (squared / (1.0 + squared)).mean()


def covered_outline_loss(
    drawn: Float[Tensor, "frame point 2"], outline: Float[Tensor, "frame point 2"], weight: Float[Tensor, "frame point"], scale: float
) -> Float[Tensor, ""]:
    """Robust distance (units of `scale` pixels) from points of the mask's outline to those of the drawn hand's that belong to them."""
    squared = ((outline - drawn) / scale).square().sum(-1)
    return (squared / (1.0 + squared) * weight).sum() / weight.sum().clamp(min=1.0)
