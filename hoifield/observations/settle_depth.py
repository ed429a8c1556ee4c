"""How far the object is, relative to the hand: silhouettes do not say, who hides whom does."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from hoifield.actors.skinned_model import SkinnedModel
from hoifield.geometry.cameras import Camera
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.observations.frame_masks import LEFT_HAND, OBJECT, RIGHT_HAND, FrameMasks
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.object_track import ObjectTrack

FACTORS = tuple(float(factor) for factor in np.linspace(0.8, 1.25, 19))
"""Distances tried, as multiples of the present one."""
MOST_FRAMES = 14


def settle_depth(track: ObjectTrack, hand: HandTrack, actor: SkinnedModel, masks: FrameMasks, camera: Camera) -> tuple[ObjectTrack, float]:
    """The track at the distance whose picture of hand and object agrees best with the masks, and the factor chosen.

    Scaling poses and shape together about the camera's centre leaves every silhouette of the object as it is, and changes only
    what hides what: the one number that a clip of few sides leaves open, once the hand is the ruler. Agreement is the mean IoU of
    the visible object and the visible hand over frames spread through the clip; among nearly equal factors the one nearest 1 wins.
    """
    scores = _mean_scores(track, hand, actor, masks, camera, FACTORS)
    if scores is None:
        return track, 1.0
    good = np.flatnonzero(scores > scores.max() - 0.005)
    factor = min((FACTORS[index] for index in good), key=lambda value: abs(np.log(value)))
    T = track.T_camera_object.copy()
    T[:, :3, 3] *= factor
    return replace(track, T_camera_object=T, hull=replace(track.hull, vertices=track.hull.vertices * factor)), factor


def drawn_agreement(track: ObjectTrack, hand: HandTrack, actor: SkinnedModel, masks: FrameMasks, camera: Camera) -> float:
    """Mean IoU of visible object and visible hand, as they are drawn, with the masks; 0 without a frame that has all of these."""
    scores = _mean_scores(track, hand, actor, masks, camera, (1.0,))
    return 0.0 if scores is None else float(scores[0])


def _mean_scores(
    track: ObjectTrack, hand: HandTrack, actor: SkinnedModel, masks: FrameMasks, camera: Camera, factors: tuple[float, ...]
) -> Float[np.ndarray, "factor"] | None:
    """Over frames spread through the clip."""
    known = hand.observed & hand.posed & np.isfinite(track.T_camera_object).all((1, 2)) & (masks.labels == OBJECT).any((1, 2))
    frames = np.flatnonzero(known)
    if len(frames) == 0:
        return None
    frames = frames[np.unique(np.linspace(0, len(frames) - 1, min(MOST_FRAMES, len(frames))).round().astype(int))]
    return np.array([_draw_and_score(track, hand, actor, masks, camera, int(frame), factors) for frame in frames]).mean(0)


def _draw_and_score(
    track: ObjectTrack, hand: HandTrack, actor: SkinnedModel, masks: FrameMasks, camera: Camera, frame: int, factors: tuple[float, ...]
) -> Float[np.ndarray, "factor"]:
    """Mean IoU of visible object and hand for every factor; both are drawn once, since a factor scales the object's depth alone."""
    height, width = masks.labels.shape[1:]
    working = camera.resized(width, height)
    row = slice(frame, frame + 1)
    with torch.no_grad():
        posed = actor.pose(
            torch.tensor(hand.shape, dtype=torch.float32),
            torch.tensor(hand.pose[row], dtype=torch.float32),
            torch.tensor(hand.T_camera_hand[row], dtype=torch.float32),
        )
    hand_depth = rasterise_mesh(posed.vertices[0].double().numpy(), actor.faces.numpy(), working.K, width, height)[0]
    placed = track.hull.moved(track.T_camera_object[frame])
    object_depth = rasterise_mesh(placed.vertices, placed.faces, working.K, width, height)[0]
    labels = masks.labels[frame]
    seen_object, seen_hand = labels == OBJECT, labels == (RIGHT_HAND if hand.side == "right" else LEFT_HAND)
    scores = []
    for factor in factors:
        object_first = np.isfinite(object_depth) & (object_depth * factor < hand_depth)
        hand_first = np.isfinite(hand_depth) & ~object_first
        scores.append((_overlap(object_first, seen_object) + _overlap(hand_first, seen_hand)) / 2)
    return np.array(scores)


def _overlap(drawn: np.ndarray, seen: np.ndarray) -> float:
    return float((drawn & seen).sum() / max((drawn | seen).sum(), 1))
