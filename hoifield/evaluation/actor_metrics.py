"""How far the hand is from the true hand."""

import numpy as np
from jaxtyping import Float


def root_relative_joint_error(
    prediction: Float[np.ndarray, "frame joint=21 3"], truth: Float[np.ndarray, "frame joint=21 3"]
) -> Float[np.ndarray, "frame"]:
    """MPJPE-RA: mean distance of the 21 joints, each hand minus its own root joint, mm; no rotation or scale alignment."""
    difference = (prediction - prediction[:, :1]) - (truth - truth[:, :1])
    return 1e3 * np.linalg.norm(difference, axis=-1).mean(axis=-1)


def root_position_error(
    prediction: Float[np.ndarray, "frame joint=21 3"], truth: Float[np.ndarray, "frame joint=21 3"]
) -> Float[np.ndarray, "frame"]:
    """Distance of the root joints in the camera frame, mm; sees the depth errors that root-relative scores hide."""
    return 1e3 * np.linalg.norm(prediction[:, 0] - truth[:, 0], axis=-1)
