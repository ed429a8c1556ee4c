"""The first hull as a bound: silhouettes rule out matter far outside of it, whatever later pixels seem to say."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hoifield.geometry.trilinear import lookup_grid


@dataclass(frozen=True)
class HullBound:
    """Signed distances (m) to the hull at lower + spacing * (i, j, k), object frame."""

    values: Float[Tensor, "nx ny nz"]
    lower: Float[Tensor, "3"]
    spacing: float

    def at(self, points: Float[Tensor, "point 3"]) -> Float[Tensor, "point"]:
        """Signed distances (m) to the hull there, object frame."""
        return lookup_grid(self.values, self.lower, self.spacing, points)

    def excess(self, points: Float[Tensor, "point 3"], signed_distance: Float[Tensor, "point"], slack: float) -> Float[Tensor, "point"]:
        """By how much (m) a field's distances at points fall short of those to the hull, beyond `slack` metres."""
        return torch.relu(self.at(points) - slack - signed_distance)
