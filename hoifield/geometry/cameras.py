"""Pinhole cameras in OpenCV axes (x right, y down, z forward), pixel centres at +0.5."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Camera:
    """One pinhole camera: intrinsic matrix in pixels of a picture of `width` x `height`."""

    K: Float[np.ndarray, "3 3"]
    width: int
    height: int

    @staticmethod
    def from_focal(focal: float, width: int, height: int) -> "Camera":
        """Camera with square pixels and the principal point in the middle of the picture."""
        K = np.array([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])
        return Camera(K=K, width=width, height=height)

    @property
    def focal(self) -> float:
        """Horizontal focal length, pixels."""
        return float(self.K[0, 0])

    def resized(self, width: int, height: int) -> "Camera":
        """The same camera for the picture scaled to `width` x `height` (pixel-centre convention kept)."""
        scale = np.diag([width / self.width, height / self.height, 1.0])
        return Camera(K=scale @ self.K, width=width, height=height)


def project(points: Float[Tensor, "*batch 3"], K: Float[Tensor, "*#batch 3 3"]) -> Float[Tensor, "*batch 2"]:
    """Pixels of camera-frame points; depth is clamped to 1 mm so that points behind the camera stay finite."""
    pixels = (K @ points[..., None])[..., 0]
    return pixels[..., :2] / points[..., 2:].clamp(min=1e-3)


def pixel_directions(pixels: Float[Tensor, "*batch 2"], K: Float[Tensor, "*#batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Unit viewing directions (camera frame) of pixel positions (x, y)."""
    x = (pixels[..., 0] - K[..., 0, 2]) / K[..., 0, 0]
    y = (pixels[..., 1] - K[..., 1, 2]) / K[..., 1, 1]
    direction = torch.stack([x, y, torch.ones_like(x)], dim=-1)
    return direction / direction.norm(dim=-1, keepdim=True)


def back_project(directions: Float[Tensor, "*ray 3"], depth: Float[Tensor, "*ray"]) -> Float[Tensor, "*ray 3"]:
    """Camera-frame points at depths along the optical axis (m), of unit viewing directions."""
    return directions * (depth / directions[..., 2])[..., None]
