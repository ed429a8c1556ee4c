"""Tracks of structure from motion and the keypoints of the holding hand, adjusted together: poses, points and one rigid hand.

The body frame is the hand's, so there is no gauge and the hand's size is the ruler. Levenberg-Marquardt, points eliminated (Schur), Cauchy
weights. One thread, no randomness.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
import torch
from jaxtyping import Float, Int
from scipy.linalg import cho_factor, cho_solve

from hoifield.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hoifield.observations.hand_keypoint_model import PALM_KEYPOINTS, HandKeypointModel, HandState
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.rotated_boxes import keypoint_box_side

TRACK_PIXELS = 1.5
KEYPOINT_SHARE = 0.02
"""Of the hand's box, that counts as one."""
ROBUST = 2.0
"""Cauchy's scale, in such units."""
INDEPENDENT = 0.2
"""Share of residuals that count: neighbours in time err together."""


@dataclass(frozen=True)
class Tracks:
    """Observations of points, one row each."""

    frame: Int[np.ndarray, "seen"]
    point: Int[np.ndarray, "seen"]
    pixel: Float[np.ndarray, "seen 2"]

    def longest(self, most: int) -> "Tracks":
        """The tracks seen most often, at least three times, numbered anew."""
        length = np.bincount(self.point)
        kept = np.argsort(-length, kind="stable")[:most]
        kept = kept[length[kept] >= 3]
        number = np.full(len(length), -1)
        number[kept] = np.arange(len(kept))
        rows = number[self.point] >= 0
        return Tracks(self.frame[rows], number[self.point[rows]], self.pixel[rows])


class RigidHand:
    """The 21 keypoints in the hand frame as functions of 45 angles, 10 shape components and 18 offsets, with what is expected of these."""

    def __init__(self, model: HandKeypointModel, hand: HandTrack) -> None:
        self.model = model
        finger = torch.tensor(hand.pose[hand.observed, 1:], dtype=torch.float32)
        angles = (model.axes.transpose(1, 2) @ finger[..., None])[..., 0].median(0).values.clamp(model.lower, model.upper)
        self.start = np.concatenate([angles.flatten().numpy(), hand.shape, hand.keypoint_offsets[list(PALM_KEYPOINTS)].reshape(-1)]).astype(float)
        free = model.is_free.flatten().numpy()
        self.expected = 1 / np.concatenate([np.where(free, 0.5, 1e-3), np.full(10, 0.5), np.full(18, 0.006)])
        self.lower, self.upper = (limit.flatten().numpy().astype(float) for limit in (model.lower, model.upper))

    def _flat(self, unknowns: torch.Tensor) -> torch.Tensor:
        angles, shape, offsets = unknowns[:45].reshape(1, 15, 3), unknowns[45:55], unknowns[55:].reshape(6, 3)
        return self.model.keypoints_in_hand(HandState(angles, torch.eye(3)[None], torch.zeros(1, 3), shape, offsets))[0].reshape(-1)

    def keypoints(self, unknowns: Float[np.ndarray, "73"]) -> Float[np.ndarray, "21 3"]:
        """Metres, hand frame."""
        return self._flat(torch.tensor(unknowns, dtype=torch.float32)).numpy().astype(float).reshape(21, 3)

    def jacobian(self, unknowns: Float[np.ndarray, "73"]) -> Float[np.ndarray, "21 3 73"]:
        """Of the keypoints."""
        found = torch.autograd.functional.jacobian(self._flat, torch.tensor(unknowns, dtype=torch.float32))
        return found.numpy().astype(float).reshape(21, 3, 73)

    def prior(self, unknowns: Float[np.ndarray, "73"]) -> tuple[Float[np.ndarray, "118"], Float[np.ndarray, "118 73"]]:
        """Residuals and their Jacobian: near the start, and inside the hinges' limits."""
        beyond = np.clip(unknowns[:45] - self.upper, 0, None) + np.clip(unknowns[:45] - self.lower, None, 0)
        hinges = np.zeros((45, 73))
        hinges[np.arange(45), np.arange(45)] = (beyond != 0) / 0.02
        return np.concatenate([(unknowns - self.start) * self.expected, beyond / 0.02]), np.vstack([np.diag(self.expected), hinges])


@dataclass(frozen=True)
class Unknowns:
    """What is adjusted."""

    T: Float[np.ndarray, "frame 4 4"]
    """Hand frame to camera."""
    points: Float[np.ndarray, "point 3"]
    hand: Float[np.ndarray, "73"]


@dataclass(frozen=True)
class Costs:
    """Parts of the total."""

    tracks: float
    keypoints: float
    prior: float
    keypoint_error: float
    """Mean distance as a share of the hand's box."""

    @property
    def total(self) -> float:
        """What is minimised."""
        return self.tracks + self.keypoints + self.prior


def triangulate(T: Float[np.ndarray, "frame 4 4"], tracks: Tracks, K: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "point 3"]:
    """The points nearest to their sight lines."""
    direction = np.column_stack([(tracks.pixel - K[[0, 1], 2]) / K[[0, 1], [0, 1]], np.ones(len(tracks.pixel))])
    direction = np.einsum("oji,oj->oi", T[tracks.frame, :3, :3], direction / np.linalg.norm(direction, axis=1, keepdims=True))
    centre = -np.einsum("oji,oj->oi", T[tracks.frame, :3, :3], T[tracks.frame, :3, 3])
    projector = np.eye(3) - direction[:, :, None] * direction[:, None]
    count = tracks.point.max() + 1
    left, right = np.zeros((count, 3, 3)), np.zeros((count, 3))
    np.add.at(left, tracks.point, projector)
    np.add.at(right, tracks.point, np.einsum("oij,oj->oi", projector, centre))
    return np.linalg.solve(left + 1e-6 * np.eye(3), right[..., None])[..., 0]


def _project(T: np.ndarray, points: np.ndarray, K: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels of one point a pose, and derivatives by a small motion in the camera (turn, shift) and by the point."""
    turned = np.einsum("...ij,...j->...i", T[..., :3, :3], points)
    x, y, z = np.moveaxis(turned + T[..., :3, 3], -1, 0)
    z = np.maximum(z, 0.02)
    zero = np.zeros_like(z)
    by_camera = np.stack([K[0, 0] / z, zero, -K[0, 0] * x / z**2, zero, K[1, 1] / z, -K[1, 1] * y / z**2], -1).reshape(*z.shape, 2, 3)
    a, b, c = np.moveaxis(turned, -1, 0)
    cross = np.stack([zero, -c, b, c, zero, -a, -b, a, zero], -1).reshape(*z.shape, 3, 3)
    pixels = np.stack([K[0, 0] * x / z + K[0, 2], K[1, 1] * y / z + K[1, 2]], -1)
    return pixels, np.concatenate([-by_camera @ cross, by_camera], -1), by_camera @ T[..., :3, :3]


class Adjustment:
    """The problem: tracks, keypoints and camera are given."""

    def __init__(self, tracks: Tracks, keypoints: Float[np.ndarray, "frame 21 2"], hand: RigidHand, K: Float[np.ndarray, "3 3"]) -> None:
        self.tracks, self.keypoints, self.hand, self.K = tracks, keypoints, hand, K
        self.box = keypoint_box_side(keypoints)

    def costs(self, unknowns: Unknowns) -> Costs:
        """Without derivatives."""
        return self._residuals(unknowns)[0]

    def _residuals(self, unknowns: Unknowns) -> tuple[Costs, tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
        """Costs; residual, pose and point derivatives of tracks and of keypoints, scaled and weighted."""
        T, total, parts = unknowns.T, [], []
        poses = (T[self.tracks.frame], np.broadcast_to(T[:, None], (len(T), 21, 4, 4)))
        points = (unknowns.points[self.tracks.point], np.broadcast_to(self.hand.keypoints(unknowns.hand), (len(T), 21, 3)))
        scales = (np.full(len(self.tracks.frame), TRACK_PIXELS), np.repeat(KEYPOINT_SHARE * self.box, 21).reshape(-1, 21))
        for pose, point, seen, scale in zip(poses, points, (self.tracks.pixel, self.keypoints), scales, strict=True):
            pixels, by_pose, by_point = _project(pose, point, self.K)
            residual = (pixels - seen) / scale[..., None]
            square = (residual**2).sum(-1) / ROBUST**2
            total.append(INDEPENDENT * ROBUST**2 * float(np.log1p(square).sum()))
            root = np.sqrt(INDEPENDENT / (1 + square))
            parts.append((residual * root[..., None], by_pose * (root / scale)[..., None, None], by_point * (root / scale)[..., None, None]))
            error = float((np.linalg.norm(pixels - seen, axis=-1) / (scale / KEYPOINT_SHARE)).mean())
        prior = float((self.hand.prior(unknowns.hand)[0] ** 2).sum())
        return Costs(*total, prior, error), parts[0], parts[1]

    def solve(self, unknowns: Unknowns, iterations: int) -> tuple[Unknowns, Costs]:
        """Levenberg-Marquardt; ends early where a step gains less than 1e-5 of the cost."""
        damping, costs = 1e-4, self.costs(unknowns)
        for step in range(iterations):
            candidate = self._step(unknowns, damping)
            attempt = self.costs(candidate)
            if attempt.total < costs.total:
                finished = costs.total - attempt.total < 1e-5 * costs.total and step > 5
                unknowns, costs, damping = candidate, attempt, max(0.3 * damping, 1e-7)
                if finished:
                    break
            else:
                damping *= 8
        return unknowns, costs

    def _step(self, unknowns: Unknowns, damping: float) -> Unknowns:
        """Gauss-Newton with damping, the points eliminated."""
        _, (r, A, B), (r_hand, A_hand, B_hand) = self._residuals(unknowns)
        frame, point, frames, count = self.tracks.frame, self.tracks.point, len(unknowns.T), len(unknowns.points)
        G = np.einsum("tkij,kjm->tkim", B_hand, self.hand.jacobian(unknowns.hand))
        blocks, gradient = np.einsum("tkji,tkjl->til", A_hand, A_hand), np.einsum("tkji,tkj->ti", A_hand, r_hand)
        np.add.at(blocks, frame, np.einsum("oji,ojk->oik", A, A))
        np.add.at(gradient, frame, np.einsum("oji,oj->oi", A, r))
        size = 6 * frames
        H, g = np.zeros((size + 73, size + 73)), np.zeros(size + 73)
        for t in range(frames):
            H[6 * t : 6 * t + 6, 6 * t : 6 * t + 6] = blocks[t]
        H[:size, size:] = np.einsum("tkji,tkjl->til", A_hand, G).reshape(size, 73)
        H[size:, :size] = H[:size, size:].T
        prior, by_hand = self.hand.prior(unknowns.hand)
        flat = G.reshape(-1, 73)
        H[size:, size:] = flat.T @ flat + by_hand.T @ by_hand
        g[:size], g[size:] = gradient.reshape(-1), flat.T @ r_hand.reshape(-1) + by_hand.T @ prior
        V, g_point = np.zeros((count, 3, 3)), np.zeros((count, 3))
        np.add.at(V, point, np.einsum("oji,ojk->oik", B, B))
        np.add.at(g_point, point, np.einsum("oji,oj->oi", B, r))
        inverse = np.linalg.inv(V + damping * V * np.eye(3) + 1e-9 * np.eye(3))
        rows = np.broadcast_to(6 * frame[:, None, None] + np.arange(6)[:, None], (len(frame), 6, 3)).reshape(-1)
        columns = np.broadcast_to(3 * point[:, None, None] + np.arange(3), (len(frame), 6, 3)).reshape(-1)
        W = scipy.sparse.csr_matrix((np.einsum("oji,ojk->oik", A, B).reshape(-1), (rows, columns)), shape=(size, 3 * count))
        Y = W @ scipy.sparse.bsr_matrix((inverse, np.arange(count), np.arange(count + 1))).tocsr()
        damped = H + damping * np.diag(np.diag(H))
        damped[:size, :size] -= (Y @ W.T).toarray()
        g[:size] -= Y @ g_point.reshape(-1)
        change = -cho_solve(cho_factor(damped), g)
        motion = change[:size].reshape(frames, 6)
        shift = -np.einsum("pij,pj->pi", inverse, g_point + (W.T @ change[:size]).reshape(count, 3))
        T = unknowns.T.copy()
        T[:, :3, :3] = matrix_from_axis_angle(torch.from_numpy(np.clip(motion[:, :3], -0.2, 0.2))).numpy() @ T[:, :3, :3]
        T[:, :3, 3] += motion[:, 3:]
        return Unknowns(T, unknowns.points + np.clip(shift, -0.03, 0.03), unknowns.hand + change[size:])


def mean_rotation(rotations: Float[np.ndarray, "frame 3 3"]) -> Float[np.ndarray, "3 3"]:
    """Chordal."""
    u, _, vt = np.linalg.svd(rotations.sum(0))
    return u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt


def reverse_depth(T: Float[np.ndarray, "frame 4 4"]) -> Float[np.ndarray, "frame 4 4"]:
    """The poses turned the other way about axes across the view, from their mean; turns about the view and places stay (Necker's reversal)."""
    mean = mean_rotation(T[:, :3, :3])
    turned = T[:, :3, :3] @ mean.T
    angle = np.arctan2(turned[:, 1, 0] - turned[:, 0, 1], turned[:, 0, 0] + turned[:, 1, 1])
    about_view = matrix_from_axis_angle(torch.from_numpy(np.outer(angle, [0.0, 0.0, 1.0]))).numpy()
    swing = axis_angle_from_matrix(torch.from_numpy(about_view.transpose(0, 2, 1) @ turned))
    found = T.copy()
    found[:, :3, :3] = about_view @ matrix_from_axis_angle(-swing).numpy() @ mean
    return found
