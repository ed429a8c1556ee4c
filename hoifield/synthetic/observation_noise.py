"""Exact observations spoilt by a known amount, so that a stage can be tested alone and its robustness drawn as a curve.

Every function is pure and seeded. What is drawn does not depend on the amount: a larger amount scales the same noise, or takes away
more of the same things, and an amount of 0 changes nothing.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

Labels = UInt8[np.ndarray, "frame height width"]


def shifted_outlines(labels: Labels, label: int, pixels: Float[np.ndarray, "frame"] | float) -> Labels:
    """Labels of which one has grown by so many pixels (per frame, or in all) over the background, or shrunk where the number is < 0.

    Exact to the pixel in the Euclidean distance. What shrinks leaves background; other labels keep every pixel.
    """
    spoilt = labels.copy()
    for frame, amount in enumerate(np.broadcast_to(np.asarray(pixels, dtype=np.float64), len(labels))):
        member = labels[frame] == label
        if amount == 0 or not member.any():
            continue
        if amount > 0:
            near = cv2.distanceTransform((~member).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= amount
            spoilt[frame][near & (labels[frame] == 0)] = label
        elif not member.all():
            rim = cv2.distanceTransform(member.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= -amount
            spoilt[frame][rim & member] = 0
    return spoilt


def flickering_outlines(labels: Labels, label: int, pixels: float, seed: int) -> Labels:
    """Labels of which one grows and shrinks from frame to frame by a normal amount with that standard deviation, pixels."""
    return shifted_outlines(labels, label, pixels * np.random.default_rng(seed).normal(size=len(labels)))


def lost_labels(labels: Labels, label: int, share: float, seed: int) -> Labels:
    """Labels of which one is missing in about that share of the frames."""
    lost = ~kept_frames(len(labels), share, seed)
    return np.where(lost[:, None, None] & (labels == label), np.uint8(0), labels)


def holed_labels(labels: Labels, label: int, share: float, diameter: float, seed: int) -> Labels:
    """Labels of which one has round holes (diameter in pixels, centres drawn within it) until that share of its area is background."""
    spoilt = labels.copy()
    generator = np.random.default_rng(seed)
    for frame in range(len(labels)):
        y, x = np.nonzero(labels[frame] == label)
        order = generator.permutation(len(y))
        wanted, taken, hole = share * len(y), np.zeros(len(y), dtype=bool), 0
        while taken.sum() < wanted:
            centre = order[hole]
            taken |= (y - y[centre]) ** 2 + (x - x[centre]) ** 2 <= (diameter / 2) ** 2
            hole += 1
        spoilt[frame, y[taken], x[taken]] = 0
    return spoilt


def noisy_keypoints(keypoints: Float[np.ndarray, "frame keypoint 2"], pixels: float, seed: int) -> Float[np.ndarray, "frame keypoint 2"]:
    """Keypoints with normal noise of that standard deviation in each coordinate."""
    return keypoints + pixels * np.random.default_rng(seed).normal(size=keypoints.shape)


def dropped_keypoints(keypoints: Float[np.ndarray, "frame keypoint 2"], share: float, seed: int) -> Float[np.ndarray, "frame keypoint 2"]:
    """Keypoints of which about that share is NaN."""
    missing = np.random.default_rng(seed).random(keypoints.shape[:2]) < share
    return np.where(missing[..., None], np.nan, keypoints)


def kept_frames(frames: int, share: float, seed: int) -> Bool[np.ndarray, "frame"]:
    """Which frames are left when about that share is dropped, each for itself."""
    return np.random.default_rng(seed).random(frames) >= share


@dataclass(frozen=True)
class PoseNoise:
    """How far poses are off."""

    radians: float = 0.0
    """Standard deviation of the turn about each axis."""
    metres: float = 0.0
    """Standard deviation of the shift along each axis."""
    correlation: float = 0.0
    """Frames over which errors last (standard deviation of the filter that makes them); 0 for errors of each frame alone."""


def noisy_poses(T: Float[np.ndarray, "frame 4 4"], noise: PoseNoise, seed: int) -> Float[np.ndarray, "frame 4 4"]:
    """Rigid poses with a turn about their own origin and a shift, both in the outer frame; NaN poses stay NaN."""
    drawn = np.random.default_rng(seed).normal(size=(len(T), 6))
    if noise.correlation > 0:
        reach = 8 * int(np.ceil(noise.correlation))
        impulse = gaussian_filter1d(np.eye(1, 2 * reach + 1, reach), noise.correlation)
        drawn = gaussian_filter1d(drawn, noise.correlation, axis=0, mode="wrap") / np.linalg.norm(impulse)
    spoilt = T.copy()
    spoilt[:, :3, :3] = Rotation.from_rotvec(noise.radians * drawn[:, :3]).as_matrix() @ T[:, :3, :3]
    spoilt[:, :3, 3] += noise.metres * drawn[:, 3:]
    return spoilt


@dataclass(frozen=True)
class DepthNoise:
    """How far depth pictures are off."""

    scale: float = 1.0
    """Factor on all of the depth, as of a wrong focal length."""
    share: float = 0.0
    """Standard deviation of each pixel as a share of its depth."""
    missing: float = 0.0
    """Share of pixels without depth."""


def noisy_depth(depth: Int[np.ndarray, "frame height width"], noise: DepthNoise, seed: int) -> Int[np.ndarray, "frame height width"]:
    """Depth pictures in millimetres (0 = none, as in files), rounded; pixels without depth stay without."""
    generator = np.random.default_rng(seed)
    factor, missing = generator.normal(size=depth.shape), generator.random(depth.shape) < noise.missing
    largest = np.iinfo(depth.dtype).max
    spoilt = np.clip(np.round(noise.scale * depth * (1 + noise.share * factor)), 1, largest).astype(depth.dtype)
    return np.where((depth == 0) | missing, 0, spoilt).astype(depth.dtype)
