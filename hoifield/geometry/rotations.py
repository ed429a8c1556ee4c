"""Rotations as axis-angle vectors, matrices and quaternions."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def cross_matrix(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The matrix [v]x with [v]x u = v x u."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    rows = [zero, -z, y, z, zero, -x, -y, x, zero]
    return torch.stack(rows, dim=-1).reshape(*vector.shape[:-1], 3, 3)


def matrix_from_axis_angle(axis_angle: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rodrigues' formula; smooth (value and gradient) at zero."""
    squared = (axis_angle * axis_angle).sum(-1)[..., None, None]
    small = squared < 1e-8
    safe = torch.where(small, torch.ones_like(squared), squared)
    angle = safe.sqrt()
    sine_ratio = torch.where(small, 1.0 - squared / 6.0, torch.sin(angle) / angle)
    cosine_ratio = torch.where(small, 0.5 - squared / 24.0, (1.0 - torch.cos(angle)) / safe)
    cross = cross_matrix(axis_angle)
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + sine_ratio * cross + cosine_ratio * (cross @ cross)


def quaternion_from_matrix(rotation: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 4"]:
    """Unit quaternions (w, x, y, z) with w >= 0; the largest of the four components is the pivot."""
    m = rotation
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    pivots = torch.stack([1 + xx + yy + zz, 1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz], dim=-1)
    a = m[..., 2, 1] - m[..., 1, 2]
    b = m[..., 0, 2] - m[..., 2, 0]
    c = m[..., 1, 0] - m[..., 0, 1]
    d = m[..., 1, 0] + m[..., 0, 1]
    e = m[..., 0, 2] + m[..., 2, 0]
    f = m[..., 2, 1] + m[..., 1, 2]
    candidates = torch.stack(
        [
            torch.stack([pivots[..., 0], a, b, c], dim=-1),
            torch.stack([a, pivots[..., 1], d, e], dim=-1),
            torch.stack([b, d, pivots[..., 2], f], dim=-1),
            torch.stack([c, e, f, pivots[..., 3]], dim=-1),
        ],
        dim=-2,
    )
    best = pivots.argmax(dim=-1)[..., None, None].expand(*pivots.shape[:-1], 1, 4)
    quaternion = torch.gather(candidates, -2, best)[..., 0, :]
    quaternion = quaternion / quaternion.norm(dim=-1, keepdim=True)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def axis_angle_from_matrix(rotation: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Axis-angle vectors with angle in [0, pi]."""
    quaternion = quaternion_from_matrix(rotation)
    sine = quaternion[..., 1:].norm(dim=-1, keepdim=True)
    angle = 2.0 * torch.atan2(sine, quaternion[..., :1])
    ratio = torch.where(sine < 1e-7, torch.full_like(sine, 2.0), angle / sine.clamp(min=1e-12))
    return quaternion[..., 1:] * ratio


def axis_angles_of(rotation: Float[np.ndarray, "frame 3 3"]) -> Float[np.ndarray, "frame 3"]:
    """Axis-angles of rotations as arrays; NaN for NaN."""
    known = np.isfinite(rotation).all((1, 2))
    angles = np.full((len(rotation), 3), np.nan)
    angles[known] = axis_angle_from_matrix(torch.from_numpy(np.ascontiguousarray(rotation[known]))).numpy()
    return angles


def rotation_angle(rotation: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch"]:
    """Angle of rotation matrices, radians in [0, pi]; accurate near zero and near pi."""
    return axis_angle_from_matrix(rotation).norm(dim=-1)
