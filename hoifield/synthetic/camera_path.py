"""How the camera moves in the room."""

from typing import Literal, assert_never, get_args

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

CameraName = Literal["fixed", "moving", "shaky"]
CAMERA_NAMES: tuple[CameraName, ...] = get_args(CameraName)
ORBIT = np.radians([5.0, 11.0, 3.0])
"""Peak pitch, yaw and roll of a moving camera about what it films."""
DRIFT = np.radians([0.5, 0.7, 0.4])
"""Slow wander of every camera in the hand."""
SHAKE = np.radians([0.55, 0.55, 0.35])
"""Peak of the quick turns of a shaky camera about itself, per sinusoid."""
SHAKE_SHIFT = 0.0025
"""Peak of its quick shifts, metres, per sinusoid."""
SHAKE_RATES = (1.7, 3.1, 5.3, 7.9)
"""Hertz, as of a hand that is not at rest."""


def make_camera_path(name: CameraName, times_s: Float[np.ndarray, "frame"], distance: float, seed: int) -> Float[np.ndarray, "frame 4 4"]:
    """T_camera_room of each frame; the room's frame is that of a fixed camera whose subject is `distance` metres ahead.

    `moving` circles the subject while it wanders a little; `shaky` stays in place, wanders, and trembles.
    """
    generator = np.random.default_rng(seed + 3000)
    phase = generator.uniform(0, 2 * np.pi, size=(2 + len(SHAKE_RATES), 6))
    share = np.arange(len(times_s)) / max(len(times_s) - 1, 1)
    match name:
        case "fixed":
            return np.tile(np.eye(4), (len(times_s), 1, 1))
        case "moving":
            orbit = ORBIT * np.sin(2 * np.pi * share[:, None] * [0.6, 0.5, 0.4] + phase[0, :3])
            wander, shift = DRIFT * np.sin(2 * np.pi * share[:, None] * [1.3, 1.1, 0.9] + phase[1, :3]), np.zeros((len(times_s), 3))
        case "shaky":
            orbit = np.zeros((len(times_s), 3))
            wander = 2 * DRIFT * np.sin(2 * np.pi * share[:, None] * [0.7, 0.9, 0.5] + phase[1, :3])
            shift = np.zeros((len(times_s), 3))
            for k, rate in enumerate(SHAKE_RATES):
                wave = np.sin(2 * np.pi * rate * times_s[:, None] + phase[2 + k])
                wander, shift = wander + SHAKE * wave[:, :3] / (k + 1), shift + SHAKE_SHIFT * wave[:, 3:] / (k + 1)
        case _:
            assert_never(name)
    return _about(np.array([0.0, 0.0, distance]), orbit) @ _about(np.zeros(3), wander) @ _shifted(shift)


def _about(centre: Float[np.ndarray, "3"], turns: Float[np.ndarray, "frame 3"]) -> Float[np.ndarray, "frame 4 4"]:
    """Turns (rotation vectors) about a point."""
    T = np.tile(np.eye(4), (len(turns), 1, 1))
    T[:, :3, :3] = Rotation.from_rotvec(turns).as_matrix()
    T[:, :3, 3] = centre - T[:, :3, :3] @ centre
    return T


def _shifted(shifts: Float[np.ndarray, "frame 3"]) -> Float[np.ndarray, "frame 4 4"]:
    """Pure shifts."""
    T = np.tile(np.eye(4), (len(shifts), 1, 1))
    T[:, :3, 3] = shifts
    return T
