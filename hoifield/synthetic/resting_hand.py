"""A hand in view beside an object that the other hand holds: open, hardly moving, and touching nothing."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial import cKDTree

from hoifield.actors.pose_limits import pose_from_anatomical
from hoifield.actors.skinned_model import SkinnedModel
from hoifield.errors import RefusedInput
from hoifield.synthetic.hand_object_motion import HandObjectMotion, SecondHandMotion
from hoifield.synthetic.motion import Sway, missing_distance, swayed
from hoifield.synthetic.scene_mesh import SceneParts

CLEARANCE = 0.03
"""Between the vertices watched of the resting hand at any time and of the other hand and the object at any other, metres."""
POINT_STEP = 5
TIMES = 12
"""Moments of the clip at which the hands' ways are compared."""
SIDEWAYS, UP_OR_DOWN = np.arange(0.02, 0.60, 0.01), (0.0, 0.05, 0.10, -0.05)
"""Shifts tried from the middle of what the other hand sweeps: towards the resting hand's side of the picture, and down it, metres."""
TURNS = ((-25.0, 5.0), (150.0, 180.0))
"""Turns about the forearm, degrees from the view into the palm: palm or back shown."""
SLOW = {"tilt": np.radians(7.0), "shift": 0.008, "lean": 0.0}


def rest_beside(parts: SceneParts, motion: HandObjectMotion, focal_ratio: float, seed: int) -> HandObjectMotion:
    """The motion with the second hand of `parts` beside it: on its own side of the picture, as near as `CLEARANCE` lets it come.

    The camera stands still; what is filmed may have to be moved farther away. Raises RefusedInput (HF-SYN-011) where no place is free.
    """
    assert parts.second is not None
    generator = np.random.default_rng(seed + 5000)
    pose = relaxed_pose(parts.second, generator)
    turn = np.radians(generator.uniform(*TURNS[int(generator.integers(len(TURNS)))]))
    sway = Sway(turn_from=turn, turn_to=turn + np.radians(12), **SLOW)
    rotations, shifts = swayed(sway, parts.second.side, motion.frames, seed + 5000)
    hand = parts.posed_hand(pose, parts.second)
    T = np.tile(np.eye(4), (motion.frames, 1, 1))
    T[:, :3, :3] = rotations
    T[:, :3, 3] = shifts - rotations @ ((hand.min(0) + hand.max(0)) / 2)
    T[:, :3, 3] += _free_place(parts, motion, T, hand, focal_ratio)
    T_hand_second = np.linalg.inv(motion.T_camera_hand) @ T
    return replace(motion, second=SecondHandMotion(T_hand_second, np.tile(pose, (motion.frames, 1, 1)), holds=False))


def relaxed_pose(actor: SkinnedModel, generator: np.random.Generator) -> Float[np.ndarray, "joint=16 3"]:
    """A hand at rest: fingers bent a little, more towards the little finger, the thumb beside the palm."""
    angles = torch.zeros(1, 16, 3)
    for place, joints in enumerate(((1, 2, 3), (4, 5, 6), (10, 11, 12), (7, 8, 9))):
        bend = 0.16 + 0.05 * place + 0.06 * float(generator.uniform(-1, 1))
        angles[0, list(joints), 0] = bend * torch.tensor([1.0, 1.3, 0.8])
    angles[0, 13, 0], angles[0, 14, 0] = 0.05, 0.15
    return pose_from_anatomical(actor, angles)[0].double().numpy()


def _free_place(
    parts: SceneParts,
    motion: HandObjectMotion,
    T_second: Float[np.ndarray, "frame 4 4"],
    hand: Float[np.ndarray, "vertex 3"],
    focal_ratio: float,
) -> Float[np.ndarray, "3"]:
    """Where the middle of the resting hand goes, metres in the camera's frame: the place that asks for the least distance to show all."""
    assert parts.second is not None and parts.second_arm is not None
    rows = np.unique(np.linspace(0, motion.frames - 1, TIMES).round().astype(int))
    swept, shown = [], []
    for row in rows:
        moment = motion.at(int(row))
        T = moment.T_camera_hand
        shown.append(parts.held_body(moment.pose, moment.T_hand_object)[::POINT_STEP] @ T[:3, :3].T + T[:3, 3])
        swept.append(parts.arm.vertices[::2] @ T[:3, :3].T + T[:3, 3])
    tree, body = cKDTree(np.concatenate(shown + swept)), np.concatenate(shown)
    limb = np.concatenate([hand, parts.second_arm.vertices])[::POINT_STEP]
    limbs = np.concatenate([limb @ T_second[row, :3, :3].T + T_second[row, :3, 3] for row in rows])
    hands = np.concatenate([hand[::POINT_STEP] @ T_second[row, :3, :3].T + T_second[row, :3, 3] for row in rows])
    towards = 1.0 if parts.second.side == "right" else -1.0
    middle = (body.min(0) + body.max(0)) / 2
    places: list[tuple[float, Float[np.ndarray, "3"]]] = []
    for down in UP_OR_DOWN:
        for sideways in SIDEWAYS:
            place = middle + [towards * sideways, down, 0.0]
            if tree.query(limbs + place, distance_upper_bound=CLEARANCE)[0].min() >= CLEARANCE:
                both = np.concatenate([body, hands + place])
                both = both - [*((both.min(0) + both.max(0)) / 2)[:2], 0.0]
                places.append((missing_distance(both, focal_ratio), place))
                break
    if not places:
        raise RefusedInput(
            "HF-SYN-011",
            f"no place for a second hand: within {SIDEWAYS[-1]:g} m none leaves {1000 * CLEARANCE:g} mm to hand and object",
            "use another motion or seed, or --second-hand none",
        )
    return min(places, key=lambda candidate: candidate[0])[1]
