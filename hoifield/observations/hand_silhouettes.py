"""The fingers of a hand that holds still, by its silhouettes: from many sides they carve it, where the detector makes hidden fingers up."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hoifield.actors.skinned_model import PALM_KEYPOINTS, SkinnedModel
from hoifield.geometry.cameras import Camera, project
from hoifield.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hoifield.geometry.sample_pictures import sample_pictures
from hoifield.observations.frame_masks import BACKGROUND, LEFT_HAND, RIGHT_HAND, FrameMasks
from hoifield.observations.hand_keypoint_model import HandKeypointModel, HandState
from hoifield.observations.hand_locked_poses import view_span
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.object_track import ObjectTrack
from hoifield.observations.rotated_boxes import keypoint_box_side

BEYOND_WRIST = 0.1
"""Share of the palm's length beyond the wrist from which on pixels are the hand's: a mask ends somewhere on the arm."""


@dataclass(frozen=True)
class SilhouetteSettings:
    """When to look, at how much, and the weights; lengths are shares of the hand's box."""

    least_view_span: float = 90.0
    """Degrees of viewing directions. From fewer sides what hides a finger hides it always: there silhouettes moved fingers at random."""
    frames: int = 24
    points: int = 96
    """Pixels of the hand, in each frame."""
    every: int = 2
    """Which vertices stand for the skin."""
    steps: int = 150
    detected: float = 0.02
    robust: float = 2.0
    """Cauchy's scale of the keypoints, in units of `detected`: where they are made up they disagree among themselves."""
    outline: float = 0.04
    between_vertices: float = 0.03
    """A pixel so near to a vertex is covered by the skin."""
    outside: float = 120.0
    uncovered: float = 30.0
    angles: float = 0.02
    """Pull of each angle to what it was, per square radian."""


@dataclass(frozen=True)
class _Views:
    """What the chosen frames show; pixels of the masks."""

    T: Float[Tensor, "frame 4 4"]
    keypoints: Float[Tensor, "frame 21 2"]
    box_side: Float[Tensor, "frame"]
    beside: Float[Tensor, "frame row column"]
    """Pixels to the nearest that is not background."""
    covered: Float[Tensor, "frame point 2"]
    """Pixels of the hand; frames that show none have NaN."""
    K: Float[Tensor, "3 3"]


@dataclass(frozen=True)
class _Change:
    """The unknowns: the hand's turn and shift in its own frame, and its angles."""

    turn: Float[Tensor, "3"]
    shift: Float[Tensor, "3"]
    angles: Float[Tensor, "15 3"]


def is_beyond_wrist(points: Float[np.ndarray, "point 2"], keypoints: Float[np.ndarray, "21 2"]) -> Bool[np.ndarray, "point"]:
    """False for pixels on the arm's side of the wrist, and everywhere without keypoints (NaN)."""
    wrist, knuckles = keypoints[0], keypoints[[5, 9, 13, 17]].mean(0)
    along = (knuckles - wrist) / max(float(np.linalg.norm(knuckles - wrist)), 1e-6)
    return (points - wrist) @ along > BEYOND_WRIST * np.linalg.norm(knuckles - wrist)


def shape_by_silhouettes(
    hand: HandTrack, track: ObjectTrack, masks: FrameMasks, actor: SkinnedModel, camera: Camera, seed: int, settings: SilhouetteSettings | None = None
) -> HandTrack:
    """The hand with one change for all frames, of its place in the object and of its articulation, that its silhouettes ask for.

    Its skin may lie on hand and object alone, and must cover the hand's pixels; the detected keypoints count robustly. Keypoint errors stay
    as they were: they judge the detections, which silhouettes may overrule. The hand as it was where the object is seen from few sides.
    Deterministic for a seed; best on one thread.
    """
    settings = settings or SilhouetteSettings()
    frames = np.flatnonzero(hand.observed & hand.posed & np.isfinite(track.T_camera_object).all((1, 2)))
    if len(frames) < settings.frames or view_span(track.T_camera_object[frames]) < settings.least_view_span:
        return hand
    frames = frames[np.linspace(0, len(frames) - 1, settings.frames).round().astype(int)]
    model = HandKeypointModel.of_actor(actor)
    views = _gather_views(hand, masks, camera, frames, seed, settings)
    start = _angles(model, hand.pose[frames]).median(0).values.clamp(model.lower, model.upper)
    return _apply(hand, model, start, _descend(hand, actor, model, views, start, settings))


def _angles(model: HandKeypointModel, pose: Float[np.ndarray, "frame 16 3"]) -> Float[Tensor, "frame 15 3"]:
    return model.angles_of(torch.tensor(pose[:, 1:], dtype=torch.float32))


def _gather_views(hand: HandTrack, masks: FrameMasks, camera: Camera, frames: np.ndarray, seed: int, settings: SilhouetteSettings) -> _Views:
    height, width = masks.labels.shape[1:]
    keypoints = hand.keypoints[frames] * np.array([width / camera.width, height / camera.height])
    generator = np.random.default_rng((seed, 12))
    covered = np.full((len(frames), settings.points, 2), np.nan)
    for row, frame in enumerate(frames):
        points = np.argwhere(masks.labels[frame] == (RIGHT_HAND if hand.side == "right" else LEFT_HAND))[:, ::-1] + 0.5
        points = points[is_beyond_wrist(points, keypoints[row])]
        if len(points):
            covered[row] = points[generator.integers(len(points), size=settings.points)]
    beside = [cv2.distanceTransform((masks.labels[frame] == BACKGROUND).astype(np.uint8), cv2.DIST_L2, 5) for frame in frames]
    arrays = (hand.T_camera_hand[frames], keypoints, keypoint_box_side(keypoints), np.stack(beside), covered, camera.resized(width, height).K)
    return _Views(*(torch.tensor(array, dtype=torch.float32) for array in arrays))


def _descend(
    hand: HandTrack, actor: SkinnedModel, model: HandKeypointModel, views: _Views, start: Float[Tensor, "15 3"], settings: SilhouetteSettings
) -> _Change:
    """Adam on all unknowns."""
    shape = torch.tensor(hand.shape, dtype=torch.float32)
    offsets = torch.tensor(hand.keypoint_offsets[list(PALM_KEYPOINTS)], dtype=torch.float32)
    change = _Change(torch.zeros(3, requires_grad=True), torch.zeros(3, requires_grad=True), start.clone().requires_grad_(True))
    rates = ((change.turn, 0.01), (change.shift, 0.001), (change.angles, 0.02))
    optimiser = torch.optim.Adam([{"params": [unknown], "lr": rate} for unknown, rate in rates])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.steps, eta_min=1e-4)
    for _ in range(settings.steps):
        angles = change.angles.clamp(model.lower, model.upper)
        keypoints = model.keypoints_in_hand(HandState(angles[None], torch.eye(3)[None], torch.zeros(1, 3), shape, offsets))[0]
        pose = torch.cat([torch.zeros(1, 1, 3), (model.axes @ angles[None, ..., None])[..., 0]], 1)
        skin = actor.pose(shape, pose, torch.eye(4)[None]).vertices[0, :: settings.every].float()
        loss = _keypoint_loss(_seen(keypoints, change, views), views, settings) + _skin_loss(_seen(skin, change, views), views, settings)
        loss = loss + settings.angles * ((change.angles - start) ** 2).sum() + ((change.angles - angles) ** 2).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return _Change(change.turn.detach(), change.shift.detach(), change.angles.detach().clamp(model.lower, model.upper))


def _seen(points: Float[Tensor, "point 3"], change: _Change, views: _Views) -> Float[Tensor, "frame point 2"]:
    """Pixels of points of the hand frame."""
    moved = points @ matrix_from_axis_angle(change.turn).T + change.shift
    return project(moved @ views.T[:, :3, :3].transpose(1, 2) + views.T[:, None, :3, 3], views.K)


def _keypoint_loss(pixels: Float[Tensor, "frame 21 2"], views: _Views, settings: SilhouetteSettings) -> Float[Tensor, ""]:
    residual = (pixels - views.keypoints).norm(dim=-1) / (settings.detected * views.box_side[:, None])
    return (settings.robust**2 / 2 * torch.log1p((residual / settings.robust) ** 2)).mean()


def _skin_loss(pixels: Float[Tensor, "frame vertex 2"], views: _Views, settings: SilhouetteSettings) -> Float[Tensor, ""]:
    """Vertices on the background, and pixels of the hand that no vertex is near."""
    scale = settings.outline * views.box_side[:, None]
    outside = (sample_pictures(views.beside[:, None], pixels)[..., 0] / scale) ** 2
    shown = views.covered[:, 0, 0].isfinite()
    points, skin = views.covered[shown], pixels[shown]
    with torch.no_grad():
        nearest = torch.cdist(points, skin).argmin(-1)
    # Only the nearest vertex of each pixel has a gradient: the table of all pairs needs none.
    apart = (points - skin.gather(1, nearest[..., None].expand(-1, -1, 2))).norm(dim=-1)
    uncovered = ((apart / views.box_side[shown, None] - settings.between_vertices).clamp(min=0) / settings.outline) ** 2
    loss = settings.outside * (outside / (1 + outside)).mean()
    return loss + settings.uncovered * (uncovered / (1 + uncovered)).sum() / max(pixels.shape[0] * settings.points, 1)


def _apply(hand: HandTrack, model: HandKeypointModel, start: Float[Tensor, "15 3"], change: _Change) -> HandTrack:
    """The change in every frame that has a pose."""
    frames = np.flatnonzero(hand.posed)
    local = np.eye(4)
    local[:3, :3], local[:3, 3] = matrix_from_axis_angle(change.turn.double()).numpy(), change.shift.double().numpy()
    T, pose = hand.T_camera_hand.copy(), hand.pose.copy()
    T[frames] = T[frames] @ local
    angles = (_angles(model, pose[frames]) + change.angles - start).clamp(model.lower, model.upper)
    pose[frames, 1:] = (model.axes @ angles[..., None])[..., 0].double().numpy()
    pose[frames, 0] = axis_angle_from_matrix(torch.tensor(T[frames, :3, :3])).numpy()
    return replace(hand, T_camera_hand=T, pose=pose)
