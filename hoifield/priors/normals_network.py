"""A small network that sees which way the surfaces of hand and held object face, and how far off it expects to be."""

import math

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, UInt8
from torch import Tensor, nn
from torch.nn import functional

from hoifield.priors.eyes_input import eyes_maps
from hoifield.priors.eyes_network import SEEN_CHANNELS, SeeingNetwork

HINT = 4
"""The channel that tells the eyes of a click tells this network what is known already: 1 on the object, -1 on the hand."""


class NormalsNetwork(SeeingNetwork):
    """Normals in each pixel's ray frame, and how concentrated they are about the true ones."""

    def __init__(self) -> None:
        super().__init__()
        self.normals = nn.Conv2d(SEEN_CHANNELS, 4, 1)

    def forward(
        self, picture: Float[Tensor, "batch 5 height width"], keypoints: Float[Tensor, "batch 21 quarter_height quarter_width"]
    ) -> tuple[Float[Tensor, "batch 3 half_height half_width"], Float[Tensor, "batch half_height half_width"]]:
        """Unit normals and concentrations (> 0), at half the picture's size."""
        told = self.normals(self.see(picture, keypoints)).float()
        return functional.normalize(told[:, :3], dim=1), functional.elu(told[:, 3]) + 1.01


def normals_maps(
    picture: UInt8[np.ndarray, "size size 3"],
    keypoints: Float[np.ndarray, "keypoint=21 2"] | None,
    held: Bool[np.ndarray, "size size"],
    hand: Bool[np.ndarray, "size size"],
) -> tuple[Float32[np.ndarray, "5 size size"], Float32[np.ndarray, "21 quarter quarter"]]:
    """Picture maps and keypoint maps of one crop of a right hand (a left one is mirrored before) whose pixels are known roughly."""
    maps, heat = eyes_maps(picture, keypoints, None)
    maps[HINT] = held.astype(np.float32) - hand.astype(np.float32)
    return maps, heat


def angular_likelihood(angle: Float[Tensor, "*pixel"], concentration: Float[Tensor, "*pixel"]) -> Float[Tensor, "*pixel"]:
    """Negative logarithm, without its constant, of the likelihood of an error by `angle` (radians): Bae et al. 2021, equation 4."""
    return -torch.log(concentration**2 + 1) + concentration * angle + torch.log1p(torch.exp(-concentration * math.pi))


def expected_angle(concentration: Float[Tensor, "*pixel"]) -> Float[Tensor, "*pixel"]:
    """Mean error in radians under that likelihood: Bae et al. 2021, equation 5."""
    far = torch.exp(-concentration * math.pi)
    return 2 * concentration / (1 + concentration**2) + far * math.pi / (1 + far)
