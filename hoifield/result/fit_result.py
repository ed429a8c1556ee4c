"""The answer of a fit, or the truth of a generated clip: one record for both, so that evaluation knows one format."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from hoifield.actors.skinned_model import Side
from hoifield.geometry.mesh import Mesh


@dataclass(frozen=True)
class HandResult:
    """One hand over the frames, camera frame, metres."""

    side: Side
    actor: str
    T_camera_hand: Float[np.ndarray, "frame 4 4"]
    pose: Float[np.ndarray, "frame joint=16 3"]
    shape: Float[np.ndarray, "component=10"]
    vertices: Float[np.ndarray, "frame vertex 3"]
    joints: Float[np.ndarray, "frame keypoint=21 3"]
    faces: Int[np.ndarray, "face 3"]
    confidence: Float[np.ndarray, "frame"]


@dataclass(frozen=True)
class FitResult:
    """Meshes, poses and the summary of one clip. Frames that could not be placed have NaN poses and confidence 0."""

    frame_index: Int[np.ndarray, "frame"]
    time_s: Float[np.ndarray, "frame"]
    image_size: tuple[int, int]
    """Width and height, pixels."""
    K: Float[np.ndarray, "frame 3 3"]
    object_mesh: Mesh
    T_camera_object: Float[np.ndarray, "frame 4 4"]
    object_confidence: Float[np.ndarray, "frame"]
    hands: tuple[HandResult, ...]
    summary: dict[str, Any] = field(default_factory=dict)
    """The content of `result.json` beside `schema` and `object`: status, reasons, clip, preset, device, seconds, quality, ..."""
