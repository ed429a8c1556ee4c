"""A hand that does not move its fingers: 21 keypoints as functions of few numbers, and what is expected of these."""

import numpy as np
import torch
from jaxtyping import Float

from hoifield.actors.skinned_model import PALM_KEYPOINTS
from hoifield.observations.hand_keypoint_model import HandKeypointModel, HandState
from hoifield.observations.hand_track import HandTrack

UNKNOWNS = 73
"""45 angles, 10 components of shape, 18 offsets of the palm's keypoints."""
ANGLE_SPREAD = 0.5
"""Radians, about the median over the frames."""
SHAPE_SPREAD = 0.5
"""The size of the hand is the ruler of the scene, and is held."""
OFFSET_SPREAD = 0.006
"""Metres."""
LIMIT_SPREAD = 0.02
"""Radians beyond a hinge's limit."""
FIXED = 1e-3
"""Radians that an angle without freedom may have."""


class RigidHand:
    """Keypoints in the hand frame, metres, as functions of 73 unknowns; starts at the medians of a track."""

    def __init__(self, model: HandKeypointModel, hand: HandTrack) -> None:
        self.model = model
        fingers = torch.tensor(hand.pose[hand.observed, 1:], dtype=torch.float32)
        angles = model.angles_of(fingers).median(0).values.clamp(model.lower, model.upper)
        offsets = hand.keypoint_offsets[list(PALM_KEYPOINTS)].reshape(-1)
        self.start = np.concatenate([angles.flatten().numpy(), hand.shape, offsets]).astype(float)
        spread = np.where(model.is_free.flatten().numpy(), ANGLE_SPREAD, FIXED)
        self._expected = 1 / np.concatenate([spread, np.full(10, SHAPE_SPREAD), np.full(18, OFFSET_SPREAD)])
        self._lower, self._upper = (limit.flatten().numpy().astype(float) for limit in (model.lower, model.upper))

    def state(self, unknowns: Float[np.ndarray, "73"]) -> HandState:
        """One frame, in the hand frame."""
        return self._state(torch.tensor(unknowns, dtype=torch.float32))

    def keypoints(self, unknowns: Float[np.ndarray, "73"]) -> Float[np.ndarray, "21 3"]:
        """Metres, hand frame."""
        return self._flat(torch.tensor(unknowns, dtype=torch.float32)).numpy().astype(float).reshape(21, 3)

    def jacobian(self, unknowns: Float[np.ndarray, "73"]) -> Float[np.ndarray, "21 3 73"]:
        """Of the keypoints."""
        found = torch.autograd.functional.jacobian(self._flat, torch.tensor(unknowns, dtype=torch.float32), vectorize=True)
        return found.numpy().astype(float).reshape(21, 3, UNKNOWNS)

    def prior(self, unknowns: Float[np.ndarray, "73"]) -> tuple[Float[np.ndarray, "118"], Float[np.ndarray, "118 73"]]:
        """Residuals and their Jacobian: near the start, and inside the hinges' limits."""
        angles = unknowns[:45]
        beyond = np.clip(angles - self._upper, 0, None) + np.clip(angles - self._lower, None, 0)
        hinges = np.zeros((45, UNKNOWNS))
        hinges[np.arange(45), np.arange(45)] = (beyond != 0) / LIMIT_SPREAD
        return np.concatenate([(unknowns - self.start) * self._expected, beyond / LIMIT_SPREAD]), np.vstack([np.diag(self._expected), hinges])

    def _state(self, unknowns: torch.Tensor) -> HandState:
        angles, shape, offsets = unknowns[:45].reshape(1, 15, 3), unknowns[45:55], unknowns[55:].reshape(6, 3)
        return HandState(angles, torch.eye(3)[None], torch.zeros(1, 3), shape, offsets)

    def _flat(self, unknowns: torch.Tensor) -> torch.Tensor:
        return self.model.keypoints_in_hand(self._state(unknowns))[0].reshape(-1)
