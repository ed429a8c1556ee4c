"""Annotations of a real set -> the record of results, in the project's frames, units and order of joints."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from hoifield.actors.mano_file import find_mano, load_mano
from hoifield.actors.skinned_model import KEYPOINT_FROM_JOINT, Side, SkinnedModel
from hoifield.clip.image_folder import read_image
from hoifield.errors import MissingInput
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.rotations import axis_angles_of, matrix_from_axis_angle
from hoifield.result.fit_result import FitResult, HandResult
from hoifield.result.mesh_files import read_mesh

CV_FROM_GL = np.diag([1.0, -1.0, -1.0])
"""OpenGL's camera axes (y up, looking along -z) to OpenCV's."""


@dataclass(frozen=True)
class AnnotatedHand:
    """A hand as sets annotate it, OpenCV camera axes, metres. NaN in frames without an annotation."""

    side: Side
    rotation: Float[np.ndarray, "frame 3 3"]
    """Of the root joint, in the camera."""
    root: Float[np.ndarray, "frame 3"]
    """The root joint, in the camera."""
    pose: Float[np.ndarray, "frame joint=15 3"]
    """Axis-angle from the flat hand; NaN where it cannot be known without a MANO file."""
    shape: Float[np.ndarray, "component=10"]
    keypoints: Float[np.ndarray, "frame keypoint=21 3"] | None
    """In the project's order; None where the set gives MANO's parameters only."""


@dataclass(frozen=True)
class AnnotatedClip:
    """The frames that annotations belong to, in the order in which a fit of the same pictures counts them."""

    name: str
    frames: int
    frames_per_second: float
    size: tuple[int, int]
    """Width and height, pixels."""


def assemble_truth(
    clip: AnnotatedClip,
    K: Float[np.ndarray, "3 3"],
    object_mesh: Mesh,
    T_camera_object: Float[np.ndarray, "frame 4 4"],
    hands: tuple[AnnotatedHand, ...],
) -> FitResult:
    """The record of results of a clip's annotations; a hand that can only be posed by a MANO file the user has not is left out."""
    completed = (complete_hand(hand) for hand in hands)
    return FitResult(
        frame_index=np.arange(clip.frames),
        time_s=np.arange(clip.frames) / clip.frames_per_second,
        image_size=clip.size,
        K=np.tile(K, (clip.frames, 1, 1)),
        object_mesh=object_mesh,
        T_camera_object=T_camera_object,
        object_confidence=np.isfinite(T_camera_object).all((1, 2)).astype(np.float64),
        hands=tuple(hand for hand in completed if hand is not None),
        summary=_describe(clip),
    )


def complete_hand(hand: AnnotatedHand) -> HandResult | None:
    """The hand with vertices (and keypoints, where the set has none) by the user's MANO file; None where nothing gives its keypoints."""
    path = find_mano(hand.side)
    model = None if path is None else load_mano(path, hand.side)
    if model is None and hand.keypoints is None:
        return None
    frames = len(hand.root)
    T = np.full((frames, 4, 4), np.nan)
    T[:, :3, :3], T[:, :3, 3], T[:, 3] = hand.rotation, hand.root, [0.0, 0.0, 0.0, 1.0]
    pose = np.concatenate([axis_angles_of(hand.rotation)[:, None], hand.pose], axis=1)
    known = np.isfinite(T).all((1, 2)) & np.isfinite(pose).all((1, 2))
    vertices, keypoints = np.full((frames, 0, 3), np.nan), hand.keypoints
    if model is not None and known.any():
        vertices, posed = _pose(model, hand.shape, pose, T, known)
        keypoints = posed if keypoints is None else keypoints
    if keypoints is None:
        return None
    return HandResult(
        side=hand.side,
        actor="mano",
        T_camera_hand=T,
        pose=pose,
        shape=hand.shape,
        vertices=vertices,
        joints=keypoints,
        faces=model.faces.numpy().astype(np.int64) if model is not None and vertices.shape[1] else np.zeros((0, 3), dtype=np.int64),
        confidence=known.astype(np.float64),
    )


def _pose(
    model: SkinnedModel,
    shape: Float[np.ndarray, "component=10"],
    pose: Float[np.ndarray, "frame joint=16 3"],
    T: Float[np.ndarray, "frame 4 4"],
    known: np.ndarray,
) -> tuple[Float[np.ndarray, "frame vertex 3"], Float[np.ndarray, "frame keypoint=21 3"]]:
    """Vertices and keypoints in the known frames, NaN in the others."""
    posed = model.pose(*(torch.from_numpy(part).to(model.template) for part in (shape, pose[known], T[known])))
    vertices, keypoints = np.full((len(T), len(model.template), 3), np.nan), np.full((len(T), 21, 3), np.nan)
    vertices[known], keypoints[known] = posed.vertices.double().numpy(), posed.keypoints.double().numpy()
    return vertices, keypoints


def rotations_of(axis_angles: Float[np.ndarray, "frame 3"]) -> Float[np.ndarray, "frame 3 3"]:
    """Rotation matrices; NaN for NaN."""
    return matrix_from_axis_angle(torch.from_numpy(np.asarray(axis_angles, dtype=np.float64))).numpy()


def keypoints_of_mano(joints: Float[np.ndarray, "frame joint=21 3"]) -> Float[np.ndarray, "frame keypoint=21 3"]:
    """The project's order from MANO's 16 joints followed by the tips of thumb, index, middle, ring, little."""
    return joints[:, list(KEYPOINT_FROM_JOINT)]


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture, upright."""
    height, width = read_image(path).shape[:2]
    return width, height


def read_model(path: Path, scale: float = 1.0) -> Mesh:
    """The set's mesh of an object, in metres. Raises MissingInput (HF-SET-002) where it is not there."""
    if not path.is_file():
        cause = f"the object's mesh {path.parent.name}/{path.name} is not in {path.parent.parent}"
        raise MissingInput("HF-SET-002", cause, "put the object models of the set where docs/real_sets.md says")
    mesh = read_mesh(path)
    return Mesh(mesh.vertices * scale, mesh.faces)


def _describe(clip: AnnotatedClip) -> dict[str, Any]:
    """The content of result.json for annotations; what only a fit can measure is null."""
    nothing = dict.fromkeys(("mask_iou_hand", "mask_iou_object", "psnr_db", "penetration_mean_mm", "contact_fraction"))
    width, height = clip.size
    return {
        "status": "ok",
        "reasons": [],
        "clip": {"name": clip.name, "frames": clip.frames, "fps": clip.frames_per_second, "width": width, "height": height, "sha256": None},
        "preset": "annotation",
        "device": "none",
        "seconds": dict.fromkeys(("observe", "fit", "total"), 0.0),
        "quality": nothing,
        "confidence": dict.fromkeys(("object_shape", "object_pose", "hand_pose"), 1.0),
        "versions": {},
        "seed": 0,
    }
