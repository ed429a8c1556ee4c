"""Features of colour that the shape does not share: a hash grid of its own over the entity's cube."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hoifield.fields.encode import Backend, encode_features
from hoifield.fields.hash_grid_layout import HashGridLayout


class ColourGrid(nn.Module):
    """What `ColourField` may read in place of the features of the distance field.

    A fine pattern changes its features by much in every step. Where the distance reads the same table, each such change moves the surface:
    a field that starts as the true shape is pulled away from it (experiments/05_field).
    """

    bounds_center: Tensor

    def __init__(self, bounds_center: Float[Tensor, "3"], bounds_half_size: float, layout: HashGridLayout, seed: int = 0, backend: Backend = "auto") -> None:
        super().__init__()
        self.layout = layout
        self.backend: Backend = backend
        self.bounds_half_size = float(bounds_half_size)
        self.register_buffer("bounds_center", torch.as_tensor(bounds_center, dtype=torch.float32).clone())
        generator = torch.Generator().manual_seed(seed)
        self.table = nn.Parameter((torch.rand(layout.entries, layout.features, generator=generator) * 2 - 1) * 1e-4)

    def forward(self, points: Float[Tensor, "point 3"]) -> Float[Tensor, "point encoded"]:
        """Features at points (m, canonical frame), differentiable to both; a point outside the cube has those of the nearest inside."""
        unit = (points - self.bounds_center) / self.bounds_half_size
        return encode_features(unit * 0.5 + 0.5, self.table, self.layout, self.backend)
