"""Directions told as each pixel sees them: what lies across its sight line and what along it, wherever in the picture the pixel is."""

import torch
from jaxtyping import Float
from torch import Tensor


def to_ray_frames(directions: Float[Tensor, "*pixel 3"], rays: Float[Tensor, "*pixel 3"]) -> Float[Tensor, "*pixel 3"]:
    """Camera-frame directions in the frame of each ray: the camera's, turned by the least turn that carries its axis onto the ray.

    Rays are units with z > 0. A surface's outline is where its normal has no third component, which no camera frame can say of all pixels.
    """
    return _turned(directions, rays, -1.0)


def from_ray_frames(directions: Float[Tensor, "*pixel 3"], rays: Float[Tensor, "*pixel 3"]) -> Float[Tensor, "*pixel 3"]:
    """The inverse of `to_ray_frames`."""
    return _turned(directions, rays, 1.0)


def _turned(v: Tensor, rays: Tensor, sign: float) -> Tensor:
    """Rodrigues' formula about z x ray: v + a x v + a x (a x v) / (1 + cos)."""
    axis = sign * torch.stack([-rays[..., 1], rays[..., 0], torch.zeros_like(rays[..., 0])], dim=-1)
    once = torch.linalg.cross(axis, v)
    return v + once + torch.linalg.cross(axis, once) / (1 + rays[..., 2:])
