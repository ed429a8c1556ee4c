"""A distance field kept on a regular grid, for sampling: cheap to read, and a little out of date."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hoifield.geometry.trilinear import lookup_grid


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
        """Trilinear distance (m); outside the grid as of `lookup_distance`."""
        return lookup_grid(self.values, self.lower, self.spacing, points)


@dataclass(frozen=True)
class CachedDistances:
    """Several cached grids of one size, such as those of a hand in every frame; vertices at lower + spacing * (i, j, k)."""

    values: Float[Tensor, "volume nx ny nz"]
    lower: Float[Tensor, "volume 3"]
    spacing: Float[Tensor, "volume"]

    @property
    def upper(self) -> Float[Tensor, "volume 3"]:
        """The highest vertices."""
        return self.lower + (torch.tensor(self.values.shape[1:], device=self.values.device) - 1) * self.spacing[:, None]

    @staticmethod
    def of_one(cached: CachedDistance) -> "CachedDistances":
        """A single grid as a stack of one."""
        return CachedDistances(cached.values[None], cached.lower[None], torch.tensor([cached.spacing], device=cached.values.device))
