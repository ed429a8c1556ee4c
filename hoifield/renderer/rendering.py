"""What a ray sees."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from hoifield.renderer.composite import CompositeWeights


@dataclass(frozen=True)
class Rendering:
    """Rays after compositing."""

    colour: Float[Tensor, "ray 3"]
    """RGB, background included where one was given."""
    depth: Float[Tensor, "ray"]
    """Weighted sum of ray distances (m): divided by 1 - background_weight, the mean distance of what is hit."""
    normal: Float[Tensor, "ray 3"]
    """Weighted sum of the entities' gradients, in the frame that they were given in; shorter where the ray passes on."""
    entity_weight: Float[Tensor, "ray entity"]
    """Share of each entity; 1 - sum is the background's."""
    background_weight: Float[Tensor, "ray"]


def render(
    weights: CompositeWeights,
    distances: Float[Tensor, "ray sample"],
    colours: Float[Tensor, "ray sample entity 3"],
    normals: Float[Tensor, "ray sample entity 3"],
    background: Float[Tensor, "ray 3"] | None = None,
) -> Rendering:
    """The rendering of rays from the weights of their samples; black behind the entities without `background`."""
    weight = weights.entity_weight
    by_entity = weight.sum(dim=1)
    colour = (weight[..., None] * colours).sum(dim=(1, 2))
    if background is not None:
        colour = colour + weights.background[:, None] * background
    depth = (weight.sum(dim=-1) * distances).sum(dim=-1)
    return Rendering(colour, depth, (weight[..., None] * normals).sum(dim=(1, 2)), by_entity, weights.background)
