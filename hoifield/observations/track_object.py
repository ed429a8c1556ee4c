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
from hoifield.observations.complete_hull import imagine_shape
from hoifield.observations.frame_masks import LEFT_HAND, OBJECT, RIGHT_HAND, FrameMasks
from hoifield.observations.hand_locked_poses import HandLockedPoses, lock_to_hand, shows_few_sides
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.measure_by_depth import carve_by_depth, object_depth_ratio, scale_hull
from hoifield.observations.motion_features import feature_size, gather_features
from hoifield.observations.motion_poses import MotionConfig, find_motion_poses
from hoifield.observations.motion_program import median_features
from hoifield.observations.object_track import ObjectTrack, PoseSource
from hoifield.observations.pose_offsets import compose_offset, fill_between, offset_between
from hoifield.observations.refine_poses import RefinedPoses, carve_sized, refine_poses
from hoifield.observations.refine_silhouettes import RefineConfig, agreement, align_to_hull, gather_rays, hull_colours
from hoifield.observations.rigid_grasp import RigidGraspSettings, follow_rigid_grasp
from hoifield.observations.sensor_depth import SensorDepth
from hoifield.observations.trim_hull import trim_unseen
from hoifield.observations.visual_hull import CarveConfig, HullGrid, SilhouetteEvidence, gather_evidence, hand_depth_maps, hull_mesh, take_frames

LEAST_SHARE = 3e-4
"""Share of the picture that an object must fill in a frame to say anything."""
LEAST_FRAMES = 8
ANCHORS = 60
"""Frames that carve and are refined together; the others are then aligned to their hull in groups of as many."""
MARGIN = -0.03
"""Held-out IoU that structure from motion may lose against the hand and still be taken: once it has passed its gates its rotations are
several times better, and silhouettes hardly see a rotation about a nearly round object."""
RIGID_MARGIN = 0.003
"""Metres of doubt about the depth of a hand that all frames agree on; a quarter of that of a hand fitted frame by frame."""
LOOSE_SMOOTHING = 1.5
"""Frames, of poses that a hand fitted frame by frame gives."""
FARTHER = 1.3
"""Times the radius that is seen, within which what is imagined is believed: a bottle filmed from its neck is longer than it looks."""
IMAGINED_FROM = CarveConfig(background_share=0.05)
"""How the network is shown what silhouettes leave open."""
VOLUME_SPACING = 0.003
"""Metres between the nodes of a hand's volume; half of a finger is 8 mm thick."""
LEAST_MOTION = 0.3
"""Share of the frames that structure from motion must register to be worth a refinement of its own."""
FITTING_SHARE = 0.9
"""Of the largest segment's agreement with its hull, that the other frames must reach to carve with it."""
TRUSTED_SHARE = 0.75
"""Of the median agreement, below which a frame's motion is not believed."""
UNLIKE = 0.3
"""Of the median agreement, below which a frame has no pose at all: what was taken for the hand there is none, and carried the object off."""
TEXTURED = 250
"""Features a frame on the object, below which structure from motion on it alone breaks into pieces and is not worth its time."""


@dataclass(frozen=True)
class PosedActor:
    """What the object needs of the hand that holds it."""

    track: HandTrack
    palm: Float[np.ndarray, "3"]
    """Hand frame, metres."""
    vertices: Float[np.ndarray, "frame vertex 3"]
    """Camera frame, metres; NaN where the hand has no pose."""
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
    """The hand's actor posed at every frame that has a pose, with the middle of its palm."""
    model = load_actor("mano" if hand.actor == "mano" else "anny", hand.side)
    dtype = model.template.dtype
    shape = torch.as_tensor(hand.shape, dtype=dtype)
    known = np.flatnonzero(hand.posed)
    vertices = np.full((len(hand.observed), len(model.template), 3), np.nan, np.float32)
    if len(known):
        posed = model.pose(shape, torch.as_tensor(hand.pose[known], dtype=dtype), torch.as_tensor(hand.T_camera_hand[known], dtype=dtype))
        vertices[known] = posed.vertices.numpy()
    _, joints = model.shaped(shape)
    # the knuckles of index, middle, little and ring: the grasp's centre lies before them, on the palm's side, which the sight lines find
    palm = joints[[1, 4, 7, 10]].mean(0).numpy().astype(float)
    return PosedActor(hand, palm, vertices, model.faces.numpy().astype(np.int64))


def _hand_volume(actor: PosedActor, centre: Float[np.ndarray, "3"]) -> HullGrid:
    """Signed distances to the hand of the first posed frame, in the object frame whose origin is `centre` in the hand frame."""
    frame = int(np.flatnonzero(np.isfinite(actor.vertices[:, 0, 0]))[0])
    T = actor.track.T_camera_hand[frame]
    return HullGrid.of_mesh(Mesh((actor.vertices[frame] - T[:3, 3]) @ T[:3, :3] - centre, actor.faces), VOLUME_SPACING, 1)


def _shown(masks: FrameMasks) -> Bool[np.ndarray, "frame"]:
    return (masks.object_confidence > 0.05) & ((masks.labels == OBJECT).mean((1, 2)) > LEAST_SHARE)


def held_unseen(hand: HandTrack, masks: FrameMasks) -> Bool[np.ndarray, "frame"]:
    """Frames in which the hand is not detected, but pixels of it are at the object, so that it may be taken to hold it as ever."""
    label = RIGHT_HAND if hand.side == "right" else LEFT_HAND
    held = np.zeros(len(masks.labels), bool)
    for frame in np.flatnonzero(~hand.observed):
        held[frame] = bool((ndimage.binary_dilation(masks.labels[frame] == label, iterations=2) & (masks.labels[frame] == OBJECT)).any())
    return held


def _imagine(evidence: SilhouetteEvidence, poses: Float[np.ndarray, "frame 4 4"], hand: HullGrid) -> SilhouetteEvidence:
    """The evidence with what a network imagines behind it."""
    return replace(evidence, imagined=imagine_shape(evidence, poses, hand, IMAGINED_FROM))


def _finished_hull(found: RefinedPoses, evidence: SilhouetteEvidence, hand: HullGrid, radius: float, seed: int) -> HullGrid:
    """The hull of the refined poses: with what is imagined of them, or, where nothing is imagined, without what nobody saw."""
    poses = found.T_camera_object
    if evidence.imagined is None:
        return trim_unseen(found.hull, evidence, poses)
    again = _imagine(evidence, poses, hand)
    return carve_sized(again, poses, FARTHER * radius, found.carve, gather_rays(again, seed)) or found.hull


def _read_images(clip: Clip, frames: np.ndarray, size: tuple[int, int]) -> UInt8[np.ndarray, "chosen height width 3"]:
    return np.stack([image for _, image in clip.read_frames([int(frame) for frame in frames], size)])


def gather_clip_evidence(clip: Clip, camera: Camera, actor: PosedActor, masks: FrameMasks, frames: np.ndarray) -> SilhouetteEvidence:
    """What some frames of a clip say of the object, at the masks' size."""
    height, width = masks.labels.shape[1:]
    depth = hand_depth_maps(actor.vertices[frames].astype(float), actor.faces, camera.resized(width, height))
    weight = np.clip(masks.object_confidence, 0.05, 1.0)
    return gather_evidence(masks.labels, frames, weight, camera, _read_images(clip, frames, (width, height)), depth)


def _is_better(motion: RefinedPoses, hand: RefinedPoses, own: Bool[np.ndarray, "frame"]) -> bool:
    """Whether motion explains its own frames better by more than a margin: mean held-out agreement, less the colour residual."""
    gain = np.nanmean(motion.silhouette_iou[own]) - np.nanmean(hand.silhouette_iou[own])
    colour = np.nanmean(hand.colour_residual[own]) - np.nanmean(motion.colour_residual[own])
    return bool(gain + 0.5 * np.nan_to_num(colour) > MARGIN)


def _follow_motion(evidence: SilhouetteEvidence, start: np.ndarray, segment: np.ndarray, radius: float, seed: int) -> RefinedPoses | None:
    """The evidence's frames refined from motion poses; the largest segment carves, and the others where they fit its hull."""
    stiff = RefineConfig(seed=seed, pull_rotation=0.03, pull_translation=0.005, rounds=3, first_share=0.05, hand_margin=RIGID_MARGIN, thin=True)
    main = segment == np.bincount(segment[segment >= 0]).argmax()
    chief = take_frames(evidence, main)
    first = refine_poses(chief, start[main], radius, stiff)
    if first is None or main.all():
        return first
    rest = take_frames(evidence, ~main)
    drifting = RefineConfig(seed=seed, steps=12, pull_rotation=0.3, pull_translation=0.03, step_rotation=0.003, step_translation=0.0004)
    colours = hull_colours(first.hull, chief, first.T_camera_object, gather_rays(chief, seed))[:2]
    offset = align_to_hull(rest, gather_rays(rest, seed), first.hull, start[~main], np.zeros((int((~main).sum()), 6)), drifting, False, colours)
    poses, iou, residual = start.copy(), np.zeros(len(start)), np.full(len(start), np.nanmean(first.colour_residual))
    poses[main], poses[~main] = first.T_camera_object, compose_offset(start[~main], offset)
    iou[main], iou[~main] = first.silhouette_iou, agreement(first.hull, rest, poses[~main])
    if np.nanmean(iou[~main]) < FITTING_SHARE * np.nanmean(iou[main]):
        return RefinedPoses(poses, first.hull, first.carve, iou, residual)
    return refine_poses(evidence, poses, radius, stiff)


def _align_rest(
    clip: Clip, camera: Camera, actor: PosedActor, masks: FrameMasks, guess: np.ndarray, hull: HullGrid, anchors: SilhouetteEvidence,
    anchor_poses: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Poses and agreement of all frames with a `guess` (finite rows): offsets of the anchors interpolated, then aligned to the hull."""
    poses, iou = np.full_like(guess, np.nan), np.full(len(guess), np.nan)
    frames = np.flatnonzero(np.isfinite(guess).all((1, 2)))
    offsets = offset_between(guess[anchors.frames], anchor_poses)
    config = RefineConfig(seed=seed, steps=4, pull_rotation=0.06, pull_translation=0.006)
    colours = hull_colours(hull, anchors, anchor_poses, gather_rays(anchors, seed))[:2]
    for group in np.array_split(frames, max(1, -(-len(frames) // ANCHORS))):
        evidence = gather_clip_evidence(clip, camera, actor, masks, group)
        between = np.stack([np.interp(group, anchors.frames, offsets[:, axis]) for axis in range(6)], axis=1)
        start = compose_offset(guess[group], between)
        offset = align_to_hull(evidence, gather_rays(evidence, seed), hull, start, np.zeros((len(group), 6)), config, False, colours)
        poses[group] = compose_offset(start, offset)
        iou[group] = agreement(hull, evidence, poses[group])
    return poses, iou


def _measured(found: RefinedPoses, guess: np.ndarray, evidence: SilhouetteEvidence, depth: SensorDepth) -> tuple[RefinedPoses, np.ndarray]:
    """Poses, hull and the clip's first poses at the measured distance, and the hull emptied of what was looked through."""
    pictures = depth.millimetres[evidence.frames]
    factor = object_depth_ratio(found.hull, found.T_camera_object, evidence.labels, pictures, evidence.camera)
    poses, guess = found.T_camera_object.copy(), guess.copy()
    poses[:, :3, 3] *= factor
    guess[:, :3, 3] *= factor
    hull = carve_by_depth(scale_hull(found.hull, factor), poses, evidence.labels, pictures, evidence.camera)
    return replace(found, T_camera_object=poses, hull=hull), guess


def _coloured(hull: HullGrid, evidence: SilhouetteEvidence, poses: np.ndarray, seed: int) -> Mesh:
    mesh = hull_mesh(hull)
    colours, seen, _ = hull_colours(hull, evidence, poses, gather_rays(evidence, seed))
    where = ((mesh.vertices - hull.lower) / hull.spacing).T
    sampled = np.stack([ndimage.map_coordinates(layer, where, order=1, mode="nearest") for layer in colours], axis=1)
    enough = ndimage.map_coordinates(seen, where, order=1, mode="nearest") > 0.2
    mean = sampled[enough].mean(0) if enough.any() else np.full(3, 0.5)
    return replace(mesh, colours=np.clip(np.where(enough[:, None], sampled, mean), 0.0, 1.0))


def unlike_frames(silhouette_iou: Float[np.ndarray, "frame"]) -> Bool[np.ndarray, "frame"]:
    """Frames whose mask the placed shape hardly touches, beside the others; False where there is none to compare (NaN)."""
    return silhouette_iou < UNLIKE * np.nanmedian(silhouette_iou)


def _confidence(iou: np.ndarray, masks: FrameMasks, hand_refined: RefinedPoses, motion: RefinedPoses | None, own: np.ndarray) -> np.ndarray:
    """Agreement above 0.5 counts, times the mask's own confidence; where both hypotheses exist, their rotations should agree."""
    base = np.clip((np.nan_to_num(iou) - 0.5) / 0.4, 0.0, 1.0) * np.sqrt(np.clip(masks.object_confidence, 0.0, 1.0))
    if motion is None or not own.any():
        return base
    difference = offset_between(hand_refined.T_camera_object[own], motion.T_camera_object[own])[:, :3]
    apart = float(np.median(np.degrees(np.linalg.norm(difference, axis=1))))
    return base * float(np.clip(1.15 - apart / 60.0, 0.5, 1.0))


def track_object(
    clip: Clip, camera: Camera, hands: tuple[HandTrack, ...], masks: FrameMasks, seed: int, steady: bool, depth: SensorDepth | None = None
) -> tuple[ObjectTrack, HandTrack] | None:
    """Metric object poses, their confidence and the visual hull, with the hand that holds it; None without a hand or an object.

    The hand gives the first poses: as it was fitted frame by frame, or, where it may be `steady`, as one rigid body with the object if
    tracked points bear that out (then the hand is given back so, with poses also where it hides behind the object). A textured
    object has structure from motion on its own pixels beside it, scaled by the hand. Each is refined by silhouettes and colour and scored
    on silhouettes of frames held out of its hull; the better one wins. Measured `depth` then has the last word on its distance and size, and
    empties what was looked through. Frames without a hand's pose or a mask get none (NaN, source
    "none"), and those whose mask the shape hardly touches; a steady hand, which would be as far off there, is none either. Deterministic for a seed.
    """
    hand = holding_hand(hands, masks)
    if hand is None:
        return None
    shown = _shown(masks)
    usable = hand.posed & shown
    if usable.sum() < LEAST_FRAMES:
        return None
    frames = np.flatnonzero(usable | (shown & held_unseen(hand, masks)) if steady else usable)
    alone, together = gather_features(clip, masks, frames, hand)
    size = feature_size(clip, masks)
    model = load_actor("mano" if hand.actor == "mano" else "anny", hand.side)
    zoom = clip.width / size[0]
    rigid = follow_rigid_grasp(hand, together, frames, camera, model, zoom, RigidGraspSettings(seed=seed)) if steady else None
    hand = hand if rigid is None else rigid
    usable = hand.posed & shown
    alone = [found for found, frame in zip(alone, frames) if usable[frame]]
    frames = frames[usable[frames]]
    actor = pose_actor(hand)
    anchors = frames[np.unique(np.linspace(0, len(frames) - 1, min(len(frames), ANCHORS)).round().astype(int))]
    evidence = gather_clip_evidence(clip, camera, actor, masks, anchors)
    locked: HandLockedPoses = lock_to_hand(evidence, hand, actor.palm, usable, sigma=LOOSE_SMOOTHING if rigid is None else 0.0)
    guess = locked.T_camera_object
    volume = _hand_volume(actor, locked.centre)
    evidence = replace(evidence, hand_volume=None if rigid is None else volume)
    if shows_few_sides(guess[anchors]):
        evidence = _imagine(evidence, guess[anchors], volume)
    if rigid is None:
        best, chosen = refine_poses(evidence, guess[anchors], locked.radius, RefineConfig(seed=seed)), np.zeros(len(anchors), bool)
    else:
        best, chosen = _follow_motion(evidence, guess[anchors], np.zeros(len(anchors), int), locked.radius, seed), np.ones(len(anchors), bool)
    if best is None:
        return None
    first, moved = best, None
    if median_features(alone) >= TEXTURED:
        motion = find_motion_poses(alone, camera.resized(*size), guess[frames], MotionConfig(seed=seed))
        segment = motion.segment[np.searchsorted(frames, anchors)]
        if (motion.segment >= 0).mean() >= LEAST_MOTION and (segment >= 0).any():
            filled = guess.copy()
            filled[frames] = fill_between(guess[frames], motion.T_camera_object, frames)
            believed = evidence if evidence.imagined is None else _imagine(evidence, filled[anchors], volume)
            moved = _follow_motion(believed, filled[anchors], segment, locked.radius, seed)
            if moved is not None and _is_better(moved, first, segment >= 0):
                best, chosen, guess = moved, chosen | (segment >= 0), filled
    best = replace(best, hull=_finished_hull(best, evidence, volume, locked.radius, seed))
    if depth is not None:
        best, guess = _measured(best, guess, evidence, depth)
    chosen = chosen & (best.silhouette_iou >= TRUSTED_SHARE * np.nanmedian(best.silhouette_iou))
    poses, iou = _align_rest(clip, camera, actor, masks, guess, best.hull, evidence, best.T_camera_object, seed)
    unlike = unlike_frames(iou)
    poses[unlike], iou[unlike], usable = np.nan, np.nan, usable & ~unlike
    if rigid is not None:
        hand = hand.without(unlike)
    near = np.interp(np.arange(clip.frame_count), anchors, chosen.astype(float)) > 0.5
    source: tuple[PoseSource, ...] = tuple("none" if not usable[f] else "motion" if near[f] else "hand" for f in range(clip.frame_count))
    confidence = np.where(usable, _confidence(iou, masks, first, moved, chosen), 0.0)
    return ObjectTrack(poses, confidence, source, _coloured(best.hull, evidence, best.T_camera_object, seed), iou), hand
