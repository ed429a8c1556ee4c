"""The object over the clip: hand-locked and structure-from-motion poses, refined, judged on held-out silhouettes, the better one kept."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from scipy import ndimage

from hoifield.actors.choose_actor import load_actor
from hoifield.clip.clip import Clip
from hoifield.geometry.cameras import Camera
from hoifield.geometry.mesh import Mesh
from hoifield.observations.frame_masks import LEFT_HAND, OBJECT, RIGHT_HAND, FrameMasks
from hoifield.observations.hand_locked_poses import HandLockedPoses, lock_to_hand, object_thickness, view_span
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.motion_poses import MotionConfig, MotionPoses, find_motion_poses
from hoifield.observations.object_track import ObjectTrack, PoseSource
from hoifield.observations.refine_silhouettes import (
    RefineConfig,
    RefinedPoses,
    agreement,
    align_to_hull,
    compose_offset,
    gather_rays,
    hull_colours,
    offset_between,
    refine_poses,
)
from hoifield.observations.visual_hull import HullGrid, SilhouetteEvidence, gather_evidence, hand_depth_maps, hull_mesh

LEAST_SHARE = 3e-4
"""Share of the picture that an object must fill in a frame to say anything."""
LEAST_FRAMES = 8
ANCHORS = 60
"""Frames that carve and are refined together; the others are then aligned to their hull in groups of as many."""
MARGIN = -0.03
"""Held-out IoU that structure from motion may lose against the hand and still be taken: once it has passed its gates its rotations are
several times better, and silhouettes hardly see a rotation about a nearly round object."""
LEAST_SEGMENT = 6
WIDE_VIEW = 70.0
"""Degrees of viewing directions from which silhouettes bound the depth by themselves."""
DEPTH_SHARE = 0.65
"""Of the object's shorter visible side: how far it reaches before and behind its centre where nothing else bounds its depth."""
LEAST_MOTION = 0.3
"""Share of the anchors that structure from motion must register to be worth a refinement of its own."""


@dataclass(frozen=True)
class PosedActor:
    """What the object needs of the hand that holds it."""

    track: HandTrack
    palm: Float[np.ndarray, "3"]
    """Hand frame, metres."""
    vertices: Float[np.ndarray, "frame vertex 3"]
    """Camera frame, metres; NaN where not observed."""
    faces: np.ndarray


def holding_hand(hands: tuple[HandTrack, ...], masks: FrameMasks) -> HandTrack | None:
    """The hand whose mask touches the object most, over the frames where it is observed; None without hands."""

    def touching(hand: HandTrack) -> float:
        label = RIGHT_HAND if hand.side == "right" else LEFT_HAND
        total = 0.0
        for frame in np.flatnonzero(hand.observed)[:: max(len(hand.observed) // 40, 1)]:
            grown = ndimage.binary_dilation(masks.labels[frame] == label, iterations=2)
            total += float((grown & (masks.labels[frame] == OBJECT)).sum())
        return total

    return max(hands, key=lambda hand: (touching(hand), float(hand.observed.mean())), default=None)


def pose_actor(hand: HandTrack) -> PosedActor:
    """The hand's actor posed at every observed frame, with the middle of its palm."""
    model = load_actor("mano" if hand.actor == "mano" else "anny", hand.side)
    dtype = model.template.dtype
    shape = torch.as_tensor(hand.shape, dtype=dtype)
    known = np.flatnonzero(hand.observed & np.isfinite(hand.T_camera_hand).all((1, 2)))
    vertices = np.full((len(hand.observed), len(model.template), 3), np.nan, np.float32)
    if len(known):
        posed = model.pose(shape, torch.as_tensor(hand.pose[known], dtype=dtype), torch.as_tensor(hand.T_camera_hand[known], dtype=dtype))
        vertices[known] = posed.vertices.numpy()
    _, joints = model.shaped(shape)
    # the knuckles of index, middle, little and ring: the grasp's centre lies before them, on the palm's side, which the sight lines find
    palm = joints[[1, 4, 7, 10]].mean(0).numpy().astype(float)
    return PosedActor(hand, palm, vertices, model.faces.numpy().astype(np.int64))


def _usable(hand: HandTrack, masks: FrameMasks) -> Bool[np.ndarray, "frame"]:
    area = (masks.labels == OBJECT).mean((1, 2))
    return hand.observed & np.isfinite(hand.T_camera_hand).all((1, 2)) & (masks.object_confidence > 0.05) & (area > LEAST_SHARE)


def _read_images(clip: Clip, frames: np.ndarray, size: tuple[int, int]) -> UInt8[np.ndarray, "chosen height width 3"]:
    return np.stack([image for _, image in clip.read_frames([int(frame) for frame in frames], size)])


def _evidence(clip: Clip, camera: Camera, actor: PosedActor, masks: FrameMasks, frames: np.ndarray) -> SilhouetteEvidence:
    height, width = masks.labels.shape[1:]
    depth = hand_depth_maps(actor.vertices[frames].astype(float), actor.faces, camera.resized(width, height))
    weight = np.clip(masks.object_confidence, 0.05, 1.0)
    return gather_evidence(masks.labels, frames, weight, camera, _read_images(clip, frames, (width, height)), depth)


def _better_segments(hand: RefinedPoses, motion: RefinedPoses | None, trusted: np.ndarray) -> Bool[np.ndarray, "frame"]:
    """Frames that take the motion's pose: runs of registered frames whose mean held-out agreement, less the colour residual, is better."""
    chosen = np.zeros(len(trusted), bool)
    if motion is None:
        return chosen
    runs, count = ndimage.label(trusted)
    for run in range(1, count + 1):
        inside = runs == run
        if inside.sum() < LEAST_SEGMENT:
            continue
        gain = np.nanmean(motion.silhouette_iou[inside]) - np.nanmean(hand.silhouette_iou[inside])
        colour = np.nanmean(hand.colour_residual[inside]) - np.nanmean(motion.colour_residual[inside])
        if gain + 0.5 * np.nan_to_num(colour) > MARGIN:
            chosen |= inside
    return chosen


def _motion_hypothesis(
    clip: Clip, evidence: SilhouetteEvidence, locked: np.ndarray, radius: float, seed: int
) -> tuple[MotionPoses, RefinedPoses | None, np.ndarray]:
    """Structure from motion; its poses with gaps filled from the hand only for the refinement; which frames are its own."""
    height, width = evidence.labels.shape[1:]
    zoom = min(2.0, clip.width / width)
    images = _read_images(clip, evidence.frames, (round(width * zoom), round(height * zoom)))
    motion = find_motion_poses(evidence, images, locked, MotionConfig(seed=seed))
    own = np.isfinite(motion.T_camera_object).all((1, 2))
    if own.mean() < LEAST_MOTION:
        return motion, None, own
    start = np.where(own[:, None, None], motion.T_camera_object, locked)
    stiff = RefineConfig(seed=seed, pull_rotation=0.02, pull_translation=0.004, rounds=3, first_share=0.05)
    return motion, refine_poses(evidence, start, radius, stiff), own


def _align_rest(
    clip: Clip, camera: Camera, actor: PosedActor, masks: FrameMasks, start: np.ndarray, hull: HullGrid, anchors: SilhouetteEvidence,
    anchor_poses: np.ndarray, locked: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Poses and agreement of the frames in `start` (finite rows): offsets of the anchors interpolated, then aligned to the hull."""
    poses, iou = np.full_like(locked, np.nan), np.full(len(locked), np.nan)
    frames = np.flatnonzero(np.isfinite(start).all((1, 2)))
    offsets = offset_between(locked[anchors.frames], anchor_poses)
    config = RefineConfig(seed=seed, steps=4, pull_rotation=0.06, pull_translation=0.006)
    colours = hull_colours(hull, anchors, anchor_poses, gather_rays(anchors, seed))[:2]
    for group in np.array_split(frames, max(1, -(-len(frames) // ANCHORS))):
        evidence = _evidence(clip, camera, actor, masks, group)
        between = np.stack([np.interp(group, anchors.frames, offsets[:, axis]) for axis in range(6)], axis=1)
        guess = compose_offset(locked[group], between)
        offset = align_to_hull(evidence, gather_rays(evidence, seed), hull, guess, np.zeros((len(group), 6)), config, False, colours)
        poses[group] = compose_offset(guess, offset)
        iou[group] = agreement(hull, evidence, poses[group])
    return poses, iou


def _coloured(hull: HullGrid, evidence: SilhouetteEvidence, poses: np.ndarray, seed: int) -> Mesh:
    mesh = hull_mesh(hull)
    colours, seen, _ = hull_colours(hull, evidence, poses, gather_rays(evidence, seed))
    where = ((mesh.vertices - hull.lower) / hull.spacing).T
    sampled = np.stack([ndimage.map_coordinates(layer, where, order=1, mode="nearest") for layer in colours], axis=1)
    enough = ndimage.map_coordinates(seen, where, order=1, mode="nearest") > 0.2
    mean = sampled[enough].mean(0) if enough.any() else np.full(3, 0.5)
    return replace(mesh, colours=np.clip(np.where(enough[:, None], sampled, mean), 0.0, 1.0))


def _confidence(iou: np.ndarray, masks: FrameMasks, hand_refined: RefinedPoses, motion: RefinedPoses | None, own: np.ndarray) -> np.ndarray:
    """Agreement above 0.5 counts, times the mask's own confidence; where both hypotheses exist, their rotations should agree."""
    base = np.clip((np.nan_to_num(iou) - 0.5) / 0.4, 0.0, 1.0) * np.sqrt(np.clip(masks.object_confidence, 0.0, 1.0))
    if motion is None or not own.any():
        return base
    difference = offset_between(hand_refined.T_camera_object[own], motion.T_camera_object[own])[:, :3]
    apart = float(np.median(np.degrees(np.linalg.norm(difference, axis=1))))
    return base * float(np.clip(1.15 - apart / 60.0, 0.5, 1.0))


def track_object(clip: Clip, camera: Camera, hands: tuple[HandTrack, ...], masks: FrameMasks, seed: int) -> ObjectTrack | None:
    """Metric object poses, their confidence and the visual hull; None where there is no hand or no object to be found.

    Two hypotheses: the object moves with the palm (one constant T_hand_object, then refined per frame by silhouettes and colour), and
    structure from motion on object pixels, scaled by the hand. Each is refined and scored on silhouettes of frames held out of its hull;
    per segment the better one wins, and the winners are refined together in one canonical frame. Frames without a hand or a mask get no
    pose (NaN, source "none"). Deterministic for a seed.
    """
    hand = holding_hand(hands, masks)
    if hand is None:
        return None
    usable = _usable(hand, masks)
    frames = np.flatnonzero(usable)
    if len(frames) < LEAST_FRAMES:
        return None
    actor = pose_actor(hand)
    anchors = frames[np.unique(np.linspace(0, len(frames) - 1, min(len(frames), ANCHORS)).round().astype(int))]
    evidence = _evidence(clip, camera, actor, masks, anchors)
    locked: HandLockedPoses = lock_to_hand(evidence, hand, actor.palm, usable, sigma=1.5)
    if view_span(locked.T_camera_object[anchors]) < WIDE_VIEW:
        evidence = replace(evidence, half_depth=DEPTH_SHARE * object_thickness(evidence, locked.T_camera_object[anchors]))
    refined = refine_poses(evidence, locked.T_camera_object[anchors], locked.radius, RefineConfig(seed=seed))
    if refined is None:
        return None
    _, moved, own = _motion_hypothesis(clip, evidence, refined.T_camera_object, locked.radius, seed)
    chosen = _better_segments(refined, moved, own)
    best = refined
    if chosen.any() and moved is not None:
        start = np.where(chosen[:, None, None], moved.T_camera_object, refined.T_camera_object)
        unchanged = bool((chosen == own).all())
        stiff = RefineConfig(seed=seed, rounds=3, first_share=0.05, pull_rotation=0.04)
        joint = moved if unchanged else refine_poses(evidence, start, locked.radius, stiff)
        best = refined if joint is None else joint
        chosen &= joint is not None
    poses, iou = _align_rest(clip, camera, actor, masks, locked.T_camera_object, best.hull, evidence, best.T_camera_object, locked.T_camera_object, seed)
    near = np.interp(np.arange(clip.frame_count), anchors, chosen.astype(float)) > 0.5
    source: tuple[PoseSource, ...] = tuple("none" if not usable[f] else "motion" if near[f] else "hand" for f in range(clip.frame_count))
    confidence = np.where(usable, _confidence(iou, masks, refined, moved, own), 0.0)
    return ObjectTrack(poses, confidence, source, _coloured(best.hull, evidence, best.T_camera_object, seed), iou)
