"""How far the object's motion is from the true motion, and where the object sits relative to the hand."""

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from hoifield.evaluation.align import align_frames
from hoifield.evaluation.shape_metrics import SurfaceDistances
from hoifield.geometry.mesh import Mesh, sample_surface

PLACEMENT_SAMPLES = 3_000


def pose_errors(
    prediction: Float[np.ndarray, "frame 4 4"], truth: Float[np.ndarray, "frame 4 4"], truth_centre: Float[np.ndarray, "3"]
) -> tuple[Float[np.ndarray, "frame"], Float[np.ndarray, "frame"]]:
    """Rotation (degrees) and translation (mm) errors of T_camera_object, after one constant alignment of the object frames.

    Translation is measured at `truth_centre` (truth's object frame), so that it does not depend on where an origin was put.
    Frames with NaN on either side give NaN.
    """
    rotation_error, translation_error = np.full((2, len(truth)), np.nan)
    placed = np.isfinite(prediction).all((1, 2)) & np.isfinite(truth).all((1, 2))
    if not placed.any():
        return rotation_error, translation_error
    to_centre = np.eye(4)
    to_centre[:3, 3] = truth_centre
    centred = truth[placed] @ to_centre
    aligned = prediction[placed] @ align_frames(prediction[placed], centred)
    turn = Rotation.from_matrix(aligned[:, :3, :3] @ centred[:, :3, :3].transpose(0, 2, 1))
    rotation_error[placed] = np.degrees(turn.magnitude())
    translation_error[placed] = 1e3 * np.linalg.norm(aligned[:, :3, 3] - centred[:, :3, 3], axis=1)
    return rotation_error, translation_error


def placement_error(
    prediction: tuple[Mesh, Float[np.ndarray, "frame 4 4"], Float[np.ndarray, "frame 3"]],
    truth: tuple[Mesh, Float[np.ndarray, "frame 4 4"], Float[np.ndarray, "frame 3"]],
    generator: np.random.Generator,
) -> Float[np.ndarray, "frame"]:
    """CD_h: object surface minus the hand's root joint (translation only), two-way mean squared distance per frame, cm^2.

    Each side is (mesh, T_camera_object, root joint in the camera). Nothing is aligned. Frames with NaN give NaN.
    """
    clouds = [sample_surface(mesh, PLACEMENT_SAMPLES, generator) for mesh, _, _ in (prediction, truth)]
    trees = [cKDTree(cloud) for cloud in clouds]
    relative = []
    for _, poses, roots in (prediction, truth):
        shifted = poses.copy()
        shifted[:, :3, 3] -= roots
        relative.append(shifted)
    errors = np.full(len(truth[1]), np.nan)
    for frame in range(len(errors)):
        T_prediction, T_truth = relative[0][frame], relative[1][frame]
        if not (np.isfinite(T_prediction).all() and np.isfinite(T_truth).all()):
            continue
        T = np.linalg.inv(T_truth) @ T_prediction
        forward = trees[1].query(clouds[0] @ T[:3, :3].T + T[:3, 3])[0]
        backward = trees[0].query((clouds[1] - T[:3, 3]) @ T[:3, :3])[0]
        errors[frame] = SurfaceDistances(forward, backward).chamfer_squared_cm2
    return errors
