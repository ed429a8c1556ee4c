"""Where hand, fingers, object and room are at any time of a clip."""

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from hoifield.synthetic.grasp import Grasp


@dataclass(frozen=True)
class Moment:
    """One instant of a motion."""

    T_camera_hand: Float[np.ndarray, "4 4"]
    T_hand_object: Float[np.ndarray, "4 4"]
    pose: Float[np.ndarray, "joint=16 3"]
    """Axis-angle per joint; the root row is zero."""
    T_camera_room: Float[np.ndarray, "4 4"]

    def same_arrangement(self, other: "Moment") -> bool:
        """Whether fingers and object lie in the hand exactly as at another moment."""
        return np.array_equal(self.pose, other.pose) and np.array_equal(self.T_hand_object, other.T_hand_object)


@dataclass(frozen=True)
class HandObjectMotion:
    """Hand, object and camera in each frame. The camera may move in the room; poses are relative to it all the same."""

    T_camera_hand: Float[np.ndarray, "frame 4 4"]
    T_hand_object: Float[np.ndarray, "frame 4 4"]
    """Constant, bit for bit, while the object is held."""
    pose: Float[np.ndarray, "frame joint=16 3"]
    """Axis-angle per joint; the root row is zero."""
    T_camera_room: Float[np.ndarray, "frame 4 4"]

    @staticmethod
    def held(T_camera_hand: Float[np.ndarray, "frame 4 4"], grasp: Grasp) -> "HandObjectMotion":
        """A hand that never lets go, before a camera that stands still."""
        count = len(T_camera_hand)
        still = np.tile(np.eye(4), (count, 1, 1))
        return HandObjectMotion(T_camera_hand, np.tile(grasp.T_hand_object, (count, 1, 1)), np.tile(grasp.pose, (count, 1, 1)), still)

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.T_camera_hand)

    @property
    def T_camera_object(self) -> Float[np.ndarray, "frame 4 4"]:
        """The object in the camera."""
        return self.T_camera_hand @ self.T_hand_object

    def moved(self, T: Float[np.ndarray, "4 4"]) -> "HandObjectMotion":
        """Hand and object moved together by one transform of the camera's frame, before the same room."""
        return replace(self, T_camera_hand=T @ self.T_camera_hand)

    def seen_by(self, T_camera_room: Float[np.ndarray, "frame 4 4"]) -> "HandObjectMotion":
        """The same motion before a camera that moves; the motion as it stands is taken as the motion in the room."""
        return replace(self, T_camera_hand=T_camera_room @ self.T_camera_hand, T_camera_room=T_camera_room @ self.T_camera_room)

    def at(self, time: float) -> Moment:
        """The motion at a time counted in frames, clamped to the clip; exact at whole numbers, between them along the shortest turn.

        Between frames an object that is held stays fixed in the hand; one that is not moves on its own way through the camera's frame.
        """
        time = min(max(time, 0.0), self.frames - 1.0)
        before = math.floor(time)
        share, after = time - before, min(math.floor(time) + 1, self.frames - 1)
        first, second = (
            Moment(self.T_camera_hand[row], self.T_hand_object[row], self.pose[row], self.T_camera_room[row]) for row in (before, after)
        )
        if share == 0:
            return first
        T_camera_hand = between_poses(first.T_camera_hand, second.T_camera_hand, share)
        T_hand_object = first.T_hand_object
        if not np.array_equal(T_hand_object, second.T_hand_object):
            start, end = first.T_camera_hand @ first.T_hand_object, second.T_camera_hand @ second.T_hand_object
            T_hand_object = np.linalg.inv(T_camera_hand) @ between_poses(start, end, share)
        same = np.array_equal(first.pose, second.pose)
        pose = first.pose if same else (1 - share) * first.pose + share * second.pose
        return Moment(T_camera_hand, T_hand_object, pose, between_poses(first.T_camera_room, second.T_camera_room, share))


def between_poses(first: Float[np.ndarray, "4 4"], second: Float[np.ndarray, "4 4"], share: float) -> Float[np.ndarray, "4 4"]:
    """The pose a share of the way from one to another: shortest turn, straight shift."""
    turn = Rotation.from_matrix(first[:3, :3].T @ second[:3, :3]).as_rotvec()
    T = np.eye(4)
    T[:3, :3] = first[:3, :3] @ Rotation.from_rotvec(share * turn).as_matrix()
    T[:3, 3] = (1 - share) * first[:3, 3] + share * second[:3, 3]
    return T
