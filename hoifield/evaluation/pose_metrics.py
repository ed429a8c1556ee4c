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
    relative = []
    for mesh, poses, roots in (prediction, truth):
        shifted = poses.copy()
        shifted[:, :3, 3] -= roots
        relative.append((mesh, shifted))
    return placement_in_hand_frame(relative[0], relative[1], 0.020, PLACEMENT_SAMPLES, generator)[0]


def placement_in_hand_frame(
    prediction: tuple[Mesh, Float[np.ndarray, "frame 4 4"]],
    truth: tuple[Mesh, Float[np.ndarray, "frame 4 4"]],
    threshold: float,
    count: int,
    generator: np.random.Generator,
) -> tuple[Float[np.ndarray, "frame"], Float[np.ndarray, "frame"]]:
    """Two-way mean squared distance (cm^2) and F-score (percent, at `threshold` metres) of the object as it lies in a frame of the hand.

    Each side is (mesh, T_hand_object); `count` samples each. With the hand's own axes this is DiffHOI's arrangement score. Frames with
    NaN give NaN.
    """
    clouds = [sample_surface(mesh, count, generator) for mesh, _ in (prediction, truth)]
    trees = [cKDTree(cloud) for cloud in clouds]
    errors, scores = np.full((2, len(truth[1])), np.nan)
    for frame, (T_prediction, T_truth) in enumerate(zip(prediction[1], truth[1], strict=True)):
        if not (np.isfinite(T_prediction).all() and np.isfinite(T_truth).all()):
            continue
        T = np.linalg.inv(T_truth) @ T_prediction
        forward = trees[1].query(clouds[0] @ T[:3, :3].T + T[:3, 3])[0]
        backward = trees[0].query((clouds[1] - T[:3, 3]) @ T[:3, :3])[0]
        distances = SurfaceDistances(forward, backward)
        errors[frame], scores[frame] = distances.chamfer_squared_cm2, distances.f_score_pct(threshold)
    return errors, scores
