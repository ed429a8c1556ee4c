"""Where hand, fingers, object and room are at any time of a clip."""

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from hoifield.synthetic.grasp_check import Grasp


@dataclass(frozen=True)
class SecondHand:
    """The other hand at one instant."""

    T_hand_second: Float[np.ndarray, "4 4"]
    """Its frame in the frame of the first hand."""
    pose: Float[np.ndarray, "joint=16 3"]
    """Axis-angle per joint; the root row is zero."""


@dataclass(frozen=True)
class SecondHandMotion:
    """The other hand in each frame."""

    T_hand_second: Float[np.ndarray, "frame 4 4"]
    """Its frame in the frame of the first hand; constant, bit for bit, while both hold the object."""
    pose: Float[np.ndarray, "frame joint=16 3"]
    """Axis-angle per joint; the root row is zero."""
    holds: bool
    """Whether it goes wherever the object goes."""


@dataclass(frozen=True)
class Moment:
    """One instant of a motion."""

    T_camera_hand: Float[np.ndarray, "4 4"]
    T_hand_object: Float[np.ndarray, "4 4"]
    pose: Float[np.ndarray, "joint=16 3"]
    """Axis-angle per joint; the root row is zero."""
    T_camera_room: Float[np.ndarray, "4 4"]
    second: SecondHand | None = None

    def same_arrangement(self, other: "Moment") -> bool:
        """Whether fingers, object and other hand lie in the hand exactly as at another moment."""
        if self.second is not None and other.second is not None:
            mine, theirs = self.second, other.second
            if not (np.array_equal(mine.pose, theirs.pose) and np.array_equal(mine.T_hand_second, theirs.T_hand_second)):
                return False
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
    second: SecondHandMotion | None = None

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

    def of_second(self) -> "HandObjectMotion":
        """The same motion with the other hand in the place of the first, alone with the object; there must be one."""
        assert self.second is not None
        T_in_second = np.linalg.inv(self.second.T_hand_second) @ self.T_hand_object
        return HandObjectMotion(self.T_camera_hand @ self.second.T_hand_second, T_in_second, self.second.pose, self.T_camera_room)

    def shifted(self, shift: Float[np.ndarray, "frame 3"]) -> "HandObjectMotion":
        """The object, and the hands that hold it, shifted through the camera's frame; another hand stays where it was."""
        T_camera_hand = self.T_camera_hand.copy()
        T_camera_hand[:, :3, 3] += shift
        if self.second is None or self.second.holds:
            return replace(self, T_camera_hand=T_camera_hand)
        T_hand_second = np.linalg.inv(T_camera_hand) @ self.T_camera_hand @ self.second.T_hand_second
        return replace(self, T_camera_hand=T_camera_hand, second=replace(self.second, T_hand_second=T_hand_second))

    def moved(self, T: Float[np.ndarray, "4 4"]) -> "HandObjectMotion":
        """Hands and object moved together by one transform of the camera's frame, before the same room."""
        return replace(self, T_camera_hand=T @ self.T_camera_hand)

    def seen_by(self, T_camera_room: Float[np.ndarray, "frame 4 4"]) -> "HandObjectMotion":
        """The same motion before a camera that moves; the motion as it stands is taken as the motion in the room."""
        return replace(self, T_camera_hand=T_camera_room @ self.T_camera_hand, T_camera_room=T_camera_room @ self.T_camera_room)

    def at(self, time: float) -> Moment:
        """The motion at a time counted in frames, clamped to the clip; exact at whole numbers, between them along the shortest turn.

        Between frames an object that is held stays fixed in the hand; one that is not, and a hand that does not hold, move on their own
        way through the camera's frame.
        """
        time = min(max(time, 0.0), self.frames - 1.0)
        before = math.floor(time)
        share, after = time - before, min(math.floor(time) + 1, self.frames - 1)
        first, second = (
            Moment(self.T_camera_hand[row], self.T_hand_object[row], self.pose[row], self.T_camera_room[row], self._second_at(row))
            for row in (before, after)
        )
        if share == 0:
            return first
        T_camera_hand = between_poses(first.T_camera_hand, second.T_camera_hand, share)

        def in_hand(at_first: Float[np.ndarray, "4 4"], at_second: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
            if np.array_equal(at_first, at_second):
                return at_first
            start, end = first.T_camera_hand @ at_first, second.T_camera_hand @ at_second
            return np.linalg.inv(T_camera_hand) @ between_poses(start, end, share)

        other = None
        if first.second is not None and second.second is not None:
            T_hand_second = in_hand(first.second.T_hand_second, second.second.T_hand_second)
            other = SecondHand(T_hand_second, _between_angles(first.second.pose, second.second.pose, share))
        return Moment(
            T_camera_hand=T_camera_hand,
            T_hand_object=in_hand(first.T_hand_object, second.T_hand_object),
            pose=_between_angles(first.pose, second.pose, share),
            T_camera_room=between_poses(first.T_camera_room, second.T_camera_room, share),
            second=other,
        )

    def _second_at(self, row: int) -> SecondHand | None:
        """The other hand in a frame."""
        return None if self.second is None else SecondHand(self.second.T_hand_second[row], self.second.pose[row])


def _between_angles(
    first: Float[np.ndarray, "joint=16 3"], second: Float[np.ndarray, "joint=16 3"], share: float
) -> Float[np.ndarray, "joint=16 3"]:
    """Joint angles a share of the way from one pose to another; the first itself where they are equal."""
    return first if np.array_equal(first, second) else (1 - share) * first + share * second


def between_poses(first: Float[np.ndarray, "4 4"], second: Float[np.ndarray, "4 4"], share: float) -> Float[np.ndarray, "4 4"]:
    """The pose a share of the way from one to another: shortest turn, straight shift."""
    turn = Rotation.from_matrix(first[:3, :3].T @ second[:3, :3]).as_rotvec()
    T = np.eye(4)
    T[:3, :3] = first[:3, :3] @ Rotation.from_rotvec(share * turn).as_matrix()
    T[:3, 3] = (1 - share) * first[:3, 3] + share * second[:3, 3]
    return T
