"""Poses as small motions away from other poses."""

import numpy as np
import torch
from jaxtyping import Float, Int

from hoifield.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle


def compose_offset(start: Float[np.ndarray, "frame 4 4"], offset: Float[np.ndarray, "frame 6"]) -> Float[np.ndarray, "frame 4 4"]:
    """T_camera_object of the start poses moved by offsets in the object frame: axis-angle offset[:, :3], translation offset[:, 3:]."""
    local = np.tile(np.eye(4), (len(start), 1, 1))
    local[:, :3, :3] = matrix_from_axis_angle(torch.from_numpy(offset[:, :3])).numpy()
    local[:, :3, 3] = offset[:, 3:]
    return start @ local


def offset_between(start: Float[np.ndarray, "frame 4 4"], poses: Float[np.ndarray, "frame 4 4"]) -> Float[np.ndarray, "frame 6"]:
    """The offsets that `compose_offset` needs to take `start` to `poses`."""
    local = np.linalg.inv(start) @ poses
    rotation = axis_angle_from_matrix(torch.from_numpy(np.ascontiguousarray(local[:, :3, :3]))).numpy()
    return np.concatenate([rotation, local[:, :3, 3]], axis=1)


def fill_between(
    locked: Float[np.ndarray, "frame 4 4"], known: Float[np.ndarray, "frame 4 4"], frames: Int[np.ndarray, "frame"]
) -> Float[np.ndarray, "frame 4 4"]:
    """The known poses (NaN elsewhere); between them the locked ones, moved by the offset interpolated over time. Some row must be known."""
    own = np.isfinite(known).all((1, 2))
    offset = offset_between(locked[own], known[own])
    between = np.stack([np.interp(frames, frames[own], offset[:, axis]) for axis in range(6)], axis=1)
    return np.where(own[:, None, None], known, compose_offset(locked, between))


def reverse_depth(T: Float[np.ndarray, "frame 4 4"]) -> Float[np.ndarray, "frame 4 4"]:
    """The poses turned the other way about axes across the view, from their mean; turns about the view and places stay.

    Far away, that gives nearly the same pictures of the same points mirrored in depth (Necker's reversal).
    """
    u, _, vt = np.linalg.svd(T[:, :3, :3].sum(0))
    mean = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    turned = T[:, :3, :3] @ mean.T
    angle = np.arctan2(turned[:, 1, 0] - turned[:, 0, 1], turned[:, 0, 0] + turned[:, 1, 1])
    about_view = matrix_from_axis_angle(torch.from_numpy(np.outer(angle, [0.0, 0.0, 1.0]))).numpy()
    swing = axis_angle_from_matrix(torch.from_numpy(np.ascontiguousarray(about_view.transpose(0, 2, 1) @ turned)))
    reversed_poses = T.copy()
    reversed_poses[:, :3, :3] = about_view @ matrix_from_axis_angle(-swing).numpy() @ mean
    return reversed_poses
