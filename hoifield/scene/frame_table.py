"""What changes from frame to frame: object poses, hand roots and articulation, as corrections to the observed ones."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from hoifield.actors.skinned_model import Side
from hoifield.geometry.rigid import compose
from hoifield.geometry.rotations import matrix_from_axis_angle


@dataclass(frozen=True)
class ObservedHand:
    """Observed poses of one hand over the fitted frames: where its corrections start from."""

    side: Side
    T_camera_hand: Float[Tensor, "frame 4 4"]
    pose: Float[Tensor, "frame joint=16 3"]
    shape: Float[Tensor, "component=10"]


def correct_rigid(T: Float[Tensor, "*batch 4 4"], rotation: Float[Tensor, "*batch 3"], translation: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 4 4"]:
    """T turned about its own origin by an axis-angle `rotation` (camera axes), then moved by `translation`."""
    return compose(matrix_from_axis_angle(rotation) @ T[..., :3, :3], T[..., :3, 3] + translation)


class HandPoses(nn.Module):
    """One hand's poses: observed + correction. Corrections start at zero, so their size is how far the fit moved the hand."""

    observed_T: Tensor
    observed_pose: Tensor
    observed_shape: Tensor

    def __init__(self, observed: ObservedHand) -> None:
        super().__init__()
        frames = len(observed.T_camera_hand)
        self.side = observed.side
        self.register_buffer("observed_T", observed.T_camera_hand.float())
        self.register_buffer("observed_pose", observed.pose.float())
        self.register_buffer("observed_shape", observed.shape.float())
        self.rotation = nn.Parameter(torch.zeros(frames, 3))
        self.translation = nn.Parameter(torch.zeros(frames, 3))
        self.articulation = nn.Parameter(torch.zeros(frames, 16, 3))
        self.shape_change = nn.Parameter(torch.zeros(10))

    def T_camera_hand(self, rows: Int[Tensor, "row"] | slice = slice(None)) -> Float[Tensor, "row 4 4"]:
        """Hand frame -> camera, for rows of the fitted frames."""
        return correct_rigid(self.observed_T[rows], self.rotation[rows], self.translation[rows])

    def pose(self, rows: Int[Tensor, "row"] | slice = slice(None)) -> Float[Tensor, "row joint=16 3"]:
        """Axis-angle per joint, radians."""
        return self.observed_pose[rows] + self.articulation[rows]

    def shape(self) -> Float[Tensor, "component=10"]:
        """Shape shared by all frames."""
        return self.observed_shape + self.shape_change


class FrameTable(nn.Module):
    """Poses of the object and of every hand over the fitted frames, camera frame, metres."""

    observed_T_camera_object: Tensor
    time_s: Tensor
    object_confidence: Tensor

    def __init__(
        self,
        time_s: Float[Tensor, "frame"],
        T_camera_object: Float[Tensor, "frame 4 4"],
        object_confidence: Float[Tensor, "frame"],
        hands: tuple[ObservedHand, ...],
    ) -> None:
        super().__init__()
        frames = len(time_s)
        self.register_buffer("time_s", time_s.float())
        self.register_buffer("observed_T_camera_object", T_camera_object.float())
        self.register_buffer("object_confidence", object_confidence.float())
        self.object_rotation = nn.Parameter(torch.zeros(frames, 3))
        self.object_translation = nn.Parameter(torch.zeros(frames, 3))
        self.hands = nn.ModuleList([HandPoses(hand) for hand in hands])

    @property
    def frame_count(self) -> int:
        """Number of fitted frames."""
        return len(self.time_s)

    def T_camera_object(self, rows: Int[Tensor, "row"] | slice = slice(None)) -> Float[Tensor, "row 4 4"]:
        """Object frame -> camera, for rows of the fitted frames."""
        return correct_rigid(self.observed_T_camera_object[rows], self.object_rotation[rows], self.object_translation[rows])
