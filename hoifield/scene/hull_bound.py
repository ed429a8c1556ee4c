"""The first hull as a bound: silhouettes rule out matter far outside of it, whatever later pixels seem to say."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from hoifield.geometry.trilinear import lookup_grid

BEFORE = 0.04
"""Metres before the hull within which pixels may find more of the object."""
STEPS = 9
"""Places looked at on that way."""


@dataclass(frozen=True)
class HullBound:
    """Signed distances (m) to the hull at lower + spacing * (i, j, k), object frame."""

    values: Float[Tensor, "nx ny nz"]
    lower: Float[Tensor, "3"]
    spacing: float
    before: Float[Tensor, "nx ny nz"] | None = None
    """The same, and of what lies before the hull in most frames too (`reach_before`): what pixels look at is theirs to judge. None: nothing does."""

    def at(self, points: Float[Tensor, "point 3"]) -> Float[Tensor, "point"]:
        """Signed distances (m) to the hull there, object frame."""
        return lookup_grid(self.values, self.lower, self.spacing, points)

    def excess(self, points: Float[Tensor, "point 3"], signed_distance: Float[Tensor, "point"], slack: float) -> Float[Tensor, "point"]:
        """By how much (m) a field's distances at points fall short of those to the hull and what is before it, beyond `slack` metres."""
        allowed = self.values if self.before is None else self.before
        return torch.relu(lookup_grid(allowed, self.lower, self.spacing, points) - slack - signed_distance)


def reach_before(bound: HullBound, T_camera_object: Float[Tensor, "frame 4 4"]) -> HullBound:
    """The bound with what is before it: for each node the least distance up to BEFORE metres along the sight, median over the frames.

    Silhouettes do not show a spout that points at the camera, nor does the first hull have to, but pixels do.
    """
    index = torch.stack(torch.meshgrid(*(torch.arange(side) for side in bound.values.shape), indexing="ij"), dim=-1)
    nodes = bound.lower + bound.spacing * index.reshape(-1, 3)
    least = []
    for T in T_camera_object:
        sight = nodes + T[:3, :3].T @ T[:3, 3]
        sight = sight / sight.norm(dim=1, keepdim=True)
        least.append(torch.stack([bound.at(nodes + away * sight) for away in torch.linspace(0.0, BEFORE, STEPS)]).amin(0))
    return replace(bound, before=torch.minimum(bound.values, torch.stack(least).median(0).values.reshape(bound.values.shape)))
