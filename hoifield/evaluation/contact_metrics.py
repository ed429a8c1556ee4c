"""Whether the hand touches the object where it should: contact agreement, and never without it, penetration."""

import numpy as np
from jaxtyping import Bool, Float, Int
from manifold3d import Manifold
from manifold3d import Mesh as ManifoldMesh

from hoifield.actors.skinned_model import FINGERS
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.mesh_distance import MeshDistance

CONTACT_DISTANCE = 0.005
"""Skin nearer than this to the object surface (either side) counts as touching, metres."""
BONE_STARTS = (0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19)
BONE_ENDS = tuple(range(1, 21))
FINGER_BONES = {
    **{finger: (4 * number + 1, 4 * number + 2, 4 * number + 3) for number, finger in enumerate(FINGERS)},
    "palm": (0, 4, 8, 12, 16),
}
"""The three segments of each finger, and the rays of the palm, as indices of bones."""


def _solid(vertices: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"]) -> Manifold | None:
    """The closed solid of a mesh in centimetres, or None where the mesh does not close."""
    unique, index = np.unique(np.ascontiguousarray(vertices, dtype=np.float32), axis=0, return_inverse=True)
    merged = index.reshape(-1)[faces]
    whole = (merged[:, 0] != merged[:, 1]) & (merged[:, 1] != merged[:, 2]) & (merged[:, 2] != merged[:, 0])
    solid = Manifold(ManifoldMesh(vert_properties=np.ascontiguousarray(100 * unique), tri_verts=merged[whole].astype(np.uint32)))
    return None if solid.is_empty() else solid


def penetration_volumes(
    object_mesh: Mesh,
    T_camera_object: Float[np.ndarray, "frame 4 4"],
    hand_vertices: Float[np.ndarray, "frame vertex 3"],
    hand_faces: Int[np.ndarray, "face 3"],
) -> Float[np.ndarray, "frame"]:
    """Volume shared by hand and object per frame, cm^3; NaN where a pose is missing or a mesh does not close."""
    volumes = np.full(len(T_camera_object), np.nan)
    object_solid = _solid(object_mesh.vertices, object_mesh.faces)
    if object_solid is None:
        return volumes
    for frame, (T, vertices) in enumerate(zip(T_camera_object, hand_vertices, strict=True)):
        if not (np.isfinite(T).all() and np.isfinite(vertices).all()):
            continue
        hand_solid = _solid((vertices - T[:3, 3]) @ T[:3, :3], hand_faces)
        if hand_solid is not None:
            volumes[frame] = (object_solid ^ hand_solid).volume()
    return volumes


def touching_bones(
    object_mesh: Mesh,
    T_camera_object: Float[np.ndarray, "frame 4 4"],
    hand_vertices: Float[np.ndarray, "frame vertex 3"],
    hand_joints: Float[np.ndarray, "frame keypoint=21 3"],
) -> Bool[np.ndarray, "frame bone=20"]:
    """Which of the 20 bones of the hand (palm rays and finger segments) touch the object, per frame.

    Bones are common to all actors, so hands of different meshes compare. Frames with a missing pose touch nothing.
    """
    distance = MeshDistance(object_mesh.vertices, object_mesh.faces)
    touching = np.zeros((len(T_camera_object), len(BONE_ENDS)), dtype=bool)
    for frame, (T, vertices, joints) in enumerate(zip(T_camera_object, hand_vertices, hand_joints, strict=True)):
        if not (np.isfinite(T).all() and np.isfinite(vertices).all() and np.isfinite(joints).all()):
            continue
        near = np.abs(distance.closest((vertices - T[:3, 3]) @ T[:3, :3]).signed_distance) < CONTACT_DISTANCE
        if near.any():
            touching[frame, np.unique(_nearest_bone(vertices[near], joints))] = True
    return touching


def _nearest_bone(points: Float[np.ndarray, "point 3"], joints: Float[np.ndarray, "keypoint=21 3"]) -> Int[np.ndarray, "point"]:
    """Index of the bone (segment between keypoints) nearest to each point."""
    starts, ends = joints[list(BONE_STARTS)], joints[list(BONE_ENDS)]
    along = ends - starts
    share = np.einsum("pbi,bi->pb", points[:, None] - starts, along) / np.maximum((along**2).sum(1), 1e-12)
    nearest = starts + np.clip(share, 0, 1)[..., None] * along
    return np.linalg.norm(points[:, None] - nearest, axis=-1).argmin(1)


def contact_agreement(prediction: Bool[np.ndarray, "frame bone"], truth: Bool[np.ndarray, "frame bone"]) -> float:
    """F1 of touching bones over all frames, in [0, 1]; 1 where neither touches."""
    both = int((prediction & truth).sum())
    either = int(prediction.sum() + truth.sum())
    return 2 * both / either if either else 1.0
