"""The one contract of every hand model: template, shape space, skinning, joint tree, limits; posed without state."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hoifield.geometry.rotations import matrix_from_axis_angle

Side = Literal["right", "left"]

JOINT_NAMES = (
    "wrist",
    *(f"{finger}{k}" for finger in ("index", "middle", "little", "ring", "thumb") for k in (1, 2, 3)),
)
JOINT_PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)
FINGERS = ("thumb", "index", "middle", "ring", "little")
KEYPOINT_FROM_JOINT = (0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20)
"""21 keypoints (wrist, then thumb, index, middle, ring, little from the palm to the tip) out of 16 joints + 5 fingertips."""
KEYPOINT_BONES = tuple(
    zip((0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19, 5, 9, 13), (*range(1, 21), 9, 13, 17), strict=True)
)
"""Pairs of keypoints that a bone or the row of knuckles joins."""
PALM_KEYPOINTS = (0, 1, 5, 9, 13, 17)
"""Wrist, thumb base and knuckles: rigid in the hand frame."""


@dataclass(frozen=True)
class PosedHand:
    """A hand per frame, in the camera frame, metres."""

    vertices: Float[Tensor, "frame vertex 3"]
    joints: Float[Tensor, "frame joint=16 3"]
    keypoints: Float[Tensor, "frame keypoint=21 3"]
    T_camera_joint: Float[Tensor, "frame joint=16 4 4"]
    """Maps rest-pose points (hand frame) carried by one joint into the camera."""


@dataclass(frozen=True)
class SkinnedModel:
    """A hand under MANO's contract; the rest pose is the flat hand, the wrist joint sits at the origin for every shape.

    The `hand` frame is the frame of these arrays. A left hand is the mirror image (x -> -x) of a right one.
    """

    name: Literal["anny", "mano", "rigged"]
    side: Side
    template: Float[Tensor, "vertex 3"]
    shape_directions: Float[Tensor, "vertex 3 component=10"]
    joint_template: Float[Tensor, "joint=16 3"]
    joint_directions: Float[Tensor, "joint=16 3 component=10"]
    pose_directions: Float[Tensor, "vertex 3 135"] | None
    """MANO's pose correctives (linear in R - I of the 15 finger joints); None for a model without them."""
    weights: Float[Tensor, "vertex joint=16"]
    faces: Int[Tensor, "face 3"]
    """Counter-clockwise from outside; closed at the wrist."""
    fingertip_vertices: tuple[int, int, int, int, int]
    """Vertex at each fingertip, in the order of FINGERS."""
    joint_axes: Float[Tensor, "joint=16 3 3"]
    """Anatomical basis of each joint in the hand frame; columns: flexion axis, abduction axis, twist axis (along the bone).

    Rotation axes are pseudo-vectors: a left hand's are the negated mirror image, so that equal angles mean mirrored motions, and its
    twist axes point from the tip to the palm."""
    lower_limits: Float[Tensor, "joint=16 3"]
    """Radians in the anatomical basis (flexion, abduction, twist); the wrist row is not used."""
    upper_limits: Float[Tensor, "joint=16 3"]

    def shaped(self, shape: Float[Tensor, "component=10"]) -> tuple[Float[Tensor, "vertex 3"], Float[Tensor, "joint=16 3"]]:
        """Rest vertices and joints of a shape, hand frame, metres."""
        return self.template + self.shape_directions @ shape, self.joint_template + self.joint_directions @ shape

    def pose(
        self,
        shape: Float[Tensor, "component=10"],
        pose: Float[Tensor, "frame joint=16 3"],
        T_camera_hand: Float[Tensor, "frame 4 4"],
    ) -> PosedHand:
        """Linear blend skinning (MANO, Romero et al. 2017, eq. 2-4).

        `pose` is axis-angle per joint relative to its parent, radians, zero = flat hand; its first row is ignored here, since
        `T_camera_hand` carries the root rotation (files repeat it there).
        """
        vertices, joints = self.shaped(shape)
        rotations = matrix_from_axis_angle(pose[:, 1:])
        frames = pose.shape[0]
        rest = vertices.expand(frames, -1, -1)
        if self.pose_directions is not None:
            identity = torch.eye(3, dtype=pose.dtype, device=pose.device)
            correctives = (rotations - identity).reshape(frames, -1) @ self.pose_directions.flatten(0, 1).T
            rest = rest + correctives.reshape(frames, -1, 3)
        transforms = self._joint_transforms(rotations, joints, T_camera_hand)
        blended = torch.einsum("vj,fjab->fvab", self.weights, transforms[:, :, :3])
        posed = (blended[..., :3] @ rest[..., None])[..., 0] + blended[..., 3]
        posed_joints = torch.einsum("fjab,jb->fja", transforms[:, :, :3, :3], joints) + transforms[:, :, :3, 3]
        tips = posed[:, list(self.fingertip_vertices)]
        keypoints = torch.cat([posed_joints, tips], dim=1)[:, list(KEYPOINT_FROM_JOINT)]
        return PosedHand(posed, posed_joints, keypoints, transforms)

    def _joint_transforms(
        self,
        rotations: Float[Tensor, "frame 15 3 3"],
        joints: Float[Tensor, "joint=16 3"],
        T_camera_hand: Float[Tensor, "frame 4 4"],
    ) -> Float[Tensor, "frame joint=16 4 4"]:
        """Rest points carried by each joint -> camera, down the joint tree."""
        transforms = [T_camera_hand]
        for joint in range(1, 16):
            rotation = rotations[:, joint - 1]
            offset = joints[joint] - (rotation @ joints[joint])
            local = torch.cat([rotation, offset[..., None]], dim=-1)
            last = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=local.dtype, device=local.device).expand(len(local), 1, 4)
            transforms.append(transforms[JOINT_PARENTS[joint]] @ torch.cat([local, last], dim=1))
        return torch.stack(transforms, dim=1)
