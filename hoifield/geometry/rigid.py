"""Rigid transforms as 4x4 matrices: `T_a_b` maps points of frame b into frame a."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def transform_points(T: Float[Tensor, "*batch 4 4"], points: Float[Tensor, "*batch point 3"]) -> Float[Tensor, "*batch point 3"]:
    """Points of frame b in frame a, for T = T_a_b."""
    return points @ T[..., :3, :3].transpose(-1, -2) + T[..., None, :3, 3]


def invert_rigid(T: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """T_b_a of T_a_b."""
    rotation = T[..., :3, :3].transpose(-1, -2)
    return compose(rotation, -(rotation @ T[..., :3, 3:])[..., 0])


def compose(rotation: Float[Tensor, "*batch 3 3"], translation: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 4 4"]:
    """The 4x4 matrix of a rotation and a translation."""
    top = torch.cat([rotation, translation[..., None]], dim=-1)
    bottom = torch.zeros_like(top[..., :1, :])
    bottom[..., 0, 3] = 1.0
    return torch.cat([top, bottom], dim=-2)


def align_points(
    source: Float[np.ndarray, "point 3"], target: Float[np.ndarray, "point 3"], with_scale: bool
) -> tuple[float, Float[np.ndarray, "4 4"]]:
    """Scale s and rigid T that minimise sum |T (s source) - target|^2 (Umeyama 1991, eq. 40-42)."""
    source_mean, target_mean = source.mean(0), target.mean(0)
    a, b = source - source_mean, target - target_mean
    u, singular, vt = np.linalg.svd(b.T @ a)
    sign = np.ones(3)
    sign[2] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign) @ vt
    scale = float((singular * sign).sum() / max((a * a).sum(), 1e-30)) if with_scale else 1.0
    T = np.eye(4)
    T[:3, :3] = rotation
    T[:3, 3] = target_mean - scale * rotation @ source_mean
    return scale, T
