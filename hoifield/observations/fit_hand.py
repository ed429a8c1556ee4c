"""An actor's hand fitted to detected keypoints, all frames of a clip at once (hinge angles, firm limits, smooth in time)."""

import math
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hoifield.actors.skinned_model import SkinnedModel
from hoifield.geometry.cameras import Camera, project
from hoifield.geometry.rigid import compose
from hoifield.geometry.rotations import cross_matrix, matrix_from_axis_angle
from hoifield.observations.hand_keypoint_model import HandKeypointModel, HandState, start_angles
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.one_thread import on_one_thread
from hoifield.observations.rotated_boxes import keypoint_box_side
from hoifield.observations.track_keypoints import KeypointTrack

SMOOTHING_UNIT_S = 1 / 30
"""Accelerations are measured per (1/30 s)^2, so that the frame rate of a clip does not change how smooth a hand is."""
PALM = (0, 5, 9, 13, 17)
ROUNDING = 0.003
"""Speed below which the price of bending is quadratic, radians per smoothing unit."""


@dataclass(frozen=True)
class FitHandSettings:
    """Weights of the fit. Each term is a mean over frames, so a clip's length does not shift the balance."""

    steps: int = 400
    rigid_share: float = 0.5
    """Share of the steps in which one articulation stands for the whole clip, so that all views vote on the depth of each finger.

    After it the fingers may leave that articulation, by the picture alone while they move little: one view's guess of depth errs.
    """
    unsmoothed_share: float = 0.4
    """Share of the steps before smoothness begins; with it from the start the depth stays where it started."""
    pixel_scale: float = 0.02
    """2-D residual that counts as one, share of the hand's box."""
    world_scale_m: float = 0.015
    world: float = 1.0
    shape: float = 0.1
    size: float = 0.5
    offsets: float = 0.05
    offset_scale_m: float = 0.01
    bend: float = 0.01
    coupling: float = 0.1
    """DIP follows 0.66 PIP."""
    bending: float = 1.0
    """First price of the fingers' travel (total variation): a grasp that changes costs its change once, noise in every frame."""
    detector_noise: float = 0.021
    """Mean keypoint error, share of the hand's box, up to which the price rises, and above which it falls (discrepancy principle)."""
    price_rate: float = 0.2
    release: float = 0.1
    """Share of the first price below which the fingers move so much that the rigid phase is no guide to shape and size."""
    price_range: tuple[float, float] = (0.01, 4.0)
    depth_scale_m: float = 0.003
    """Residual to a measured depth of the hand that counts as one."""
    angle_acceleration: float = 20.0
    rotation_acceleration: float = 200.0
    translation_acceleration: float = 4e3


@dataclass(frozen=True)
class _Evidence:
    """What was detected in the observed frames, as the loss reads it."""

    keypoints: Float[Tensor, "frame 21 2"]
    world: Float[Tensor, "frame 21 3"]
    """About its mean, turned onto the viewing ray."""
    box_side: Float[Tensor, "frame"]
    weight: Float[Tensor, "frame 21"]
    K: Float[Tensor, "3 3"]
    time: Float[Tensor, "frame"]
    """In smoothing units."""
    depth: Float[Tensor, "frame"]
    """Of the wrist, metres, as a sensor has it; NaN where it says nothing."""


@dataclass(frozen=True)
class _Unknowns:
    """Optimised tensors, as changes from the start."""

    start: HandState
    articulation: Float[Tensor, "15 3"]
    """Angles of the clip."""
    deviation: Float[Tensor, "frame 15 3"]
    turn: Float[Tensor, "frame 3"]
    shift: Float[Tensor, "frame 3"]
    """Share of the starting depth."""
    shape: Float[Tensor, "component=10"]
    offset_change: Float[Tensor, "6 3"]
    log_size: Float[Tensor, "1"]

    @staticmethod
    def begin(start: HandState) -> "_Unknowns":
        frames = len(start.angles)
        zeros = [torch.zeros(size, requires_grad=True) for size in ((frames, 3), (frames, 3), (10,), (6, 3), (1,))]
        articulation = start.angles.median(0).values.requires_grad_(True)
        return _Unknowns(start, articulation, torch.zeros(frames, 15, 3, requires_grad=True), *zeros)

    def state(self, free: Tensor) -> HandState:
        return HandState(
            angles=(self.articulation + self.deviation) * free,
            rotation=self.start.rotation @ matrix_from_axis_angle(self.turn),
            translation=self.start.translation + self.shift * self.start.translation[:, 2:],
            shape=self.shape,
            palm_offsets=self.start.palm_offsets + self.offset_change,
        )

    def optimiser(self) -> torch.optim.Adam:
        rates = (
            ([self.articulation, self.deviation, self.turn, self.shape], 0.03),
            ([self.shift], 0.01),
            ([self.log_size], 0.005),
            ([self.offset_change], 0.001),
        )
        return torch.optim.Adam([{"params": tensors, "lr": rate} for tensors, rate in rates])

    def hold(self, is_rigid: bool, is_steady: bool) -> None:
        """Drop the gradients of what is kept: deviations while the hand is rigid, then all that the clip shares if it is steady."""
        shared = (self.articulation, self.shape, self.offset_change, self.log_size)
        for held in (self.deviation,) if is_rigid else shared if is_steady else ():
            held.grad = None

    def clamp(self, model: HandKeypointModel) -> None:
        """Back inside the limits."""
        self.articulation.clamp_(model.lower, model.upper)
        self.deviation.clamp_(model.lower - self.articulation, model.upper - self.articulation)


def fit_hand(
    track: KeypointTrack,
    actor: SkinnedModel,
    camera: Camera,
    time_s: Float[np.ndarray, "frame"],
    settings: FitHandSettings | None = None,
    wrist_depth: Float[np.ndarray, "frame"] | None = None,
) -> HandTrack:
    """The actor's poses, one shape and the palm's keypoint offsets that explain a keypoint track; NaN in frames without a hand.

    Robust 2-D and 3-D residuals to the detected keypoints under hinge limits that cannot be left (projected Adam). Size is not
    observed: it is the actor's prior, and every depth scales with it and with the focal length; unless the wrist's distance from the camera's plane
    was measured (`wrist_depth`, metres; NaN where it was not). Deterministic.
    """
    settings = settings or FitHandSettings()
    model = HandKeypointModel.of_actor(actor)
    frames = np.flatnonzero(track.observed)
    if len(frames) == 0:
        return _hand_track(track, actor, model, None, np.full(len(track.observed), np.nan))
    evidence = _gather_evidence(track, camera, time_s, frames, wrist_depth)
    start = _start_state(track.world[frames], evidence, model, actor)
    with on_one_thread():
        state = _optimise(model, start, evidence, settings)
    with torch.no_grad():
        pixels = project(model.keypoints_in_camera(state), evidence.K)
        error = ((pixels - evidence.keypoints).norm(dim=-1).mean(1) / evidence.box_side).numpy()
    keypoint_error = np.full(len(track.observed), np.nan)
    keypoint_error[frames] = error
    return _hand_track(track, actor, model, state, keypoint_error)


def turn_onto_ray(pixels: Float[Tensor, "frame 2"], K: Float[Tensor, "3 3"]) -> Float[Tensor, "frame 3 3"]:
    """Least rotations that take the optical axis onto the viewing rays of pixels."""
    x = (pixels[:, 0] - K[0, 2]) / K[0, 0]
    y = (pixels[:, 1] - K[1, 2]) / K[1, 1]
    ray = torch.nn.functional.normalize(torch.stack([x, y, torch.ones_like(x)], dim=-1), dim=-1)
    axis = cross_matrix(torch.stack([-ray[:, 1], ray[:, 0], torch.zeros_like(x)], dim=-1))
    return torch.eye(3) + axis + axis @ axis / (1 + ray[:, 2])[:, None, None]


def acceleration(values: Float[Tensor, "frame *size"], time: Float[Tensor, "frame"]) -> Float[Tensor, "inner *size"]:
    """Second time derivative at inner frames, times the square root of the share of time that each stands for.

    For even steps of one this is the second difference. Straight motion through a gap costs nothing, and the mean of squares is
    the mean squared acceleration over time, whatever the frame rate.
    """
    step = time[1:] - time[:-1]
    shape = (-1,) + (1,) * (values.ndim - 1)
    velocity = (values[1:] - values[:-1]) / step.reshape(shape)
    span = ((step[1:] + step[:-1]) / 2).reshape(shape)
    return (velocity[1:] - velocity[:-1]) / (span * step.median()).sqrt()


def _gather_evidence(
    track: KeypointTrack, camera: Camera, time_s: Float[np.ndarray, "frame"], frames: np.ndarray, wrist_depth: Float[np.ndarray, "frame"] | None
) -> _Evidence:
    keypoints = torch.from_numpy(track.keypoints[frames]).float()
    K = torch.from_numpy(camera.K).float()
    world = torch.from_numpy(track.world[frames]).float()
    centre = (keypoints.amax(1) + keypoints.amin(1)) / 2
    world = (world - world.mean(1, keepdim=True)) @ turn_onto_ray(centre, K).transpose(1, 2)
    weight = torch.from_numpy(track.presence[frames]).float()[:, None].repeat(1, 21)
    # The detector's wrist and thumb base sit least well on any actor.
    weight[:, :2] *= 0.5
    box_side = torch.from_numpy(keypoint_box_side(track.keypoints[frames])).float()
    time = torch.from_numpy((time_s[frames] - time_s[frames[0]]) / SMOOTHING_UNIT_S)
    # Repeated or reversed time stamps would make velocities infinite.
    steps = (time[1:] - time[:-1]).clamp(min=0.05)
    time = torch.cat([torch.zeros(1, dtype=steps.dtype), steps.cumsum(0)]).float()
    depth = torch.full((len(frames),), torch.nan) if wrist_depth is None else torch.from_numpy(wrist_depth[frames]).float()
    return _Evidence(keypoints, world, box_side, weight, K, time, depth)


def _start_state(world: Float[np.ndarray, "frame 21 3"], evidence: _Evidence, model: HandKeypointModel, actor: SkinnedModel) -> HandState:
    """Flexion from the detector's bones, rotation from its palm, depth from the palm's size in the picture."""
    frames = len(world)
    offsets = model.usual_offsets
    shape = torch.zeros(10)
    zero = HandState(torch.zeros(1, 15, 3), torch.eye(3)[None], torch.zeros(1, 3), shape, offsets)
    flat = model.keypoints_in_hand(zero)[0]
    palm = list(PALM)
    source = flat[palm] - flat[palm].mean(0)
    target = evidence.world[:, palm] - evidence.world[:, palm].mean(1, keepdim=True)
    u, _, vt = torch.linalg.svd(torch.einsum("ka,nkb->nab", source, target))
    sign = torch.ones(frames, 3)
    sign[:, 2] = torch.sign(torch.det(vt.transpose(1, 2) @ u.transpose(1, 2)))
    rotation = vt.transpose(1, 2) @ (sign[:, :, None] * u.transpose(1, 2))
    turned = source @ rotation.transpose(1, 2)
    pixels = evidence.keypoints[:, palm]
    spread = (pixels - pixels.mean(1, keepdim=True)).norm(dim=-1).mean(1)
    # Spread of the palm across the viewing ray, not in space: a palm seen from its edge is not farther away.
    across = turned[..., :2].norm(dim=-1).mean(1)
    depth = evidence.K[0, 0] * across / spread.clamp(min=1.0)
    middle = pixels.mean(1)
    focal = torch.stack([evidence.K[0, 0], evidence.K[1, 1]])
    position = torch.cat([(middle - evidence.K[:2, 2]) / focal, torch.ones(frames, 1)], dim=1)
    translation = position * depth[:, None] - rotation @ flat[palm].mean(0)
    return HandState(start_angles(world, model, actor.side == "left"), rotation, translation, shape, offsets)


def _optimise(model: HandKeypointModel, start: HandState, evidence: _Evidence, settings: FitHandSettings) -> HandState:
    unknowns = _Unknowns.begin(start)
    free = model.is_free.float()
    optimiser = unknowns.optimiser()
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.steps, eta_min=1e-3)
    price = settings.bending
    for step in range(settings.steps):
        optimiser.zero_grad()
        state = unknowns.state(free)
        is_rigid = step < settings.rigid_share * settings.steps
        in_camera = model.keypoints_in_camera(state)
        error = (project(in_camera, evidence.K) - evidence.keypoints) / evidence.box_side[:, None, None]
        loss = (evidence.weight * _charbonnier(error / settings.pixel_scale)).mean() + _prior_loss(state, unknowns, settings)
        measured = evidence.depth.isfinite()
        if bool(measured.any()):
            loss = loss + _charbonnier((state.translation[measured, 2:] - evidence.depth[measured, None]) / settings.depth_scale_m).mean()
        # Where the picture makes bending cheap the fingers move, and other views say little about this one's depth.
        world = settings.world * (1.0 if is_rigid else max(0.0, 1 - price / settings.bending))
        if world > 0:
            loss = loss + world * _world_loss(in_camera, unknowns, evidence, settings)
        if not is_rigid:
            price = _next_price(price, float(error.detach().norm(dim=-1).mean()), settings)
        if step >= settings.unsmoothed_share * settings.steps and len(evidence.time) > 2:
            loss = loss + _smoothness_loss(state, evidence.time, price, settings)
        loss.backward()
        unknowns.hold(is_rigid, settings.release * settings.bending <= price)
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            unknowns.clamp(model)
    return _detached(unknowns.state(free))


def _detached(state: HandState) -> HandState:
    return HandState(*(getattr(state, entry.name).detach() for entry in fields(state)))


def _next_price(price: float, error: float, settings: FitHandSettings) -> float:
    """The price of bending after a step whose mean keypoint error was this share of the hand's box."""
    change = max(-1.0, min(1.0, (settings.detector_noise - error) / settings.detector_noise))
    lowest, highest = settings.price_range
    return max(lowest, min(highest, price * math.exp(settings.price_rate * change)))


def _prior_loss(state: HandState, unknowns: _Unknowns, settings: FitHandSettings) -> Tensor:
    """Priors on shape, size, offsets and bend."""
    loss = settings.shape * state.shape.square().sum() + settings.size * unknowns.log_size.square().sum()
    loss = loss + settings.offsets * (unknowns.offset_change / settings.offset_scale_m).square().sum()
    # Rows of the joint tree: index, middle, little, ring; the thumb has no such coupling.
    fingers = state.angles[:, :12, 0].reshape(-1, 4, 3)
    coupling = (fingers[..., 2] - 0.66 * fingers[..., 1]).square().mean()
    return loss + settings.bend * state.angles.square().sum(-1).mean() + settings.coupling * coupling


def _world_loss(in_camera: Float[Tensor, "frame 21 3"], unknowns: _Unknowns, evidence: _Evidence, settings: FitHandSettings) -> Tensor:
    """Robust residuals to the detector's own 3-D guess."""
    centred = in_camera - in_camera.mean(1, keepdim=True)
    # In the detector's scale: residuals in the actor's would shrink the hand to make themselves small.
    error = (centred * (-unknowns.log_size).exp() - evidence.world) / settings.world_scale_m
    return (evidence.weight * _charbonnier(error)).mean()


def _smoothness_loss(state: HandState, time: Float[Tensor, "frame"], price: float, settings: FitHandSettings) -> Tensor:
    angles = acceleration(state.angles, time).square().sum(-1).mean()
    rotation = acceleration(state.rotation, time).square().sum((-1, -2)).mean()
    translation = acceleration(state.translation, time).square().sum(-1).mean()
    speed = (state.angles[1:] - state.angles[:-1]) / (time[1:] - time[:-1])[:, None, None]
    bending = ((speed.square() + ROUNDING**2).sqrt() - ROUNDING).sum((1, 2)).mean()
    return price * bending + (
        settings.angle_acceleration * angles + settings.rotation_acceleration * rotation + settings.translation_acceleration * translation
    )


def _charbonnier(residual: Float[Tensor, "*batch axis"]) -> Float[Tensor, "*batch"]:
    return (1 + residual.square().sum(-1)).sqrt() - 1


def _hand_track(
    track: KeypointTrack, actor: SkinnedModel, model: HandKeypointModel, state: HandState | None, keypoint_error: Float[np.ndarray, "frame"]
) -> HandTrack:
    """The record over all frames of the clip, NaN where nothing was observed."""
    frame_count = len(track.observed)
    T_camera_hand = np.full((frame_count, 4, 4), np.nan)
    pose = np.full((frame_count, 16, 3), np.nan)
    shape, offsets = np.zeros(10), np.zeros((21, 3))
    if state is not None:
        T_camera_hand[track.observed] = compose(state.rotation, state.translation).numpy()
        pose[track.observed] = model.axis_angle_pose(state).numpy()
        shape, offsets = state.shape.numpy().astype(np.float64), model.mean_offsets(state).numpy().astype(np.float64)
    return HandTrack(
        side=actor.side,
        actor=actor.name,
        observed=track.observed,
        keypoints=track.keypoints,
        keypoint_error=keypoint_error,
        presence=track.presence,
        T_camera_hand=T_camera_hand,
        pose=pose,
        shape=shape,
        keypoint_offsets=offsets,
    )
