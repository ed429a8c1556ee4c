"""Anatomical joint axes and ranges of motion under MANO's axes, shared by every hand model."""

import numpy as np
from jaxtyping import Float

THUMB_BASE_FLEXION = (0.49, -0.74, -0.47)
THUMB_FLEXION = (0.88, -0.46, 0.02)
"""Flexion axes of the right thumb (base joint, and the two others), hand frame; from the flattened cross-section of the thumb tip."""

FINGER_RANGES = (((-20, 90), (-20, 20), (0, 0)), ((-5, 110), (0, 0), (0, 0)), ((-8, 80), (0, 0), (0, 0)))
THUMB_RANGES = (((-30, 45), (-40, 40), (-30, 30)), ((-15, 60), (-10, 10), (0, 0)), ((-20, 80), (0, 0), (0, 0)))
"""Degrees from the flat hand, per joint of a chain: (flexion, abduction, twist), each (lowest, highest)."""


def anatomical_axes(
    joints: Float[np.ndarray, "joint=16 3"], fingertips: Float[np.ndarray, "finger=5 3"]
) -> Float[np.ndarray, "joint=16 3 3"]:
    """Columns (flexion, abduction, twist) of every joint of a right hand in MANO's axes (fingers -x, palm -y, thumb side +z).

    `fingertips` in the order of the joint tree (index, middle, little, ring, thumb). Twist is along the bone to the next joint;
    a finger bends about the axis across bone and palm normal, positive towards the palm; positive abduction turns towards the
    thumb side. Each basis is a rotation matrix.
    """
    axes = np.tile(np.eye(3), (16, 1, 1))
    for chain in range(5):
        for k in range(3):
            joint = 3 * chain + k + 1
            end = joints[joint + 1] if k < 2 else fingertips[chain]
            bone = (end - joints[joint]) / np.linalg.norm(end - joints[joint])
            across = np.cross((0.0, 1.0, 0.0), bone) if chain < 4 else np.array(THUMB_BASE_FLEXION if k == 0 else THUMB_FLEXION)
            flexion = across - bone * (across @ bone)
            flexion /= np.linalg.norm(flexion)
            axes[joint] = np.stack([flexion, np.cross(bone, flexion), bone], axis=1)
    return axes


def joint_ranges() -> tuple[Float[np.ndarray, "joint=16 3"], Float[np.ndarray, "joint=16 3"]]:
    """Lower and upper limits, radians from the flat hand in the anatomical basis; the wrist's row is zero and not used."""
    ranges = np.zeros((16, 3, 2))
    for chain in range(5):
        ranges[3 * chain + 1 : 3 * chain + 4] = FINGER_RANGES if chain < 4 else THUMB_RANGES
    return np.radians(ranges[..., 0]), np.radians(ranges[..., 1])


def mirrored_axes(axes: Float[np.ndarray, "joint=16 3 3"]) -> Float[np.ndarray, "joint=16 3 3"]:
    """Axes of the left hand: the same angles give the mirrored motion, axis-angle (a, b, c) -> (a, -b, -c).

    Rotations are pseudo-vectors, so the twist axis of a left hand points from the tip to the palm.
    """
    return np.diag([1.0, -1.0, -1.0]) @ axes
