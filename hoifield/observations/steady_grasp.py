"""A grasp that does not slip: the hand is then as rigid in the object as the object is tracked, and every frame votes on it."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hoifield.actors.skinned_model import PALM_KEYPOINTS, SkinnedModel
from hoifield.geometry.cameras import Camera, project
from hoifield.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hoifield.observations.hand_keypoint_model import HandKeypointModel, HandState
from hoifield.observations.hand_locked_poses import view_span
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.object_track import ObjectTrack
from hoifield.observations.rotated_boxes import keypoint_box_side


@dataclass(frozen=True)
class SteadyGraspSettings:
    """When to try, when to believe, and the weights between."""

    least_frames: int = 20
    least_view_span: float = 35.0
    """Degrees of viewing directions below which many views of one rigid grasp say no more than one."""
    worst_gain: float = 0.05
    """Share of the hand's box by which the mean keypoint error may grow: more means that the grasp slips or the track is wrong."""
    steps: int = 350
    pixel_scale: float = 0.02
    """Share of the hand's box that counts as one."""
    shape: float = 0.03
    """Pull of the shape to the one first fitted; the size of the hand is the ruler of the scene."""
    offset_scale_m: float = 0.006
    deviation: float = 10.0
    """Pull of a frame's finger angles to the clip's, per square radian."""
    wrist_turn: float = 0.06
    """Radians by which a frame's hand may sit off the clip's in the object: flesh gives, and people shift their grip."""
    wrist_shift_m: float = 0.004
    sway: float = 0.05
    """Weight of that expectation beside one keypoint's."""


@dataclass(frozen=True)
class _Views:
    """The frames that vote."""

    rotation: Float[Tensor, "frame 3 3"]
    translation: Float[Tensor, "frame 3"]
    keypoints: Float[Tensor, "frame 21 2"]
    box_side: Float[Tensor, "frame"]
    K: Float[Tensor, "3 3"]


@dataclass(frozen=True)
class _Grasp:
    """The unknowns: hand in the object, the object's scale, one articulation with small deviations, shape and keypoint offsets."""

    turn: Float[Tensor, "3"]
    position: Float[Tensor, "3"]
    log_scale: Float[Tensor, "1"]
    angles: Float[Tensor, "1 15 3"]
    deviation: Float[Tensor, "frame 15 3"]
    wrist: Float[Tensor, "frame 6"]
    """Turn (radians, hand frame) and shift (metres, object frame) of a frame's hand from the clip's."""
    shape: Float[Tensor, "10"]
    offsets: Float[Tensor, "6 3"]


def hold_steady(
    hand: HandTrack,
    track: ObjectTrack,
    actor: SkinnedModel,
    camera: Camera,
    time_s: Float[np.ndarray, "frame"],
    settings: SteadyGraspSettings | None = None,
) -> tuple[HandTrack, ObjectTrack] | None:
    """Hand and object tracks under one rigid grasp over the frames placed by structure from motion; None where that is not borne out.

    All views together triangulate the hand in the object: reprojection of the keypoints, with the hand in the object, its
    articulation (small deviations per frame) and the object's scale free; the hand's size is the ruler. The object's poses and hull
    are brought to that scale. Deterministic; best on one thread.
    """
    settings = settings or SteadyGraspSettings()
    voting = _voting_frames(hand, track)
    if len(voting) < settings.least_frames or view_span(track.T_camera_object[voting]) < settings.least_view_span:
        return None
    model = HandKeypointModel.of_actor(actor)
    views = _gather_views(hand, track, camera, voting)
    grasp = _optimise(model, views, _first_grasp(hand, track, model, voting), settings)
    with torch.no_grad():
        error = (_residuals(model, views, grasp).norm(dim=-1).mean(1) / views.box_side).numpy()
    if float(np.mean(error)) > float(np.mean(hand.keypoint_error[voting])) + settings.worst_gain:
        return None
    steady = _steady_hand(hand, track, model, voting, grasp, error)
    scaled = _scaled_track(track, float(torch.exp(grasp.log_scale)))
    return _carry_on(steady, scaled, model, camera, time_s, voting, grasp)


def _voting_frames(hand: HandTrack, track: ObjectTrack) -> Int[np.ndarray, "voting"]:
    placed = np.array([source == "motion" for source in track.source]) & np.isfinite(track.T_camera_object).all((1, 2))
    return np.flatnonzero(placed & hand.observed & hand.posed)


def _gather_views(hand: HandTrack, track: ObjectTrack, camera: Camera, voting: Int[np.ndarray, "voting"]) -> _Views:
    keypoints = hand.keypoints[voting]
    return _Views(
        torch.tensor(track.T_camera_object[voting, :3, :3], dtype=torch.float32),
        torch.tensor(track.T_camera_object[voting, :3, 3], dtype=torch.float32),
        torch.tensor(keypoints, dtype=torch.float32),
        torch.tensor(keypoint_box_side(keypoints), dtype=torch.float32),
        torch.tensor(camera.K, dtype=torch.float32),
    )


def _first_grasp(hand: HandTrack, track: ObjectTrack, model: HandKeypointModel, voting: Int[np.ndarray, "voting"]) -> _Grasp:
    """Chordal mean of the hand's rotation in the object, medians of the rest."""
    T_object = track.T_camera_object[voting]
    T_hand = hand.T_camera_hand[voting]
    inverse = T_object[:, :3, :3].transpose(0, 2, 1)
    u, _, vt = np.linalg.svd((inverse @ T_hand[:, :3, :3]).sum(0))
    rotation = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    position = np.median((inverse @ (T_hand[:, :3, 3] - T_object[:, :3, 3])[..., None])[..., 0], axis=0)
    axis_angle = torch.tensor(hand.pose[voting, 1:], dtype=torch.float32)
    angles = model.angles_of(axis_angle).median(0).values[None]
    return _Grasp(
        axis_angle_from_matrix(torch.tensor(rotation)).float(),
        torch.tensor(position, dtype=torch.float32),
        torch.zeros(1),
        angles.clamp(model.lower, model.upper),
        torch.zeros(len(voting), 15, 3),
        torch.zeros(len(voting), 6),
        torch.tensor(hand.shape, dtype=torch.float32),
        torch.tensor(hand.keypoint_offsets[list(PALM_KEYPOINTS)], dtype=torch.float32),
    )


def _state(model: HandKeypointModel, grasp: _Grasp) -> HandState:
    frames = len(grasp.deviation)
    rotation = matrix_from_axis_angle(grasp.turn) @ matrix_from_axis_angle(grasp.wrist[:, :3])
    angles = (grasp.angles + grasp.deviation).clamp(model.lower, model.upper)
    return HandState(angles, rotation.expand(frames, 3, 3), (grasp.position + grasp.wrist[:, 3:]).expand(frames, 3), grasp.shape, grasp.offsets)


def _residuals(model: HandKeypointModel, views: _Views, grasp: _Grasp) -> Float[Tensor, "frame 21 2"]:
    in_object = model.keypoints_in_camera(_state(model, grasp))
    in_camera = in_object @ views.rotation.transpose(1, 2) + (torch.exp(grasp.log_scale) * views.translation)[:, None]
    return project(in_camera, views.K) - views.keypoints


def _optimise(model: HandKeypointModel, views: _Views, start: _Grasp, settings: SteadyGraspSettings) -> _Grasp:
    """Adam on all unknowns, robust in the residuals (Charbonnier)."""
    unknowns = [tensor.clone().requires_grad_(True) for tensor in vars(start).values()]
    rates = (0.01, 0.002, 0.003, 0.02, 0.005, 0.002, 0.02, 0.0005)
    optimiser = torch.optim.Adam([{"params": [tensor], "lr": rate} for tensor, rate in zip(unknowns, rates)])
    wrist_spread = torch.tensor([settings.wrist_turn] * 3 + [settings.wrist_shift_m] * 3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.steps, eta_min=1e-4)
    for _ in range(settings.steps):
        grasp = _Grasp(*unknowns)
        residual = _residuals(model, views, grasp).norm(dim=-1) / (settings.pixel_scale * views.box_side[:, None])
        loss = (torch.sqrt(1 + residual**2) - 1).mean()
        loss = loss + settings.shape * ((grasp.shape - start.shape) ** 2).sum()
        loss = loss + 0.02 * (((grasp.offsets - start.offsets) / settings.offset_scale_m) ** 2).sum()
        loss = loss + settings.deviation * (grasp.deviation**2).sum((1, 2)).mean()
        loss = loss + 10 * settings.deviation * (grasp.deviation.diff(dim=0) ** 2).sum((1, 2)).mean()
        loss = loss + 0.01 * (grasp.angles**2).sum()
        sway = grasp.wrist / wrist_spread
        loss = loss + settings.sway * ((sway**2).sum(1).mean() + 10 * (sway.diff(dim=0) ** 2).sum(1).mean())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            unknowns[3].clamp_(model.lower, model.upper)
    return _Grasp(*(tensor.detach() for tensor in unknowns))


def _steady_hand(
    hand: HandTrack, track: ObjectTrack, model: HandKeypointModel, voting: Int[np.ndarray, "voting"], grasp: _Grasp, error: np.ndarray
) -> HandTrack:
    """The hand carried by the object in every frame that voted or does not detect it; the other frames keep what they had."""
    state = _state(model, grasp)
    T_object_hand = np.tile(np.eye(4), (len(voting), 1, 1))
    T_object_hand[:, :3, :3] = state.rotation.double().numpy()
    T_object_hand[:, :3, 3] = state.translation.double().numpy()
    T_camera_object = _scaled_track(track, float(torch.exp(grasp.log_scale))).T_camera_object
    T_camera_hand, pose, keypoint_error = hand.T_camera_hand.copy(), hand.pose.copy(), hand.keypoint_error.copy()
    unseen = np.flatnonzero(~hand.observed & hand.posed & np.isfinite(track.T_camera_object).all((1, 2)))
    nearest = np.abs(voting[:, None] - unseen).argmin(0)
    T_camera_hand[unseen] = T_camera_object[unseen] @ T_object_hand[nearest]
    T_camera_hand[voting] = T_camera_object[voting] @ T_object_hand
    fingers = model.axis_angle_pose(state)[:, 1:].double().numpy()
    pose[voting, 1:], pose[unseen, 1:] = fingers, fingers[nearest]
    pose[unseen, 0] = axis_angle_from_matrix(torch.tensor(T_camera_hand[unseen, :3, :3])).numpy()
    pose[voting, 0] = axis_angle_from_matrix(torch.tensor(T_camera_hand[voting, :3, :3])).numpy()
    keypoint_error[voting] = error
    offsets = model.mean_offsets(state).double().numpy()
    return replace(hand, T_camera_hand=T_camera_hand, pose=pose, shape=grasp.shape.double().numpy(), keypoint_error=keypoint_error, keypoint_offsets=offsets)


def _carry_on(
    hand: HandTrack,
    track: ObjectTrack,
    model: HandKeypointModel,
    camera: Camera,
    time_s: Float[np.ndarray, "frame"],
    voting: Int[np.ndarray, "voting"],
    grasp: _Grasp,
) -> tuple[HandTrack, ObjectTrack]:
    """The frames that did not vote: the triangulated hand posed by its keypoints, smooth through the voters, and the object carried along.

    A hand of known articulation in many views turns far less wrongly than one whose fingers are free in each.
    """
    observed = np.flatnonzero(hand.observed & hand.posed)
    free = ~np.isin(observed, voting)
    if not free.any():
        return hand, track
    T = _pose_rigid_hand(hand, model, camera, time_s, observed, free, grasp)
    T_object_hand = np.eye(4)
    T_object_hand[:3, :3] = matrix_from_axis_angle(grasp.turn).double().numpy()
    T_object_hand[:3, 3] = grasp.position.double().numpy()
    T_camera_hand, pose, T_camera_object = hand.T_camera_hand.copy(), hand.pose.copy(), track.T_camera_object.copy()
    followers = observed[free]
    T_camera_hand[followers] = T[free]
    angles = grasp.angles.expand(len(followers), 15, 3)
    pose[followers, 1:] = (model.axes @ angles[..., None])[..., 0].double().numpy()
    pose[followers, 0] = axis_angle_from_matrix(torch.tensor(T[free, :3, :3])).numpy()
    placed = followers[np.isfinite(track.T_camera_object[followers]).all((1, 2))]
    T_camera_object[placed] = T_camera_hand[placed] @ np.linalg.inv(T_object_hand)
    return replace(hand, T_camera_hand=T_camera_hand, pose=pose), replace(track, T_camera_object=T_camera_object)


def _pose_rigid_hand(
    hand: HandTrack,
    model: HandKeypointModel,
    camera: Camera,
    time_s: Float[np.ndarray, "frame"],
    observed: Int[np.ndarray, "observed"],
    free: np.ndarray,
    grasp: _Grasp,
) -> Float[np.ndarray, "observed 4 4"]:
    """Root poses of a hand whose articulation is known: reprojection, and small accelerations through the frames that stay."""
    start = torch.tensor(hand.T_camera_hand[observed], dtype=torch.float32)
    keypoints = torch.tensor(hand.keypoints[observed], dtype=torch.float32)
    scale = 0.02 * torch.tensor(keypoint_box_side(hand.keypoints[observed]), dtype=torch.float32)[:, None]
    K, movable = torch.tensor(camera.K, dtype=torch.float32), torch.tensor(free)[:, None].float()
    rigid = replace(grasp, deviation=torch.zeros(1, 15, 3), wrist=torch.zeros(1, 6), turn=torch.zeros(3), position=torch.zeros(3))
    points = model.keypoints_in_hand(_state(model, rigid))[0]
    step = torch.tensor(np.diff(time_s[observed]), dtype=torch.float32).clamp(min=1e-3)[:, None] * 30
    turn, shift = torch.zeros(len(observed), 3, requires_grad=True), torch.zeros(len(observed), 3, requires_grad=True)
    optimiser = torch.optim.Adam([{"params": [turn], "lr": 0.02}, {"params": [shift], "lr": 0.004}])
    for _ in range(200):
        rotation = start[:, :3, :3] @ matrix_from_axis_angle(turn * movable)
        translation = start[:, :3, 3] + shift * movable
        pixels = project(points @ rotation.transpose(1, 2) + translation[:, None], K)
        residual = (pixels - keypoints).norm(dim=-1) / scale
        loss = ((torch.sqrt(1 + residual**2) - 1) * movable).sum() / (movable.sum() * 21)
        rate = (rotation.diff(dim=0).flatten(1) / step).diff(dim=0)
        drift = (translation.diff(dim=0) / step).diff(dim=0)
        loss = loss + 60 * (rate**2).sum(-1).mean() + 4e3 * (drift**2).sum(-1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    T = hand.T_camera_hand[observed].copy()
    T[:, :3, :3] = rotation.detach().double().numpy()
    T[:, :3, 3] = translation.detach().double().numpy()
    u, _, vt = np.linalg.svd(T[:, :3, :3])
    T[:, :3, :3] = u @ vt
    return T


def _scaled_track(track: ObjectTrack, scale: float) -> ObjectTrack:
    T = track.T_camera_object.copy()
    T[:, :3, 3] *= scale
    return replace(track, T_camera_object=T, hull=replace(track.hull, vertices=track.hull.vertices * scale))
