"""Our hand on the way of a recorded one.

The wrist follows the recording. Fingers are not retargeted: they hold as in our own grasp while the recording holds, and open before
and after. Where the recording tracks an object, ours moves while that one is held and rests where it was taken and where it is put
down; while held it is fixed in our hand, since the small slips of another object under other fingers would mean nothing here. Before and
after, open fingers may graze an object that is larger than the recorded one by some millimetres; full truth says how deep.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter1d

from hoifield.actors.skinned_model import Side, SkinnedModel
from hoifield.errors import RefusedInput
from hoifield.geometry.rigid import align_points
from hoifield.synthetic.grasp_check import Grasp
from hoifield.synthetic.hand_object_motion import HandObjectMotion, between_poses
from hoifield.synthetic.recording import Recording

SMOOTHING = 1.5
"""Standard deviation of the filter against the tracker's tremble, frames of the recording."""
FASTEST = 4.0
"""Most frames of a recording per frame of a clip, where there is no object whose whole way must be shown."""
LEAST_WAY, REST_TOLERANCE, HELD_TOLERANCE = 0.02, 0.006, 0.015
"""Metres: an object that moves less is no motion; one this near to its first or last place rests; one this fixed in the hand is held."""
OPENING = 10
"""Frames of the recording in which the fingers open or close."""
WRIST_AND_KNUCKLES = (0, 1, 4, 10, 7)
"""Joints of our hand in the order of a recording's wrist and knuckles."""


@dataclass(frozen=True)
class FollowedWay:
    """A recording in terms of our hand, frame by frame of the recording."""

    T_camera_hand: Float[np.ndarray, "frame 4 4"]
    held: Bool[np.ndarray, "frame"]
    """One run of frames."""

    def openness(self, time: float) -> float:
        """How far the fingers are open, 0 while the object is held to 1 some frames before and after."""
        frames = np.nonzero(self.held)[0]
        away = max(frames[0] - time, time - frames[-1], 0.0)
        share = min(away / OPENING, 1.0)
        return share * share * (3 - 2 * share)

    def hand_at(self, time: float) -> Float[np.ndarray, "4 4"]:
        """T_camera_hand at a time counted in frames of the recording."""
        before = min(int(time), len(self.T_camera_hand) - 2)
        return between_poses(self.T_camera_hand[before], self.T_camera_hand[before + 1], time - before)


def follow_recording(
    recording: Recording, actor: SkinnedModel, grasp: Grasp, open_pose: Float[np.ndarray, "joint=16 3"], frames: int, seed: int
) -> HandObjectMotion:
    """The motion of a clip of that many frames, in the recording's camera.

    A recording with an object is shown whole, at whatever speed that takes; of one without, where the object is in the hand all the
    time, a stretch that starts by seed, at most four times as fast as it was. A left hand goes the mirror image of the way. Raises
    RefusedInput (HF-SYN-008) for a tracked object that is never carried.
    """
    way = _followed_way(recording, actor)
    last = len(way.T_camera_hand) - 1
    start, length = 0.0, float(last)
    if recording.object_place is None:
        length = min(FASTEST * (frames - 1), last)
        start = float(np.random.default_rng(seed).uniform(0, last - length))
    run = np.nonzero(way.held)[0]
    T_rest = [way.T_camera_hand[row] @ grasp.T_hand_object for row in (run[0], run[-1])]
    T_camera_hand, T_hand_object, pose = [], [], []
    for time in start + length * np.arange(frames) / max(frames - 1, 1):
        openness = way.openness(time)
        T_camera_hand.append(way.hand_at(time))
        resting = np.linalg.inv(T_camera_hand[-1]) @ T_rest[int(time > run[-1])]
        T_hand_object.append(grasp.T_hand_object if openness == 0 else resting)
        pose.append(grasp.pose if openness == 0 else (1 - openness) * grasp.pose + openness * open_pose)
    still = np.tile(np.eye(4), (frames, 1, 1))
    return HandObjectMotion(np.stack(T_camera_hand), np.stack(T_hand_object), np.stack(pose), still)


def _followed_way(recording: Recording, actor: SkinnedModel) -> FollowedWay:
    """The recorded wrist as the pose of our hand's frame: wrist and knuckles of both at rest laid over each other."""
    ours = actor.joint_template.double().numpy()[list(WRIST_AND_KNUCKLES)] * _mirror(actor.side)
    theirs = np.concatenate([recording.wrist_at_rest[None], recording.knuckles_at_rest])
    _, T_rest_hand = align_points(ours, theirs, with_scale=False)
    T = _smoothed(recording.T_camera_rest) @ T_rest_hand
    held = _held_frames(T, recording.object_place)
    mirror = np.diag([*_mirror(actor.side), 1.0])
    return FollowedWay(mirror @ T @ mirror, held)


def _mirror(side: Side) -> Float[np.ndarray, "3"]:
    """Factors that turn a right hand into that side."""
    return np.array([1.0 if side == "right" else -1.0, 1.0, 1.0])


def _held_frames(
    T_camera_hand: Float[np.ndarray, "frame 4 4"], object_place: Float[np.ndarray, "frame 3"] | None
) -> Bool[np.ndarray, "frame"]:
    """The run of frames in which the object keeps its place in the hand, around those in which it is on its way."""
    if object_place is None:
        return np.ones(len(T_camera_hand), dtype=bool)
    place = gaussian_filter1d(object_place, SMOOTHING, axis=0, mode="nearest")
    from_start, from_end = (np.linalg.norm(place - place[row], axis=1) for row in (0, -1))
    moving = np.nonzero((from_start > REST_TOLERANCE) & (from_end > REST_TOLERANCE))[0]
    way = float(from_start.max())
    if way < LEAST_WAY or len(moving) == 0:
        raise RefusedInput(
            "HF-SYN-008", f"the recorded object moves {1000 * way:.0f} mm and is never carried", "name a recording that carries its object"
        )
    in_hand = np.einsum("fba,fb->fa", T_camera_hand[:, :3, :3], place - T_camera_hand[:, :3, 3])
    first, last = moving[0], moving[-1]
    fixed = np.linalg.norm(in_hand - np.median(in_hand[first : last + 1], axis=0), axis=1) < HELD_TOLERANCE
    while first > 0 and fixed[first - 1]:
        first -= 1
    while last < len(fixed) - 1 and fixed[last + 1]:
        last += 1
    held = np.zeros(len(fixed), dtype=bool)
    held[first : last + 1] = True
    return held


def _smoothed(T: Float[np.ndarray, "frame 4 4"]) -> Float[np.ndarray, "frame 4 4"]:
    """Rigid transforms filtered over time."""
    smooth = gaussian_filter1d(T, SMOOTHING, axis=0, mode="nearest")
    u, _, vt = np.linalg.svd(smooth[:, :3, :3])
    smooth[:, :3, :3] = u @ vt
    return smooth
