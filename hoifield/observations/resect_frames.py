"""Frames that show enough points of a known body placed by these points (resection), from the frames beside those that are placed outwards."""

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float

from hoifield.geometry.rotations import rotation_angle
from hoifield.observations.feature_tracks import LEAST_LENGTH, FeatureTracks
from hoifield.observations.grasp_adjustment import triangulate

LEAST_POINTS = 12
"""Points of the body that a frame must agree on."""
LEAST_AGREEING = 0.5
"""Share of the known points in a frame that must agree on its pose."""
LARGEST_TURN = 30.0
"""Degrees from the nearest frame that is placed: a plane seen from afar has a second, wrong pose."""
ATTEMPTS = 200


def resect_frames(
    T: Float[np.ndarray, "frame 4 4"], tracks: FeatureTracks, K: Float[np.ndarray, "3 3"], pixels: float
) -> Float[np.ndarray, "frame 4 4"]:  # fmt: skip
    """The poses (body to camera), those that were NaN found where tracked points say them; the others stay NaN.

    `pixels` is how far an observation is off. Points are triangulated from the frames placed so far, so that the next frames see more of
    them. Deterministic.
    """
    T = T.copy()
    while True:
        placed = np.isfinite(T).all((1, 2))
        if placed.all() or not placed.any() or not tracks.point_count:
            return T
        points, known = _known_points(T, placed, tracks, K, pixels)
        found = {}
        for frame in np.flatnonzero(~placed):
            rows = np.flatnonzero((tracks.frame == frame) & known[tracks.point])
            beside = T[placed][np.abs(np.flatnonzero(placed) - frame).argmin()]
            pose = _resect(points[tracks.point[rows]], tracks.pixel[rows], beside, K, pixels)
            if pose is not None:
                found[frame] = pose
        if not found:
            return T
        for frame, pose in found.items():
            T[frame] = pose


def _known_points(
    T: Float[np.ndarray, "frame 4 4"], placed: Bool[np.ndarray, "frame"], tracks: FeatureTracks, K: Float[np.ndarray, "3 3"], pixels: float
) -> tuple[Float[np.ndarray, "point 3"], Bool[np.ndarray, "point"]]:
    """All points (metres, body frame), and which of them enough placed frames see where they are."""
    rows = placed[tracks.frame]
    seen = FeatureTracks(tracks.frame[rows], tracks.point[rows], tracks.pixel[rows])
    points, count = np.zeros((tracks.point_count, 3)), np.zeros(tracks.point_count, int)
    points[: seen.point_count] = triangulate(T, seen, K)
    count[: seen.point_count] = np.bincount(seen.point, minlength=seen.point_count)
    camera = np.einsum("oij,oj->oi", T[seen.frame, :3, :3], points[seen.point]) + T[seen.frame, :3, 3]
    projected = camera @ K.T
    off = np.linalg.norm(projected[:, :2] / np.maximum(projected[:, 2:], 1e-6) - seen.pixel, axis=1)
    total = np.bincount(seen.point, off, minlength=tracks.point_count)
    return points, (count >= LEAST_LENGTH) & (total <= 2 * pixels * count)


def _resect(
    points: Float[np.ndarray, "point 3"], pixel: Float[np.ndarray, "point 2"], beside: Float[np.ndarray, "4 4"],
    K: Float[np.ndarray, "3 3"], pixels: float
) -> Float[np.ndarray, "4 4"] | None:  # fmt: skip
    """The pose that most points agree on, starting from that of a frame beside; None where too few do, or it is far from there."""
    if len(points) < LEAST_POINTS:
        return None
    turn, shift = cv2.Rodrigues(beside[:3, :3])[0], beside[:3, 3:].copy()
    found, turn, shift, inliers = cv2.solvePnPRansac(
        points, pixel, K, np.zeros(4), turn, shift, useExtrinsicGuess=True, iterationsCount=ATTEMPTS, reprojectionError=3 * pixels
    )
    if not found or inliers is None or len(inliers) < max(LEAST_POINTS, LEAST_AGREEING * len(points)):
        return None
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = cv2.Rodrigues(turn)[0], shift[:, 0]
    apart = float(np.degrees(rotation_angle(torch.from_numpy(beside[:3, :3].T @ pose[:3, :3]))))
    return pose if apart <= LARGEST_TURN and pose[2, 3] > 0 else None
