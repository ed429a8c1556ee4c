"""Hands of any mesh in MANO's axes: their size, and fingers straightened into the palm's plane."""

import numpy as np
from jaxtyping import Float

from hoifield.actors.skinned_model import JOINT_PARENTS

ADULT_HAND_LENGTH = 0.187
"""Metres from the wrist crease to the tip of the middle finger, mean of women and men (Gordon et al., ANSUR II, 2012)."""
CREASE_FRACTION = 0.09
"""Where the wrist crease lies between the wrist joint and the knuckles."""


def hand_length(joints: Float[np.ndarray, "joint=16 3"], tails: Float[np.ndarray, "finger=5 3"]) -> float:
    """Wrist crease to the end of the straight middle finger."""
    knuckle = np.linalg.norm(joints[4])
    bones = np.linalg.norm(np.diff(np.stack([*joints[4:7], tails[1]]), axis=0), axis=1)
    return float((1.0 - CREASE_FRACTION) * knuckle + bones.sum())


def hand_axes(joints: Float[np.ndarray, "sample joint=16 3"]) -> Float[np.ndarray, "sample 3 3"]:
    """Rows: MANO's axes in the body frame. Fingers -x, palm -y, thumb side +z."""
    forward = _unit(joints[:, [1, 4, 10, 7]].mean(1) - joints[:, 0])
    across = joints[:, 1] - joints[:, 7]
    across = _unit(across - forward * (across * forward).sum(-1, keepdims=True))
    return np.stack([-forward, np.cross(across, -forward), across], axis=1)


def flatten_hands(
    vertices: Float[np.ndarray, "sample vertex 3"],
    joints: Float[np.ndarray, "sample joint=16 3"],
    tails: Float[np.ndarray, "sample finger=5 3"],
    weights: Float[np.ndarray, "vertex joint=16"],
) -> tuple[Float[np.ndarray, "sample vertex 3"], Float[np.ndarray, "sample joint=16 3"], Float[np.ndarray, "sample finger=5 3"]]:
    """The hands skinned once so that every finger is straight and in the palm plane, and the thumb straight along its first bone."""
    rotations = np.tile(np.eye(3), (len(joints), 16, 1, 1))
    for chain in range(5):
        first = 3 * chain + 1
        ends = np.concatenate([joints[:, first : first + 3], tails[:, chain : chain + 1]], axis=1)
        bones = _unit(np.diff(ends, axis=1))
        straight = bones[:, 0] * ([1.0, 0.0, 1.0] if chain < 4 else [1.0, 1.0, 1.0])
        for k in range(3):
            rotations[:, first + k] = _rotation_between(bones[:, k], _unit(straight))
    shifts = np.zeros_like(joints)
    shifts[:, 0] = joints[:, 0]
    for joint in range(1, 16):
        parent = JOINT_PARENTS[joint]
        shifts[:, joint] = shifts[:, parent] + np.einsum("sab,sb->sa", rotations[:, parent], joints[:, joint] - joints[:, parent])
    offsets = shifts - np.einsum("sjab,sjb->sja", rotations, joints)
    flat = np.empty_like(vertices)
    for sample in range(len(vertices)):
        blended = np.tensordot(weights, rotations[sample], 1)
        flat[sample] = np.einsum("vab,vb->va", blended, vertices[sample]) + weights @ offsets[sample]
    last = [3 * chain + 3 for chain in range(5)]
    return flat, shifts, np.einsum("sjab,sjb->sja", rotations[:, last], tails) + offsets[:, last]


def _rotation_between(start: Float[np.ndarray, "sample 3"], end: Float[np.ndarray, "sample 3"]) -> Float[np.ndarray, "sample 3 3"]:
    """The smallest rotation that takes one unit vector to another (not defined for opposite ones)."""
    axis = np.cross(start, end)
    cross = np.zeros((len(axis), 3, 3))
    cross[:, 0, 1], cross[:, 0, 2], cross[:, 1, 2] = -axis[:, 2], axis[:, 1], -axis[:, 0]
    cross -= cross.transpose(0, 2, 1)
    return np.eye(3) + cross + cross @ cross / (1.0 + (start * end).sum(-1))[:, None, None]


def _unit(vectors: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def nearest_vertex(template: Float[np.ndarray, "vertex 3"], weight: Float[np.ndarray, "vertex"], point: Float[np.ndarray, "3"]) -> int:
    """The vertex nearest the point among those that one joint carries."""
    distance = np.linalg.norm(template - point, axis=1)
    return int(np.where(weight > 0.9, distance, np.inf).argmin())
