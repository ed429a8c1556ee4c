"""Object poses from the assumption that the object moves with the palm (the start of DiffHOI), smoothed, centred at the object."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter1d

from hoifield.geometry.rotations import quaternion_from_matrix
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.visual_hull import SilhouetteEvidence, object_pixels

PALM_PULL = 0.06
"""Metres: how far the object's centre may sit from the palm before the prior weighs as much as a sight line 15 mm off."""
SIGHT_LINE = 0.015
WIDE_VIEW = 70.0
"""Degrees of viewing directions from which silhouettes bound the depth by themselves."""


@dataclass(frozen=True)
class HandLockedPoses:
    """Object poses that follow the palm."""

    T_camera_object: Float[np.ndarray, "frame 4 4"]
    """NaN where the hand was not observed."""
    centre: Float[np.ndarray, "3"]
    """The object frame's origin in the hand frame, metres; the axes of both frames are parallel."""
    radius: float
    """Metres around the centre that hold the object."""


def matrix_from_quaternion(quaternion: Float[np.ndarray, "*batch 4"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Rotation matrices of quaternions (w, x, y, z); they are normalised first."""
    w, x, y, z = np.moveaxis(quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True), -1, 0)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return np.stack(rows, axis=-1).reshape(*quaternion.shape[:-1], 3, 3)


def smooth_poses(poses: Float[np.ndarray, "frame 4 4"], weight: Float[np.ndarray, "frame"], sigma: float) -> Float[np.ndarray, "frame 4 4"]:
    """Poses smoothed over time by a Gaussian of `sigma` frames (normalised convolution); frames that were NaN stay NaN.

    A moving window shrinks turning motion towards the chord; adding the smoothed residual back once removes that to third order.
    """
    known = np.isfinite(poses).all((1, 2))
    if known.sum() < 3 or sigma <= 0:
        return poses
    share = np.where(known, np.maximum(weight, 1e-3), 0.0)[:, None]
    quaternion = np.zeros((len(poses), 4))
    quaternion[known] = quaternion_from_matrix(torch.from_numpy(poses[known, :3, :3].astype(np.float64))).numpy()
    previous = None
    for frame in np.flatnonzero(known):
        if previous is not None and quaternion[frame] @ quaternion[previous] < 0:
            quaternion[frame] *= -1
        previous = frame
    values = np.concatenate([quaternion, np.where(known[:, None], poses[:, :3, 3], 0.0)], axis=1)
    total = gaussian_filter1d(share, sigma, axis=0, mode="constant") + 1e-12
    once = gaussian_filter1d(values * share, sigma, axis=0, mode="constant") / total
    twice = once + gaussian_filter1d((values - once) * share, sigma, axis=0, mode="constant") / total
    smooth = np.full_like(poses, np.nan)
    smooth[known] = np.eye(4)
    smooth[known, :3, :3] = matrix_from_quaternion(twice[known, :4])
    smooth[known, :3, 3] = twice[known, 4:]
    return smooth


def triangulate_centre(evidence: SilhouetteEvidence, T_camera_hand: Float[np.ndarray, "frame 4 4"], palm: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    """The point of the hand frame that best lies on the sight lines through the object's visible centroid, near the palm.

    Robust least squares over frames (Huber, reweighted): sum w |(I - d d^T)(x - o)|^2 + pull to `palm`. Metres.
    """
    K = evidence.camera.K
    normal, right = [], []
    for label, pose in zip(evidence.labels, T_camera_hand, strict=True):
        pixels = object_pixels(label)
        if len(pixels) < 12 or not np.isfinite(pose).all():
            continue
        direction = np.linalg.solve(K, np.append(pixels.mean(0), 1.0))
        direction = pose[:3, :3].T @ (direction / np.linalg.norm(direction))
        projector = np.eye(3) - np.outer(direction, direction)
        normal.append(projector)
        right.append(projector @ (-pose[:3, :3].T @ pose[:3, 3]))
    if not normal:
        return palm
    A, b = np.stack(normal), np.stack(right)
    weight = np.ones(len(A))
    pull = len(A) * (SIGHT_LINE / PALM_PULL) ** 2
    centre = palm
    for _ in range(12):
        system = np.einsum("n,nij->ij", weight, A) + pull * np.eye(3)
        centre = np.linalg.solve(system, weight @ b + pull * palm)
        distance = np.linalg.norm(A @ centre - b, axis=1)
        weight = np.minimum(1.0, SIGHT_LINE / np.maximum(distance, 1e-9))
    return centre


def object_reach(evidence: SilhouetteEvidence, T_camera_object: Float[np.ndarray, "frame 4 4"]) -> Float[np.ndarray, "shown"]:
    """How far the object's pixels (97 % of them) reach from the object frame's origin across the view, metres, in the frames that show it."""
    K, reach = evidence.camera.K, []
    for label, pose in zip(evidence.labels, T_camera_object, strict=True):
        pixels = object_pixels(label)
        if len(pixels) < 12 or not np.isfinite(pose).all():
            continue
        origin = (K @ pose[:3, 3])[:2] / pose[2, 3]
        reach.append(np.percentile(np.linalg.norm(pixels - origin, axis=1), 97) * pose[2, 3] / K[0, 0])
    return np.array(reach)


def object_radius(evidence: SilhouetteEvidence, T_camera_object: Float[np.ndarray, "frame 4 4"]) -> float:
    """Metres around the object frame's origin that hold the object, from its reach in most frames.

    It also bounds the object along the view, where a clip of few sides says nothing: no deeper than it is wide.
    """
    reach = object_reach(evidence, T_camera_object)
    return float(np.clip(1.15 * np.percentile(reach, 80), 0.02, 0.5)) if len(reach) else 0.1


def view_span(T_camera_object: Float[np.ndarray, "frame 4 4"]) -> float:
    """Largest angle (degrees) between two directions from which the camera sees the object; turns about the view do not count."""
    T = T_camera_object[np.isfinite(T_camera_object).all((1, 2))]
    if len(T) < 2:
        return 0.0
    towards = -np.einsum("fji,fj->fi", T[:, :3, :3], T[:, :3, 3])
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    return float(np.degrees(np.arccos(np.clip((towards @ towards.T).min(), -1.0, 1.0))))


def shows_few_sides(T_camera_object: Float[np.ndarray, "frame 4 4"]) -> bool:
    """Whether silhouettes leave open how deep the object is, so that a part of its shape must be imagined."""
    return view_span(T_camera_object) < WIDE_VIEW


def lock_to_hand(
    evidence: SilhouetteEvidence,
    hand: HandTrack,
    palm: Float[np.ndarray, "3"],
    usable: Bool[np.ndarray, "frame"],
    sigma: float,
) -> HandLockedPoses:
    """Object poses of every frame of the clip under a rigid grasp: T_camera_object(t) = smoothed T_camera_hand(t) T_hand_object.

    `palm` is a point of the hand frame (metres) near which the object is held; the canonical frame has the hand's axes and its origin
    where the sight lines through the object's pixels meet. Only `usable` frames get a pose.
    """
    T_camera_hand = np.where(usable[:, None, None], hand.T_camera_hand, np.nan)
    smooth = smooth_poses(T_camera_hand, hand.presence, sigma)
    centre = triangulate_centre(evidence, smooth[evidence.frames], palm)
    T_hand_object = np.eye(4)
    T_hand_object[:3, 3] = centre
    poses = smooth @ T_hand_object
    return HandLockedPoses(poses, centre, object_radius(evidence, poses[evidence.frames]))
