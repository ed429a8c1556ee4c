"""The animated scene as one .glb: the object on its pose track, each hand skinned, in glTF's axes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from hoifield.actors.skinned_model import JOINT_NAMES, JOINT_PARENTS, Side, SkinnedModel
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.rotations import matrix_from_axis_angle, quaternion_from_matrix
from hoifield.result.fit_result import FitResult, HandResult
from hoifield.result.glb_file import AnimationTrack, GlbBuilder
from hoifield.storage import write_file

SKIN_COLOUR = (0.87, 0.68, 0.56)
OPENCV_IN_GLTF = [1.0, 0.0, 0.0, 0.0]
"""Half a turn about x as (x, y, z, w): diag(1, -1, -1), from x right, y down, z forward to x right, y up, -z forward."""


@dataclass(frozen=True)
class PoseTrack:
    """Rigid motion as glTF keys; frames without a pose hold the last one and have scale 0."""

    translation: Float[np.ndarray, "frame 3"]
    rotation: Float[np.ndarray, "frame 4"]
    """Quaternions (x, y, z, w), neighbours on the same side."""
    scale: Float[np.ndarray, "frame 3"]


def write_scene_glb(path: Path, result: FitResult, actor_models: Mapping[Side, SkinnedModel | None]) -> None:
    """Write the animated scene: metres, y up, camera at the origin looking along -z, time from the first frame.

    A hand whose model is given moves by linear blend skinning with at most four joints per vertex (MANO's pose correctives are
    not part of glTF skinning and are left out); one without a model moves rigidly, in the shape of its most confident frame.
    Nothing moves between the two sides of a gap: frames without a pose are hidden.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, encode_scene(result, actor_models))


def encode_scene(result: FitResult, actor_models: Mapping[Side, SkinnedModel | None]) -> bytes:
    """The bytes of the .glb of `write_scene_glb`."""
    builder = GlbBuilder()
    track = AnimationTrack(builder, np.asarray(result.time_s, dtype=np.float64) - float(result.time_s[0]), "clip")
    children = []
    present = result.object_confidence > 0
    if present.any():
        node = builder.add_node({"name": "object", "mesh": builder.add_mesh(result.object_mesh, "object")})
        _animate_rigid(track, node, pose_track(result.T_camera_object, present))
        children.append(node)
    for hand in result.hands:
        if (hand.confidence > 0).any():
            model = actor_models.get(hand.side)
            children.append(_add_rigid_hand(builder, track, hand) if model is None else _add_skinned_hand(builder, track, hand, model))
    if children:
        builder.add_root(builder.add_node({"name": "opencv_camera_frame", "rotation": OPENCV_IN_GLTF, "children": children}))
    width, height = result.image_size
    angle = 2.0 * float(np.arctan(height / (2.0 * result.K[0, 1, 1])))
    builder.add_root(builder.add_node({"name": "camera", "camera": builder.add_camera(angle, width / height)}))
    return builder.encode()


def pose_track(T: Float[np.ndarray, "frame 4 4"], present: Bool[np.ndarray, "frame"]) -> PoseTrack:
    """Keys of a rigid motion; gaps hold the pose before them (the first pose, before the first) at scale 0.

    Raises ValueError when no frame is present.
    """
    held = np.maximum.accumulate(np.where(present, np.arange(len(present)), -1))
    held = np.where(held < 0, int(np.flatnonzero(present)[0]), held)
    T = np.asarray(T, dtype=np.float64)[held]
    scale = np.repeat(present.astype(np.float64)[:, None], 3, axis=1)
    return PoseTrack(T[:, :3, 3], continuous_quaternions(T[:, :3, :3]), scale)


def continuous_quaternions(rotation: Float[np.ndarray, "frame 3 3"]) -> Float[np.ndarray, "frame 4"]:
    """Unit quaternions (x, y, z, w) of rotations; each is the sign nearest to the one before it, so that players take the short way."""
    quaternion = quaternion_from_matrix(torch.from_numpy(np.ascontiguousarray(rotation, dtype=np.float64))).numpy()[:, [1, 2, 3, 0]]
    agree = np.sign((quaternion[1:] * quaternion[:-1]).sum(1))
    quaternion[1:] *= np.cumprod(np.where(agree == 0, 1.0, agree))[:, None]
    return quaternion


def strongest_weights(weights: Float[np.ndarray, "vertex joint"]) -> tuple[Int[np.ndarray, "vertex 4"], Float[np.ndarray, "vertex 4"]]:
    """The four largest skinning weights of each vertex, scaled to sum 1; unused places name joint 0 with weight 0."""
    joints = np.argsort(-weights, axis=1, kind="stable")[:, :4]
    kept = np.maximum(np.take_along_axis(weights, joints, axis=1), 0.0)
    kept = (kept / kept.sum(1, keepdims=True)).astype(np.float32)
    return np.where(kept > 0, joints, 0), kept


def _animate_rigid(track: AnimationTrack, node: int, motion: PoseTrack) -> None:
    track.move(node, "translation", motion.translation)
    track.move(node, "rotation", motion.rotation)
    track.move(node, "scale", motion.scale, interpolation="STEP")


def _add_rigid_hand(builder: GlbBuilder, track: AnimationTrack, hand: HandResult) -> int:
    best = int(hand.confidence.argmax())
    T = np.asarray(hand.T_camera_hand[best], dtype=np.float64)
    rest = (np.asarray(hand.vertices[best], dtype=np.float64) - T[:3, 3]) @ T[:3, :3]
    name = f"{hand.side}_hand_rigid"
    node = builder.add_node({"name": name, "mesh": builder.add_mesh(Mesh(rest, hand.faces), name, SKIN_COLOUR)})
    _animate_rigid(track, node, pose_track(hand.T_camera_hand, hand.confidence > 0))
    return node


def _add_skinned_hand(builder: GlbBuilder, track: AnimationTrack, hand: HandResult, model: SkinnedModel) -> int:
    """The root joint's node; the skinned mesh itself is a root of the scene, where glTF wants it."""
    vertices, joints = (
        array.detach().cpu().double().numpy() for array in model.shaped(torch.as_tensor(hand.shape, dtype=model.template.dtype))
    )
    nodes = [builder.add_node({"name": f"{hand.side}_{name}"}) for name in JOINT_NAMES]
    for joint, parent in enumerate(JOINT_PARENTS):
        if parent >= 0:
            builder.document["nodes"][nodes[joint]]["translation"] = [float(value) for value in joints[joint] - joints[parent]]
            builder.document["nodes"][nodes[parent]].setdefault("children", []).append(nodes[joint])
    inverse_bind = np.tile(np.eye(4), (len(joints), 1, 1))
    inverse_bind[:, :3, 3] = -joints
    skin = builder.add_skin(nodes, inverse_bind, f"{hand.side}_hand")
    weights = strongest_weights(model.weights.detach().cpu().double().numpy())
    mesh = builder.add_mesh(Mesh(vertices, model.faces.cpu().numpy()), f"{hand.side}_hand", SKIN_COLOUR, weights)
    builder.add_root(builder.add_node({"name": f"{hand.side}_hand", "mesh": mesh, "skin": skin}))
    present = hand.confidence > 0
    T_camera_wrist = np.asarray(hand.T_camera_hand, dtype=np.float64).copy()
    T_camera_wrist[:, :3, 3] += T_camera_wrist[:, :3, :3] @ joints[0]
    _animate_rigid(track, nodes[0], pose_track(T_camera_wrist, present))
    rotations = matrix_from_axis_angle(torch.from_numpy(np.where(present[:, None, None], hand.pose, 0.0).astype(np.float64))).numpy()
    for joint in range(1, len(nodes)):
        local = np.tile(np.eye(4), (len(present), 1, 1))
        local[:, :3, :3] = rotations[:, joint]
        track.move(nodes[joint], "rotation", pose_track(local, present).rotation)
    return nodes[0]
