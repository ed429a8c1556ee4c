"""Pictures read between their pixels, differentiably in the place."""

import torch
from jaxtyping import Float
from torch import Tensor


def sample_pictures(pictures: Float[Tensor, "frame channel row column"], pixels: Float[Tensor, "frame point 2"]) -> Float[Tensor, "frame point channel"]:
    """Bilinear values at positions (x, y) in pixels, whose centres lie at +0.5; outside a picture its border goes on."""
    height, width = pictures.shape[2:]
    size = torch.tensor([width - 1, height - 1], dtype=pixels.dtype, device=pixels.device)
    grid = ((pixels - 0.5) / size * 2 - 1)[:, None]
    return torch.nn.functional.grid_sample(pictures, grid, padding_mode="border", align_corners=True)[:, :, 0].transpose(1, 2)
