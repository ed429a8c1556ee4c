"""How well the answer, drawn into the picture, covers the true masks."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from hoifield.datasets.truth import Labels
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.result.fit_result import FitResult

OBJECT, RIGHT_HAND, LEFT_HAND = 1, 2, 3


def draw_labels(result: FitResult, row: int, width: int, height: int) -> UInt8[np.ndarray, "height width"]:
    """Labels of the nearest surface per pixel (0 background, 1 object, 2 right hand, 3 left hand) of one row of a result."""
    K = np.diag([width / result.image_size[0], height / result.image_size[1], 1.0]) @ result.K[row]
    depth = np.full((height, width), np.inf)
    labels = np.zeros((height, width), dtype=np.uint8)
    surfaces: list[tuple[int, Float[np.ndarray, "vertex 3"], Int[np.ndarray, "face 3"]]] = [
        (RIGHT_HAND if hand.side == "right" else LEFT_HAND, hand.vertices[row], hand.faces) for hand in result.hands
    ]
    T = result.T_camera_object[row]
    surfaces.append((OBJECT, result.object_mesh.vertices @ T[:3, :3].T + T[:3, 3], result.object_mesh.faces))
    for label, vertices, faces in surfaces:
        if not np.isfinite(vertices).all():
            continue
        surface_depth = rasterise_mesh(vertices, faces, K, width, height)[0]
        nearer = surface_depth < depth
        depth[nearer], labels[nearer] = surface_depth[nearer], label
    return labels


def mask_overlap(prediction: Bool[np.ndarray, "height width"], truth: Bool[np.ndarray, "height width"]) -> float:
    """Intersection over union; NaN where both are empty."""
    union = int((prediction | truth).sum())
    return float((prediction & truth).sum() / union) if union else float("nan")


def mask_overlaps(
    result: FitResult, rows: Int[np.ndarray, "frame"], frames: Int[np.ndarray, "frame"], read_labels: Callable[[int], Labels | None]
) -> tuple[Float[np.ndarray, "frame"], Float[np.ndarray, "frame"]]:
    """IoU of hands and of the object per frame; `rows` are the result's rows of clip frames `frames` (-1: not placed, IoU 0).

    NaN for frames without a true mask.
    """
    hand_overlap, object_overlap = np.zeros((2, len(frames)))
    for index, (row, frame) in enumerate(zip(rows, frames, strict=True)):
        truth = read_labels(int(frame))
        if truth is None:
            hand_overlap[index] = object_overlap[index] = np.nan
            continue
        drawn = draw_labels(result, int(row), truth.shape[1], truth.shape[0]) if row >= 0 else np.zeros_like(truth)
        hand_overlap[index] = mask_overlap(drawn >= RIGHT_HAND, (truth == RIGHT_HAND) | (truth == LEFT_HAND))
        object_overlap[index] = mask_overlap(drawn == OBJECT, truth == OBJECT)
    return hand_overlap, object_overlap
