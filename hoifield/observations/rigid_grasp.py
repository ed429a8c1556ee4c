"""The hand and what it holds followed as one rigid body: tracked points and keypoints of all frames adjusted together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int

from hoifield.actors.skinned_model import SkinnedModel
from hoifield.geometry.cameras import Camera
from hoifield.geometry.rotations import axis_angle_from_matrix
from hoifield.observations.feature_tracks import FeatureTracks, connect_matches
from hoifield.observations.grasp_adjustment import GraspAdjustment, Unknowns, triangulate
from hoifield.observations.hand_keypoint_model import HandKeypointModel
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.motion_features import FrameFeatures
from hoifield.observations.motion_poses import LEAST_MODEL, align_motion
from hoifield.observations.motion_program import Model, run_motion_program
from hoifield.observations.pose_offsets import fill_between, reverse_depth
from hoifield.observations.resect_frames import resect_frames
from hoifield.observations.rigid_hand import RigidHand
from hoifield.observations.rotated_boxes import keypoint_box_side
from hoifield.observations.watched_programs import WatchLimits


@dataclass(frozen=True)
class RigidGraspSettings:
    """Effort, and when to believe."""

    most_frames: int = 240
    most_points: int = 600
    """The longest tracks: more say little that is new."""
    least_seen: float = 12.0
    """Median of the points that a frame shows, below which keypoints alone would be averaged."""
    softened: tuple[float, ...] = (0.12, 0.04, 0.015)
    """Shares of the hand's box that tracks may be off at first, one descent after the other: from the hand's own poses, degrees off, the
    tracks' narrow valley is mostly found so. From structure from motion the last of them will do."""
    sign_points: int = 300
    """Tracks that decide whether a model came out reversed in depth."""
    sign_steps: int = 20
    track_pixels: float = 0.375
    """That a track is off in the end, pixels of the pictures that were searched. Keypoints of a detector turn further than the hand does, by a
    sixth where few sides are shown: tracks must be believed for as precise as they are, or they do not outweigh that (decision 0023)."""
    resected_pixels: float = 2.5
    """Within which tracked points agree on the pose of a frame that hides the hand: where they were placed from other sides they are not so
    precise."""
    first_steps: int = 15
    last_steps: int = 40
    worst_gain: float = 0.08
    """Share of the hand's box by which the keypoint error of half of the frames may grow. More means that the grasp slips. A mean, or less,
    would not do: where fingers are hidden the detector's are made up, up to a seventh of the box off."""
    seed: int = 0
    limits: WatchLimits = WatchLimits()


def follow_rigid_grasp(
    hand: HandTrack, features: Sequence[FrameFeatures], frames: Int[np.ndarray, "usable"], camera: Camera, actor: SkinnedModel,
    zoom: float, settings: RigidGraspSettings
) -> HandTrack | None:  # fmt: skip
    """The hand with one articulation and the poses that points on it and on the object ask for; None where that is not borne out.

    `features` are those of object and hand in the clip's `frames` (ascending), in pixels that are `zoom` of the clip's smaller. Poses of
    frames that were not adjusted move with their neighbours. Frames in which the hand is not observed (it hides behind the object) get
    its pose where they show enough of the body. Deterministic; best on one thread.
    """
    rows = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), settings.most_frames)).astype(int))
    chosen = [features[row] for row in rows]
    searched = camera.resized(round(camera.width / zoom), round(camera.height / zoom))
    found = run_motion_program(chosen, hand.observed[frames[rows]], searched, settings.seed, LEAST_MODEL, settings.limits)
    if isinstance(found, str):
        return None
    tracks = connect_matches(found.matched_frames, found.matched_features, chosen, zoom)
    detected = np.flatnonzero(hand.observed[frames[rows]])
    if np.median(np.bincount(tracks.frame, minlength=len(rows))[detected]) < settings.least_seen:
        return None
    rigid = RigidHand(HandKeypointModel.of_actor(actor), hand)
    everything = GraspProblem(tracks, hand.keypoints[frames[rows]], hand.T_camera_hand[frames[rows]], rigid, camera.K, zoom, settings)
    problem = everything.only(detected)
    starts = [problem.descend(problem.T_hand, settings.softened)]
    models = [(np.searchsorted(detected, ranks), motion) for ranks, motion in found.models]
    if models:
        starts.append(problem.descend(problem.start_from_models(models), settings.softened[-1:]))
    adjusted, _ = min(starts, key=lambda attempt: attempt[1])
    if np.median(problem.keypoint_errors(adjusted)) > np.median(hand.keypoint_error[frames[rows[detected]]]) + settings.worst_gain:
        return None
    placed, adjusted = (detected, adjusted) if len(detected) == len(rows) else _place_hidden(everything, detected, adjusted)
    return _rigid_track(hand, frames, rows[placed], adjusted, everything.only(placed).keypoint_errors(adjusted), rigid)


@dataclass(frozen=True)
class GraspProblem:
    """What is given, for the frames that are adjusted."""

    tracks: FeatureTracks
    keypoints: Float[np.ndarray, "frame 21 2"]
    T_hand: Float[np.ndarray, "frame 4 4"]
    rigid: RigidHand
    K: Float[np.ndarray, "3 3"]
    zoom: float
    settings: RigidGraspSettings

    def only(self, rows: Int[np.ndarray, "part"]) -> "GraspProblem":
        """The same of some frames."""
        return replace(self, tracks=self.tracks.in_frames(rows), keypoints=self.keypoints[rows], T_hand=self.T_hand[rows])

    @property
    def last_pixels(self) -> float:
        """How far observations of tracks are off in the end, pixels of the clip."""
        return self.settings.track_pixels * self.zoom

    def part(self, rows: Int[np.ndarray, "part"], most_points: int, pixels: float) -> GraspAdjustment:
        """The adjustment of some frames, tracks being so many pixels off."""
        return GraspAdjustment(self.tracks.in_frames(rows).longest(most_points), self.keypoints[rows], self.rigid, self.K, pixels)

    def descend(self, start: Float[np.ndarray, "frame 4 4"], softened: tuple[float, ...]) -> tuple[Unknowns, float]:
        """The descent of all frames, from loose to tight, and the cost in the end."""
        box, everything = float(np.median(keypoint_box_side(self.keypoints))), np.arange(len(start))
        problem = self.part(everything, self.settings.most_points, self.last_pixels)
        unknowns = Unknowns(start, triangulate(start, problem.tracks, self.K), self.rigid.start.copy())
        for share in softened:
            loose = self.part(everything, self.settings.most_points, max(share * box, self.last_pixels))
            unknowns, _ = loose.solve(unknowns, self.settings.first_steps)
        return problem.solve(unknowns, self.settings.last_steps)

    def start_from_models(self, models: Sequence[Model]) -> Float[np.ndarray, "frame 4 4"]:
        """The hand's poses, and those of each model brought to them where it has frames, reversed in depth where that explains more."""
        start = self.T_hand.copy()
        for rows, motion in reversed(models):
            aligned = align_motion(motion, self.T_hand[rows])[0]
            signs = (aligned, align_motion(reverse_depth(aligned), self.T_hand[rows])[0])
            problem = self.part(rows, self.settings.sign_points, self.last_pixels)
            attempts = []
            for T in signs:
                unknowns = Unknowns(T, triangulate(T, problem.tracks, self.K), self.rigid.start.copy())
                attempts.append(problem.solve(unknowns, self.settings.sign_steps))
            start[rows] = min(attempts, key=lambda attempt: attempt[1])[0].T
        return start

    def keypoint_errors(self, unknowns: Unknowns) -> Float[np.ndarray, "frame"]:
        """Mean over each frame, as a share of the hand's box; 0 in frames without keypoints."""
        return self.part(np.arange(len(unknowns.T)), self.settings.most_points, self.last_pixels).keypoint_errors(unknowns).mean(1)


def _place_hidden(everything: GraspProblem, detected: Int[np.ndarray, "detected"], adjusted: Unknowns) -> tuple[Int[np.ndarray, "placed"], Unknowns]:
    """The frames placed once those that do not detect the hand are, by the body's points in them; and all of them adjusted together."""
    T = np.full((len(everything.T_hand), 4, 4), np.nan)
    T[detected] = adjusted.T
    T = resect_frames(T, everything.tracks, everything.K, everything.settings.resected_pixels * everything.zoom)
    placed = np.flatnonzero(np.isfinite(T).all((1, 2)))
    if len(placed) == len(detected):
        return detected, adjusted
    problem = everything.only(placed)
    together = problem.part(np.arange(len(placed)), len(placed) * everything.settings.most_points // len(detected), everything.last_pixels)
    start = Unknowns(T[placed], triangulate(T[placed], together.tracks, everything.K), adjusted.hand)
    return placed, together.solve(start, everything.settings.last_steps)[0]


def _rigid_track(hand: HandTrack, frames: np.ndarray, rows: np.ndarray, adjusted: Unknowns, errors: np.ndarray, rigid: RigidHand) -> HandTrack:
    known = np.full((len(frames), 4, 4), np.nan)
    known[rows] = adjusted.T
    T, detected = hand.T_camera_hand.copy(), hand.observed[frames]
    T[frames] = known
    T[frames[detected]] = fill_between(hand.T_camera_hand[frames[detected]], known[detected], frames[detected])
    state = rigid.state(adjusted.hand)
    pose, keypoint_error = hand.pose.copy(), hand.keypoint_error.copy()
    pose[np.isfinite(T).all((1, 2)), 1:] = rigid.model.axis_angle_pose(state)[0, 1:].double().numpy()
    pose[frames, 0] = axis_angle_from_matrix(torch.tensor(T[frames, :3, :3])).numpy()
    keypoint_error[frames[rows]] = np.where(detected[rows], errors, np.nan)
    offsets = rigid.model.mean_offsets(state).double().numpy()
    shape = state.shape.double().numpy()
    return replace(hand, T_camera_hand=T, pose=pose, shape=shape, keypoint_error=keypoint_error, keypoint_offsets=offsets)
