"""Bundle adjustment of tracked points and the keypoints of the hand that holds them still: poses, points and one rigid hand.

The body frame is the hand's, so there is no gauge and the hand's size is the ruler. Levenberg-Marquardt with the points eliminated (Schur)
and Cauchy weights (Triggs et al. 2000, sections 3.3 and 6.1). One thread, no randomness.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
import torch
from jaxtyping import Float
from scipy.linalg import cho_factor, cho_solve

from hoifield.geometry.rotations import matrix_from_axis_angle
from hoifield.observations.feature_tracks import FeatureTracks
from hoifield.observations.rigid_hand import UNKNOWNS, RigidHand
from hoifield.observations.rotated_boxes import keypoint_box_side

KEYPOINT_SHARE = 0.02
"""Of the hand's box, that a keypoint is off."""
ROBUST = 2.0
"""Cauchy's scale, in such units."""
TRACK_WEIGHT = 0.2
"""Neighbours in time err together: five observations say as much as one."""
KEYPOINT_WEIGHT = 0.06
"""Less again: where fingers are hidden the detector makes them up, for many frames alike."""
NEAREST = 0.02
"""Metres before the camera at which a point is held while a step has carried it behind."""
LARGEST_TURN, LARGEST_SHIFT = 0.2, 0.03
"""Radians a frame and metres a point, in one step."""
ENOUGH = 1e-5
"""Of the cost: a smaller gain ends the descent."""


@dataclass(frozen=True)
class Unknowns:
    """What is adjusted."""

    T: Float[np.ndarray, "frame 4 4"]
    """Hand frame to camera."""
    points: Float[np.ndarray, "point 3"]
    """Hand frame, metres."""
    hand: Float[np.ndarray, "73"]


@dataclass(frozen=True)
class _Part:
    """Residuals of one kind, weighted, and their derivatives by pose and by point."""

    residual: Float[np.ndarray, "*seen 2"]
    by_pose: Float[np.ndarray, "*seen 2 6"]
    by_point: Float[np.ndarray, "*seen 2 3"]
    cost: float


def triangulate(T: Float[np.ndarray, "frame 4 4"], tracks: FeatureTracks, K: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "point 3"]:
    """The points nearest to their sight lines, in the frame that T maps to the camera."""
    rotation = T[tracks.frame, :3, :3]
    direction = np.column_stack([(tracks.pixel - K[[0, 1], 2]) / K[[0, 1], [0, 1]], np.ones(len(tracks.pixel))])
    direction = np.einsum("oji,oj->oi", rotation, direction / np.linalg.norm(direction, axis=1, keepdims=True))
    centre = -np.einsum("oji,oj->oi", rotation, T[tracks.frame, :3, 3])
    projector = np.eye(3) - direction[:, :, None] * direction[:, None]
    left, right = np.zeros((tracks.point_count, 3, 3)), np.zeros((tracks.point_count, 3))
    np.add.at(left, tracks.point, projector)
    np.add.at(right, tracks.point, np.einsum("oij,oj->oi", projector, centre))
    return np.linalg.solve(left + 1e-6 * np.eye(3), right[..., None])[..., 0]


class GraspAdjustment:
    """The problem: tracks, keypoints and camera are given; `track_pixels` is how far an observation is off, in pixels.

    Frames without keypoints (NaN) are placed by their tracks alone.
    """

    def __init__(
        self, tracks: FeatureTracks, keypoints: Float[np.ndarray, "frame 21 2"], hand: RigidHand, K: Float[np.ndarray, "3 3"], track_pixels: float
    ) -> None:
        detected = np.isfinite(keypoints).all((1, 2))
        self.tracks, self.keypoints, self.hand, self.K = tracks, np.where(detected[:, None, None], keypoints, 0.0), hand, K
        self.track_scale = np.full(len(tracks.frame), track_pixels)
        self.keypoint_scale = np.repeat(np.where(detected, KEYPOINT_SHARE * keypoint_box_side(keypoints), np.inf), 21).reshape(-1, 21)

    def cost(self, unknowns: Unknowns) -> float:
        """What is minimised."""
        tracks, keypoints = self._compare(unknowns)
        return tracks.cost + keypoints.cost + float((self.hand.prior(unknowns.hand)[0] ** 2).sum())

    def keypoint_errors(self, unknowns: Unknowns) -> Float[np.ndarray, "frame 21"]:
        """Distance of the rigid hand's keypoints from those detected, as a share of the hand's box; 0 in frames without."""
        points = np.broadcast_to(self.hand.keypoints(unknowns.hand), (len(unknowns.T), 21, 3))
        pixels = _project(unknowns.T[:, None], points, self.K)[0]
        return np.linalg.norm(pixels - self.keypoints, axis=-1) * KEYPOINT_SHARE / self.keypoint_scale

    def solve(self, unknowns: Unknowns, steps: int) -> tuple[Unknowns, float]:
        """The unknowns after at most so many steps, and their cost."""
        damping, cost = 1e-4, self.cost(unknowns)
        for step in range(steps):
            candidate = self._step(unknowns, damping)
            attempt = self.cost(candidate)
            if attempt < cost:
                finished = cost - attempt < ENOUGH * cost and step > 5
                unknowns, cost, damping = candidate, attempt, max(0.3 * damping, 1e-7)
                if finished:
                    break
            else:
                damping *= 8
        return unknowns, cost

    def _compare(self, unknowns: Unknowns) -> tuple[_Part, _Part]:
        hand = np.broadcast_to(self.hand.keypoints(unknowns.hand), (len(unknowns.T), 21, 3))
        poses = np.broadcast_to(unknowns.T[:, None], (len(unknowns.T), 21, 4, 4))
        tracks = self._part(unknowns.T[self.tracks.frame], unknowns.points[self.tracks.point], self.tracks.pixel, self.track_scale, TRACK_WEIGHT)
        return tracks, self._part(poses, hand, self.keypoints, self.keypoint_scale, KEYPOINT_WEIGHT)

    def _part(self, poses: np.ndarray, points: np.ndarray, seen: np.ndarray, scale: np.ndarray, weight: float) -> _Part:
        pixels, by_pose, by_point = _project(poses, points, self.K)
        residual = (pixels - seen) / scale[..., None]
        square = (residual**2).sum(-1) / ROBUST**2
        root = np.sqrt(weight / (1 + square))
        share = (root / scale)[..., None, None]
        return _Part(residual * root[..., None], by_pose * share, by_point * share, weight * ROBUST**2 * float(np.log1p(square).sum()))

    def _step(self, unknowns: Unknowns, damping: float) -> Unknowns:
        """Gauss-Newton with damping; the points are eliminated, poses and hand solved for together."""
        tracks, keypoints = self._compare(unknowns)
        H, g = self._normal_equations(unknowns, tracks, keypoints)
        frame, point, size, count = self.tracks.frame, self.tracks.point, 6 * len(unknowns.T), len(unknowns.points)
        V, g_point = np.zeros((count, 3, 3)), np.zeros((count, 3))
        np.add.at(V, point, np.einsum("oji,ojk->oik", tracks.by_point, tracks.by_point))
        np.add.at(g_point, point, np.einsum("oji,oj->oi", tracks.by_point, tracks.residual))
        inverse = np.linalg.inv(V + damping * V * np.eye(3) + 1e-9 * np.eye(3))
        rows = np.broadcast_to(6 * frame[:, None, None] + np.arange(6)[:, None], (len(frame), 6, 3)).reshape(-1)
        columns = np.broadcast_to(3 * point[:, None, None] + np.arange(3), (len(frame), 6, 3)).reshape(-1)
        mixed = np.einsum("oji,ojk->oik", tracks.by_pose, tracks.by_point).reshape(-1)
        W = scipy.sparse.csr_matrix((mixed, (rows, columns)), shape=(size, 3 * count))
        Y = W @ scipy.sparse.bsr_matrix((inverse, np.arange(count), np.arange(count + 1))).tocsr()
        damped = H + damping * np.diag(np.diag(H))
        damped[:size, :size] -= (Y @ W.T).toarray()
        g[:size] -= Y @ g_point.reshape(-1)
        change = -cho_solve(cho_factor(damped), g)
        shift = -np.einsum("pij,pj->pi", inverse, g_point + (W.T @ change[:size]).reshape(count, 3))
        motion, T = change[:size].reshape(-1, 6), unknowns.T.copy()
        T[:, :3, :3] = matrix_from_axis_angle(torch.from_numpy(np.clip(motion[:, :3], -LARGEST_TURN, LARGEST_TURN))).numpy() @ T[:, :3, :3]
        T[:, :3, 3] += motion[:, 3:]
        return Unknowns(T, unknowns.points + np.clip(shift, -LARGEST_SHIFT, LARGEST_SHIFT), unknowns.hand + change[size:])

    def _normal_equations(self, unknowns: Unknowns, tracks: _Part, keypoints: _Part) -> tuple[np.ndarray, np.ndarray]:
        """J^T J and J^T r over poses, then hand."""
        frames = len(unknowns.T)
        size = 6 * frames
        by_hand = np.einsum("tkij,kjm->tkim", keypoints.by_point, self.hand.jacobian(unknowns.hand))
        blocks = np.einsum("tkji,tkjl->til", keypoints.by_pose, keypoints.by_pose)
        gradient = np.einsum("tkji,tkj->ti", keypoints.by_pose, keypoints.residual)
        np.add.at(blocks, self.tracks.frame, np.einsum("oji,ojk->oik", tracks.by_pose, tracks.by_pose))
        np.add.at(gradient, self.tracks.frame, np.einsum("oji,oj->oi", tracks.by_pose, tracks.residual))
        H, g = np.zeros((size + UNKNOWNS, size + UNKNOWNS)), np.zeros(size + UNKNOWNS)
        for t in range(frames):
            H[6 * t : 6 * t + 6, 6 * t : 6 * t + 6] = blocks[t]
        H[:size, size:] = np.einsum("tkji,tkjl->til", keypoints.by_pose, by_hand).reshape(size, UNKNOWNS)
        H[size:, :size] = H[:size, size:].T
        prior, by_prior = self.hand.prior(unknowns.hand)
        flat = by_hand.reshape(-1, UNKNOWNS)
        H[size:, size:] = flat.T @ flat + by_prior.T @ by_prior
        g[:size], g[size:] = gradient.reshape(-1), flat.T @ keypoints.residual.reshape(-1) + by_prior.T @ prior
        return H, g


def _project(T: np.ndarray, points: np.ndarray, K: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels of one point a pose, and derivatives by a small motion in the camera (turn, shift) and by the point."""
    turned = np.einsum("...ij,...j->...i", T[..., :3, :3], points)
    x, y, z = np.moveaxis(turned + T[..., :3, 3], -1, 0)
    z = np.maximum(z, NEAREST)
    zero = np.zeros_like(z)
    by_camera = np.stack([K[0, 0] / z, zero, -K[0, 0] * x / z**2, zero, K[1, 1] / z, -K[1, 1] * y / z**2], -1).reshape(*z.shape, 2, 3)
    a, b, c = np.moveaxis(turned, -1, 0)
    cross = np.stack([zero, -c, b, c, zero, -a, -b, a, zero], -1).reshape(*z.shape, 3, 3)
    pixels = np.stack([K[0, 0] * x / z + K[0, 2], K[1, 1] * y / z + K[1, 2]], -1)
    return pixels, np.concatenate([-by_camera @ cross, by_camera], -1), by_camera @ T[..., :3, :3]
