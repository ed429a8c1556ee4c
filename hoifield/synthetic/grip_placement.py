"""Where a hand goes to take an object by a grip: the palm on the grip's outer side, the handle across the fingers' roots."""

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from hoifield.shapes.object_family import Grip

HANDLE_TILT = np.radians([4.0, 24.0])
"""A handle lies aslant in the palm, from the index finger's root to the heel of the hand; turn about the palm's normal."""


def hand_on_grip(grip: Grip, side: float, generator: np.random.Generator) -> Float[np.ndarray, "4 4"]:
    """T_hand_object of a hand whose palm touches the grip's centre line; the caller moves it off along the palm's normal.

    `side` is 1 for a right and -1 for a left hand. An edge is taken by a left hand from the mirrored side.
    """
    axis = grip.axis * (side if grip.kind == "edge" else 1.0)
    outward = grip.outward - (grip.outward @ axis) * axis
    outward = outward / np.linalg.norm(outward)
    object_axes = np.stack([np.cross(outward, axis), outward, axis], axis=1)
    tilt, roll, pitch = 0.0, generator.uniform(-0.14, 0.14), generator.uniform(-0.07, 0.07)
    along, across = generator.uniform(-0.006, 0.008), generator.uniform(-0.096, -0.076)
    match grip.kind:
        case "handle":
            tilt = generator.uniform(*HANDLE_TILT)
        case "edge":
            across, along = generator.uniform(-0.090, -0.050), generator.uniform(0.0, 0.012)
        case "body":
            across, along, pitch = -0.108, generator.uniform(0.0, 0.012), 0.0
    hand_axes = Rotation.from_euler("yzx", [-side * tilt, side * roll, pitch]).as_matrix()
    T = np.eye(4)
    T[:3, :3] = hand_axes @ object_axes.T
    T[:3, 3] = [across * side, 0.0, along] - T[:3, :3] @ grip.point
    return T
