"""Smooth motions of a hand that shows an object to a fixed camera."""

from dataclasses import dataclass
from typing import Literal, assert_never, get_args

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from hoifield.actors.skinned_model import Side

SwayName = Literal["turn", "scan", "everyday", "still"]
"""Motions that never let go, and that a formula gives."""
SWAY_NAMES: tuple[SwayName, ...] = get_args(SwayName)
MotionName = Literal["turn", "scan", "everyday", "still", "release"]
"""`release` lets go and grasps again."""
MOTION_NAMES: tuple[MotionName, ...] = get_args(MotionName)
FOREARM_DIRECTION = (0.40, 0.90, 0.08)
"""Where the forearm of a right hand points in the camera: down, to the right, away."""
NEAREST, FARTHEST = 0.42, 1.2
PICTURE_MARGIN = 0.05
TWO_HANDED_TURN: dict[SwayName, float] = {"turn": np.radians(40), "scan": np.radians(55), "everyday": np.radians(20), "still": np.radians(1)}
"""Largest turn of an object in two hands to either side: as far as two wrists go together."""


@dataclass(frozen=True)
class Sway:
    """Peak values of a motion: turn about the forearm (radians from the view into the palm), tilts (radians), shifts (metres).

    Turns of +-50 degrees put the object between camera and hand, where hand detectors see little; `scan` alone goes there.
    """

    turn_from: float
    turn_to: float
    tilt: float
    shift: float
    lean: float = np.radians(15)
    """Constant tilt about the flexion axis: the object stands out beyond the hand, whichever side is shown."""


def motion_sway(name: SwayName) -> Sway:
    """The peak values of a named motion."""
    match name:
        case "turn":
            return Sway(np.radians(72), np.radians(288), np.radians(15), 0.030)
        case "scan":
            return Sway(np.radians(0), np.radians(360), np.radians(16), 0.025)
        case "everyday":
            return Sway(np.radians(82), np.radians(132), np.radians(10), 0.030)
        case "still":
            return Sway(np.radians(99.0), np.radians(101.0), np.radians(0.8), 0.0015)
        case _:
            assert_never(name)


def make_motion(
    name: SwayName, side: Side, body: Float[np.ndarray, "point 3"], frames: int, focal_ratio: float, seed: int
) -> Float[np.ndarray, "frame 4 4"]:
    """T_camera_hand of each frame; `body` (hand frame) stays inside a picture whose focal length is `focal_ratio` of its side.

    The hand turns about its forearm while it tilts and sways; a left hand moves as the mirror image of a right one.
    """
    rotations, shifts = swayed(motion_sway(name), side, frames, seed)
    return _shown_whole(rotations, shifts, body, focal_ratio)


def make_two_handed_motion(
    name: SwayName,
    side: Side,
    arms: Float[np.ndarray, "2 3"],
    body: Float[np.ndarray, "point 3"],
    frames: int,
    focal_ratio: float,
    seed: int,
) -> Float[np.ndarray, "frame 4 4"]:
    """T_camera_hand of each frame for hands that hold one object together; `body` stays inside the picture as in `make_motion`.

    `arms` are the directions of the forearms, that of the first hand (whose side is given) first; hand frame, unit vectors. Half-way through
    they point down in the plane of the picture, to the left and the right, as a person sees the own hands. All turns about the vertical by
    `TWO_HANDED_TURN` to either side while it tilts and sways; a left first hand moves as the mirror image of a right one.
    """
    sway, most = motion_sway(name), TWO_HANDED_TURN[name]
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, size=5)
    share = np.arange(frames) / max(frames - 1, 1)
    turn = -most * np.cos(np.pi * share)
    pitch, roll = (size * most * np.sin(2 * np.pi * share * rate + phase[k]) for k, (size, rate) in enumerate(((0.4, 1.0), (0.25, 0.8))))
    mirror = np.diag([1.0 if side == "right" else -1.0, 1.0, 1.0])
    first, second = arms @ mirror
    right, down = first - second, first + second
    right, down = right / np.linalg.norm(right), down / np.linalg.norm(down)
    showing = np.stack([right, down, np.cross(right, down)])
    rotations = Rotation.from_rotvec(np.stack([pitch, turn, roll], axis=1)).as_matrix() @ showing
    return _shown_whole(mirror @ rotations @ mirror, _shifts(sway.shift, share, phase[2:]) @ mirror, body, focal_ratio)


def swayed(sway: Sway, side: Side, frames: int, seed: int) -> tuple[Float[np.ndarray, "frame 3 3"], Float[np.ndarray, "frame 3"]]:
    """R_camera_hand of each frame, and the shift (metres) that goes with it; a left hand moves as the mirror image of a right one."""
    generator = np.random.default_rng(seed)
    phase = generator.uniform(0, 2 * np.pi, size=5)
    share = np.arange(frames) / max(frames - 1, 1)
    turn = sway.turn_from + (sway.turn_to - sway.turn_from) * (1 - np.cos(np.pi * share)) / 2
    tilts = [sway.tilt * np.sin(2 * np.pi * share * rate + phase[k]) for k, rate in enumerate((1.0, 0.8))]
    turns = Rotation.from_rotvec(np.stack([np.zeros(frames), 0.7 * tilts[1], sway.lean + tilts[0]], axis=1)) * Rotation.from_rotvec(
        turn[:, None] * np.array([1.0, 0.0, 0.0])
    )
    rotations = _showing_rotation() @ turns.as_matrix()
    shifts = _shifts(sway.shift, share, phase[2:])
    if side == "left":
        mirror = np.diag([-1.0, 1.0, 1.0])
        rotations, shifts = mirror @ rotations @ mirror, shifts @ mirror
    return rotations, shifts


def _shifts(size: float, share: Float[np.ndarray, "frame"], phase: Float[np.ndarray, "3"]) -> Float[np.ndarray, "frame 3"]:
    """A slow wander of about that size, metres."""
    sway_x, sway_y, sway_z = (size * np.sin(2 * np.pi * share * rate + phase[k]) for k, rate in enumerate((0.9, 1.1, 0.7)))
    return np.stack([1.3 * sway_x, 0.8 * sway_y, sway_z], axis=1)


def _shown_whole(
    rotations: Float[np.ndarray, "frame 3 3"], shifts: Float[np.ndarray, "frame 3"], body: Float[np.ndarray, "point 3"], focal_ratio: float
) -> Float[np.ndarray, "frame 4 4"]:
    """Poses with those turns about the middle of the body, and as near as the body fits into the picture."""
    centre = (body.min(0) + body.max(0)) / 2
    T = np.tile(np.eye(4), (len(rotations), 1, 1))
    T[:, :3, :3] = rotations
    turned = (body - centre) @ rotations.transpose(0, 2, 1)
    T[:, :3, 3] = shifts + [0.0, 0.0, _distance_that_fits(turned + shifts[:, None], focal_ratio)] - rotations @ centre
    return T


def _showing_rotation() -> Float[np.ndarray, "3 3"]:
    """R_camera_hand of a right hand whose palm faces the camera and whose forearm leaves the picture below."""
    x = np.array(FOREARM_DIRECTION) / np.linalg.norm(FOREARM_DIRECTION)
    y = np.array([0.0, 0.0, 1.0]) - x[2] * x
    y /= np.linalg.norm(y)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def _distance_that_fits(points: Float[np.ndarray, "frame point 3"], focal_ratio: float) -> float:
    """Smallest distance at which every point projects into the picture with a margin, metres."""
    return float(np.clip(missing_distance(points, focal_ratio), NEAREST, FARTHEST))


def missing_distance(points: Float[np.ndarray, "*batch point 3"], focal_ratio: float) -> float:
    """How much farther away points of the camera's frame must be for all to project into the picture with a margin, metres; may be < 0."""
    half = 0.5 - PICTURE_MARGIN
    needed: Float[np.ndarray, "*batch point"] = np.abs(points[..., :2]).max(-1) * focal_ratio / half - points[..., 2]
    return float(needed.max())
