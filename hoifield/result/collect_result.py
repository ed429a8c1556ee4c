"""The scene and its observations -> meshes and poses of the whole clip."""

import numpy as np
import torch
from jaxtyping import Float

from hoifield.actors.skinned_model import Side, SkinnedModel
from hoifield.clip.clip import Clip
from hoifield.errors import RefusedInput
from hoifield.fitting.spread_corrections import ClipPoses, spread_corrections
from hoifield.geometry.isosurface import extract_isosurface
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.rotations import axis_angle_from_matrix
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.object_track import ObjectTrack
from hoifield.observations.observations import Observations
from hoifield.renderer.surface_level import rendered_surface_level
from hoifield.result.fit_result import FitResult, HandResult
from hoifield.result.joined_parts import join_parts
from hoifield.scene.scene import Scene


def collect_result(scene: Scene, observations: Observations, clip: Clip, actors: dict[Side, SkinnedModel], mesh_resolution: int, width: float) -> FitResult:
    """Object mesh, poses and hands of every frame; `summary` is left empty. Raises RefusedInput (HF-RES-013) without a surface."""
    track = observations.object_track
    assert track is not None
    return collect_poses(scene, fitted_mesh(scene, track, mesh_resolution, width), observations, clip, actors)


def collect_poses(scene: Scene, mesh: Mesh, observations: Observations, clip: Clip, actors: dict[Side, SkinnedModel]) -> FitResult:
    """Poses and hands of every frame with the object mesh that is given; `summary` is left empty."""
    poses = spread_corrections(scene, observations, clip.time_s)
    hands = tuple(_collect_hand(number, poses, observations, actors) for number in range(len(observations.hands)))
    track = observations.object_track
    assert track is not None
    return FitResult(
        frame_index=np.arange(clip.frame_count),
        time_s=clip.time_s,
        image_size=(clip.width, clip.height),
        K=np.repeat(observations.camera.K[None], clip.frame_count, 0),
        object_mesh=mesh,
        T_camera_object=poses.T_camera_object,
        object_confidence=track.confidence,
        hands=hands,
    )


def fitted_mesh(scene: Scene, track: ObjectTrack, resolution: int, width: float) -> Mesh:
    """The object's mesh in the colours of its field: the one that was given, else the field's zero level."""
    return colour_mesh(scene, track.hull) if track.known_shape is not None else extract_object_mesh(scene, resolution, width)


def extract_object_mesh(scene: Scene, resolution: int, width: float) -> Mesh:
    """The zero level of the object's field, coloured by its colour field as seen facing the camera; object frame, metres.

    Where a grasp hides the middle and the field has none there, the parts are joined through the first hull (`join_parts`).
    """
    values, lower, spacing = scene.object_distance.as_grid(resolution)
    if not bool((values < 0).any()):
        raise RefusedInput("HF-RES-013", "the object's field holds no surface after the fit", "label the object in two frames with --masks")
    # Rays stop a little before the zero level of a soft surface, so the fit puts that level inside the truth by a known amount.
    level = rendered_surface_level(values.numpy(), spacing, width)
    distances = values.numpy() - level
    if scene.hull is not None:
        distances = join_parts(distances, lower, spacing, scene.hull)
    return colour_mesh(scene, extract_isosurface(distances, lower.numpy(), spacing))


def colour_mesh(scene: Scene, mesh: Mesh) -> Mesh:
    """The mesh (object frame) coloured by the object's colour field as seen facing the camera."""
    vertices = torch.tensor(mesh.vertices, dtype=torch.float32)
    colours = []
    with torch.no_grad():
        for part in vertices.split(2**15):
            sample = scene.object_distance.query(part)
            facing = torch.tensor([0.0, 0.0, -1.0]).expand_as(part)
            colours.append(scene.surface_colour(part, sample, facing))
    return Mesh(mesh.vertices, mesh.faces, torch.cat(colours).clamp(0.0, 1.0).double().numpy())


def _collect_hand(number: int, poses: ClipPoses, observations: Observations, actors: dict[Side, SkinnedModel]) -> HandResult:
    hand, observed = poses.hands[number], observations.hands[number]
    model = actors[hand.side]
    known = np.isfinite(hand.T_camera_hand).all((1, 2))
    frames = len(known)
    vertices = np.full((frames, len(model.template), 3), np.nan, np.float32)
    joints = np.full((frames, 21, 3), np.nan, np.float32)
    pose = hand.pose.copy()
    pose[:, 0] = observed.pose[:, 0]
    with torch.no_grad():
        shape = torch.tensor(hand.shape, dtype=torch.float32)
        posed = model.pose(shape, torch.tensor(pose[known], dtype=torch.float32), torch.tensor(hand.T_camera_hand[known], dtype=torch.float32))
    vertices[known], joints[known] = posed.vertices.numpy(), posed.keypoints.numpy()
    pose[known, 0] = root_axis_angle(hand.T_camera_hand[known])
    return HandResult(
        side=hand.side,
        actor=model.name,
        T_camera_hand=hand.T_camera_hand,
        pose=pose,
        shape=hand.shape,
        vertices=vertices,
        joints=joints,
        faces=model.faces.numpy(),
        confidence=_hand_confidence(observed, observations.object_track),
    )


def _hand_confidence(hand: HandTrack, track: ObjectTrack | None) -> Float[np.ndarray, "frame"]:
    """By presence and keypoints where the hand was detected; where the object carries it, what is usual elsewhere times the object's own."""
    detected = hand.posed & hand.observed
    confidence = np.zeros(len(detected))
    confidence[detected] = hand.presence[detected] * np.exp(-hand.keypoint_error[detected] / 0.05)
    if track is not None and detected.any():
        carried = hand.posed & ~hand.observed
        confidence[carried] = np.median(confidence[detected]) * track.confidence[carried]
    return confidence


def root_axis_angle(T: Float[np.ndarray, "frame 4 4"]) -> Float[np.ndarray, "frame 3"]:
    """Axis-angle of the rotation part."""

    return axis_angle_from_matrix(torch.tensor(T[:, :3, :3])).numpy()
