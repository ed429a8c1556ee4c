"""The 21 keypoints of an actor's hand as a cheap function of its angles: joints and fingertips only, no skin."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hoifield.actors.skinned_model import PALM_KEYPOINTS, SkinnedModel
from hoifield.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hoifield.observations.detector_offsets import detector_offsets

CHAIN_STARTS = (13, 1, 4, 10, 7)
"""First joints of thumb, index, middle, ring and little finger, in keypoint order."""


@dataclass(frozen=True)
class HandState:
    """A hand over frames, as the fit varies it."""

    angles: Float[Tensor, "frame 15 3"]
    """Flexion, abduction, twist per finger joint (order of the joint tree), radians."""
    rotation: Float[Tensor, "frame 3 3"]
    """Of the hand frame in the camera."""
    translation: Float[Tensor, "frame 3"]
    """Wrist joint in the camera, metres."""
    shape: Float[Tensor, "component=10"]
    palm_offsets: Float[Tensor, "6 3"]
    """Detector's minus actor's palm keypoints, hand frame, metres."""


@dataclass(frozen=True)
class HandKeypointModel:
    """An actor reduced to its keypoints. Fingertips are carried by the last bone alone, without pose correctives."""

    axes: Float[Tensor, "15 3 3"]
    lower: Float[Tensor, "15 3"]
    upper: Float[Tensor, "15 3"]
    joint_template: Float[Tensor, "16 3"]
    joint_directions: Float[Tensor, "16 3 10"]
    tip_template: Float[Tensor, "5 3"]
    tip_directions: Float[Tensor, "5 3 10"]
    usual_offsets: Float[Tensor, "6 3"]
    """Of the palm's keypoints (detector's minus actor's), hand frame, metres."""
    finger_offsets: Float[Tensor, "5 3 3"]
    """Of the three outer keypoints of each finger, each turned with the bone that ends there, metres."""

    @staticmethod
    def of_actor(actor: SkinnedModel) -> "HandKeypointModel":
        """The keypoint model of an actor, in single precision."""
        tips = list(actor.fingertip_vertices)
        arrays = (actor.joint_axes[1:], actor.lower_limits[1:], actor.upper_limits[1:], actor.joint_template, actor.joint_directions)
        offsets = detector_offsets(actor)
        palm, fingers = offsets[list(PALM_KEYPOINTS)], offsets[1:].reshape(5, 4, 3)[:, 1:]
        return HandKeypointModel(*(a.detach().float() for a in (*arrays, actor.template[tips], actor.shape_directions[tips], palm, fingers)))

    @property
    def is_free(self) -> Bool[Tensor, "15 3"]:
        """Angles that the limits leave free; the others stay zero."""
        return (self.upper - self.lower) > 1e-6

    def rest(self, shape: Float[Tensor, "component=10"]) -> tuple[Float[Tensor, "16 3"], Float[Tensor, "5 3"]]:
        """Joints and fingertips of the flat hand of a shape."""
        return self.joint_template + self.joint_directions @ shape, self.tip_template + self.tip_directions @ shape

    def finger_rotations(self, angles: Float[Tensor, "frame 15 3"]) -> Float[Tensor, "frame 15 3 3"]:
        """Rotation of every finger joint relative to its parent."""
        return matrix_from_axis_angle((self.axes @ angles[..., None])[..., 0])

    def keypoints_in_hand(self, state: HandState) -> Float[Tensor, "frame 21 3"]:
        """Keypoints (with the detector's offsets) relative to the wrist joint, hand frame."""
        joints, tips = self.rest(state.shape)
        first = list(CHAIN_STARTS)
        second, third = [j + 1 for j in first], [j + 2 for j in first]
        bones = torch.stack([joints[second] - joints[first], joints[third] - joints[second], tips - joints[third]], dim=1)
        turns = self._bone_turns(state.angles)
        ends = joints[first][:, None] + (turns @ bones[..., None])[..., 0].cumsum(dim=2)
        fingers = torch.cat([joints[first].expand(len(turns), 5, 3)[:, :, None], ends], dim=2).reshape(-1, 20, 3)
        keypoints = torch.cat([joints[0].expand(len(turns), 1, 3), fingers], dim=1) - joints[0]
        return keypoints + self._turned_offsets(turns, state.palm_offsets)

    def mean_offsets(self, state: HandState) -> Float[Tensor, "21 3"]:
        """Detector's minus actor's keypoints in the hand frame, mean over the frames, metres."""
        return self._turned_offsets(self._bone_turns(state.angles), state.palm_offsets).mean(0)

    def _bone_turns(self, angles: Float[Tensor, "frame 15 3"]) -> Float[Tensor, "frame 5 3 3 3"]:
        """Rotation of each bone (finger in keypoint order, then bone) relative to the hand."""
        rotations = self.finger_rotations(angles)
        first, second, third = (rotations[:, [start - 1 + k for start in CHAIN_STARTS]] for k in range(3))
        return torch.stack([first, first @ second, first @ second @ third], dim=2)

    def _turned_offsets(self, turns: Float[Tensor, "frame 5 3 3 3"], palm_offsets: Float[Tensor, "6 3"]) -> Float[Tensor, "frame 21 3"]:
        fingers = (turns @ self.finger_offsets[..., None])[..., 0]
        fingers = torch.cat([torch.zeros(len(turns), 5, 1, 3), fingers], dim=2).reshape(-1, 20, 3)
        return self.all_offsets(palm_offsets) + torch.cat([torch.zeros(len(turns), 1, 3), fingers], dim=1)

    def keypoints_in_camera(self, state: HandState) -> Float[Tensor, "frame 21 3"]:
        """Keypoints (with the detector's offsets) in the camera frame, metres."""
        return self.keypoints_in_hand(state) @ state.rotation.transpose(1, 2) + state.translation[:, None]

    def all_offsets(self, palm_offsets: Float[Tensor, "6 3"]) -> Float[Tensor, "21 3"]:
        """Offsets of all keypoints, zero on the fingers."""
        return torch.zeros(21, 3).index_copy(0, torch.tensor(PALM_KEYPOINTS), palm_offsets)

    def angles_of(self, fingers: Float[Tensor, "frame 15 3"]) -> Float[Tensor, "frame 15 3"]:
        """Flexion, abduction and twist of finger joints given as axis-angle."""
        return (self.axes.transpose(1, 2) @ fingers[..., None])[..., 0]

    def axis_angle_pose(self, state: HandState) -> Float[Tensor, "frame 16 3"]:
        """The pose under the actor's contract: axis-angle, the root's rotation first."""
        root = axis_angle_from_matrix(state.rotation.double()).float()
        return torch.cat([root[:, None], (self.axes @ state.angles[..., None])[..., 0]], dim=1)


def start_angles(world: Float[np.ndarray, "frame 21 3"], model: HandKeypointModel, is_left: bool) -> Float[Tensor, "frame 15 3"]:
    """Flexion angles read off the detector's 3-D keypoints, inside the limits; abduction and twist zero."""
    normal = _unit(np.cross(world[:, 5] - world[:, 17], world[:, 9] - world[:, 0])) * (-1.0 if is_left else 1.0)
    angles = np.zeros((len(world), 15, 3))
    for start, knuckle in zip(CHAIN_STARTS, (1, 5, 9, 13, 17)):
        bones = [_unit(world[:, knuckle + k + 1] - world[:, knuckle + k]) for k in range(3)]
        if start != CHAIN_STARTS[0]:
            angles[:, start - 1, 0] = np.arcsin(np.clip((bones[0] * normal).sum(-1), -1, 1))
            angles[:, start, 0] = _angle_between(bones[0], bones[1])
        angles[:, start + 1, 0] = _angle_between(bones[1], bones[2])
    return torch.from_numpy(angles).float().clamp(model.lower, model.upper)


def _unit(vectors: Float[np.ndarray, "frame 3"]) -> Float[np.ndarray, "frame 3"]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _angle_between(first: Float[np.ndarray, "frame 3"], second: Float[np.ndarray, "frame 3"]) -> Float[np.ndarray, "frame"]:
    return np.arccos(np.clip((first * second).sum(-1), -1, 1))
