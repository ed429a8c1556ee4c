"""A distance field kept on a regular grid, for sampling: cheap to read, and a little out of date."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hoifield.fields.grid_lookup import distance_beyond, lookup_trilinear


@dataclass(frozen=True)
class CachedDistance:
    """Signed distances (m) at the vertices lower + spacing * (i, j, k) of a grid in an entity's canonical frame.

    `CachedDistance(*field.as_grid(96))` caches a `DistanceField`.
    """

    values: Float[Tensor, "nx ny nz"]
    lower: Float[Tensor, "3"]
    spacing: float

    @property
    def upper(self) -> Float[Tensor, "3"]:
        """The highest vertex."""
        return self.lower + (torch.tensor(self.values.shape, device=self.values.device) - 1) * self.spacing

    def lookup(self, points: Float[Tensor, "point 3"]) -> Float[Tensor, "point"]:
        """Trilinear distance (m); outside the grid a lower bound (the surface is taken to lie inside the grid)."""
        inner = lookup_trilinear(self.values, self.lower, self.spacing, points)
        beyond = distance_beyond(self.lower, self.upper, points)
        return torch.where(inner > 0, torch.hypot(inner, beyond), inner + beyond)

    def refreshed(self, measure: Callable[[Tensor], Tensor], band: float) -> "CachedDistance":
        """The grid with the vertices closer than `band` (m) to the surface measured anew: a few times cheaper than all of them.

        What lies farther keeps its old value, so measure the whole grid now and then.
        """
        near = (self.values.abs() < band).nonzero()
        values = self.values.clone()
        if len(near):
            values[near.unbind(-1)] = measure(near.to(values.dtype) * self.spacing + self.lower)
        return CachedDistance(values, self.lower, self.spacing)
