"""What the arrays of a result must satisfy: shapes, ranges, and finite poses wherever the confidence is above 0."""

import numpy as np

from hoifield.errors import RefusedInput
from hoifield.result.fit_result import FitResult, HandResult

REMEDY = "Restore the folder from a copy, or run the fit again with another --out."
LARGEST_SIDE = 65536
"""Pixels; a picture size beyond it is damage, not video."""


def check_arrays(result: FitResult) -> None:
    """Raise RefusedInput unless shapes agree (HF-RES-007), values are finite where they must be (HF-RES-008) and in range (HF-RES-009)."""
    frames = len(result.frame_index) if np.ndim(result.frame_index) == 1 else -1
    if frames < 1:
        raise RefusedInput("HF-RES-007", f"frame_index has shape {np.shape(result.frame_index)}, expected at least one frame", REMEDY)
    shapes: dict[str, tuple[np.ndarray, tuple[int, ...]]] = {
        "time_s": (result.time_s, (frames,)),
        "K": (result.K, (frames, 3, 3)),
        "T_camera_object": (result.T_camera_object, (frames, 4, 4)),
        "object_confidence": (result.object_confidence, (frames,)),
    }
    for name, (array, shape) in shapes.items():
        _check_shape(name, array, shape)
    _check_timeline(result)
    _check_poses("T_camera_object", result.T_camera_object, result.object_confidence)
    for hand in result.hands:
        _check_hand(hand, frames)


def _check_timeline(result: FitResult) -> None:
    index, time = np.asarray(result.frame_index), np.asarray(result.time_s)
    if not np.issubdtype(index.dtype, np.integer) or index[0] < 0 or (np.diff(index) <= 0).any():
        raise RefusedInput("HF-RES-009", "frame_index is not a rising list of frame numbers", REMEDY)
    if not np.isfinite(time).all() or (np.diff(time) <= 0).any():
        raise RefusedInput("HF-RES-009", "time_s is not a rising list of seconds", REMEDY)
    if not all(0 < side <= LARGEST_SIDE for side in result.image_size):
        raise RefusedInput("HF-RES-009", f"image_size is {result.image_size[0]} x {result.image_size[1]} pixels", REMEDY)
    if not np.isfinite(result.K).all() or (result.K[:, [0, 1], [0, 1]] <= 0).any():
        raise RefusedInput("HF-RES-008", "K holds a focal length that is not a positive number", REMEDY)


def _check_hand(hand: HandResult, frames: int) -> None:
    side = hand.side
    vertices = hand.vertices.shape[1] if np.ndim(hand.vertices) == 3 else -1
    shapes: dict[str, tuple[np.ndarray, tuple[int, ...]]] = {
        "T_camera_hand": (hand.T_camera_hand, (frames, 4, 4)),
        "pose": (hand.pose, (frames, 16, 3)),
        "shape": (hand.shape, (10,)),
        "vertices": (hand.vertices, (frames, vertices, 3)),
        "joints": (hand.joints, (frames, 21, 3)),
        "confidence": (hand.confidence, (frames,)),
        "faces": (hand.faces, (len(hand.faces) if np.ndim(hand.faces) == 2 else -1, 3)),
    }
    for name, (array, shape) in shapes.items():
        _check_shape(f"{side}_{name}", array, shape)
    _check_poses(f"{side}_T_camera_hand", hand.T_camera_hand, hand.confidence)
    seen = hand.confidence > 0
    for name, array in (("pose", hand.pose), ("vertices", hand.vertices), ("joints", hand.joints)):
        broken = seen & ~np.isfinite(array.reshape(frames, -1)).all(1)
        if broken.any():
            raise RefusedInput("HF-RES-008", f"{side}_{name} is not finite in {broken.sum()} frames with confidence above 0", REMEDY)
    if not np.isfinite(hand.shape).all():
        raise RefusedInput("HF-RES-008", f"{side}_shape is not finite", REMEDY)
    if not np.issubdtype(hand.faces.dtype, np.integer) or (len(hand.faces) and (hand.faces.min() < 0 or hand.faces.max() >= vertices)):
        raise RefusedInput("HF-RES-009", f"{side}_faces name vertices outside 0..{vertices - 1}", REMEDY)


def _check_shape(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if np.shape(array) != shape or not (
        np.issubdtype(np.asarray(array).dtype, np.floating) or np.issubdtype(np.asarray(array).dtype, np.integer)
    ):
        raise RefusedInput(
            "HF-RES-007", f"{name} has shape {np.shape(array)} of {np.asarray(array).dtype}, expected {shape} numbers", REMEDY
        )


def _check_poses(name: str, T: np.ndarray, confidence: np.ndarray) -> None:
    """Confidence in [0, 1], and where it is above 0 a finite rigid transform (orthonormal to 1e-3, right-handed)."""
    if not np.isfinite(confidence).all() or confidence.min() < 0 or confidence.max() > 1:
        raise RefusedInput("HF-RES-009", f"the confidence beside {name} leaves [0, 1]", REMEDY)
    seen = T[confidence > 0]
    broken = ~np.isfinite(seen).all(axis=(1, 2))
    if broken.any():
        raise RefusedInput("HF-RES-008", f"{name} is not finite in {broken.sum()} frames with confidence above 0", REMEDY)
    rotation = seen[:, :3, :3]
    skew = np.abs(rotation @ rotation.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2), initial=0.0)
    bad = (skew > 1e-3) | (np.linalg.det(rotation) < 0) | (np.abs(seen[:, 3] - [0, 0, 0, 1]).max(axis=1, initial=0.0) > 1e-6)
    if bad.any():
        raise RefusedInput("HF-RES-009", f"{name} is not a rigid transform in {bad.sum()} frames", REMEDY)
