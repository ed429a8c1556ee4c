"""Clip -> observations: everything before the fit, in the order in which each step needs the one before."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from hoifield.actors.choose_actor import load_actor
from hoifield.actors.contact_zones import touching_vertices
from hoifield.actors.skinned_model import SkinnedModel
from hoifield.clip.choose_frames import choose_fit_frames, measure_sharpness
from hoifield.clip.clip import Clip
from hoifield.clip.remember_frames import remember_frames
from hoifield.errors import RefusedInput
from hoifield.geometry.cameras import Camera
from hoifield.observations.assess_readiness import assess_readiness, refuses_already
from hoifield.observations.correct_hand_masks import correct_hand_masks
from hoifield.observations.find_masks import find_masks
from hoifield.observations.frame_masks import FrameMasks
from hoifield.observations.guess_camera import guess_camera
from hoifield.observations.hand_by_depth import place_hands_by_depth
from hoifield.observations.hand_silhouettes import shape_by_silhouettes
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.object_track import ObjectTrack
from hoifield.observations.observations import FocalSource, Observations
from hoifield.observations.one_thread import on_one_thread
from hoifield.observations.place_template import Template, known_family, known_mesh, place_template
from hoifield.observations.sam2_masks import propagate_with_sam2
from hoifield.observations.sensor_depth import SensorDepth, read_sensor_depth
from hoifield.observations.settle_depth import drawn_agreement, settle_depth
from hoifield.observations.shape_places import HeldBy
from hoifield.observations.steady_grasp import hold_steady
from hoifield.observations.track_hands import track_hands
from hoifield.observations.track_object import holding_hand, pose_actor, track_object
from hoifield.result.mesh_files import read_mesh
from hoifield.result.surface_quality import is_watertight
from hoifield.shapes.draw_family import ShapeName
from hoifield.storage import sha256_of

LEAST_AGREEMENT = 0.85
"""Of the median agreement of hull and mask: frames below it are wrongly posed or masked, and are placed but not fitted."""

BORNE_OUT = 0.75
"""Mean IoU of hand and object, as they are drawn, with the masks, from which on a steady grasp is believed without looking at the other way."""

LOOSER = 0.05
"""By how much the other way must agree better to be taken: what may follow every frame by itself agrees a little better even where its turns are
far worse (a knife under true masks: 0.606, 10.6 degrees; steady 0.601, 5.8; decision 0022)."""

Announce = Callable[[str], None]
"""Told one line per thing that happens."""


@dataclass(frozen=True)
class ObserveConfig:
    """What the user says about the clip beside the clip."""

    hand: Literal["auto", "left", "right", "both"] = "auto"
    actor: Literal["auto", "anny", "mano"] = "auto"
    intrinsics: str | None = None
    masks: Path | None = None
    object_point: tuple[float, float, int] | None = None
    seed: int = 0
    sam2_weights: Path | None = None
    """A released checkpoint of SAM 2, which then carries the labels or the point over the clip."""
    depth: Path | None = None
    """Folder of depth pictures."""
    template: Path | ShapeName | None = None
    """Mesh of the object, or the family that it belongs to, where it is known."""

    def identity(self) -> dict[str, object]:
        """The configuration as plain values; files by their content, so that an edited mask is another run."""
        intrinsics = self.intrinsics
        if intrinsics is not None and Path(intrinsics).is_file():
            intrinsics = sha256_of(Path(intrinsics))
        return {
            "hand": self.hand,
            "actor": self.actor,
            "intrinsics": intrinsics,
            "masks": None if self.masks is None else digest_folder(self.masks),
            "object_point": None if self.object_point is None else list(self.object_point),
            "seed": self.seed,
            "sam2_weights": None if self.sam2_weights is None else sha256_of(self.sam2_weights),
            "depth": None if self.depth is None else digest_folder(self.depth),
            "template": sha256_of(self.template) if isinstance(self.template, Path) else self.template,
        }


def observe_clip(clip: Clip, config: ObserveConfig, most_frames: int, announce: Announce) -> Observations:
    """Hand track, masks, object track, camera and readiness of a clip; no object track where hand and masks refuse it already."""
    template = None if config.template is None else load_template(config.template)
    clip = remember_frames(clip)
    focal_source: FocalSource
    camera, focal_source = guess_camera(clip, config.intrinsics)
    announce(f"camera: focal {camera.focal:.0f} px ({focal_source})")
    tracked = track_hands(clip, camera, config.hand, config.actor)
    for hand in tracked.hands:
        announce(f"{hand.side} hand: {int(hand.observed.sum())} of {clip.frame_count} frames, {np.nanmean(hand.keypoint_error):.1%} of its box off")
    if config.sam2_weights is None:
        masks = find_masks(clip, camera, tracked.hands, config.masks, config.object_point, config.seed)
    else:
        masks = propagate_with_sam2(clip, tracked.hands, config.masks, config.object_point, config.sam2_weights)
    depth = None
    if config.depth is not None:
        depth = read_sensor_depth(config.depth, clip.frame_count, (clip.width, clip.height), (masks.labels.shape[2], masks.labels.shape[1]))
        tracked, camera, focal_source = place_hands_by_depth(tracked, depth, masks, camera, focal_source, config.actor, clip.time_s)
        announce(f"depth: measured in {depth.frames} of {clip.frame_count} frames; focal {camera.focal:.0f} px ({focal_source})")
    hands = tracked.hands
    with on_one_thread():
        masks = correct_hand_masks(masks, hands, tuple(load_actor(config.actor, hand.side) for hand in hands), camera)
        announce(f"masks: object confidence {np.median(masks.object_confidence):.2f} (median)")
        refused = refuses_already(hands, masks)
        hands, track = (hands, None) if refused else _follow_object(clip, camera, hands, masks, depth, config, announce)
    if track is None:
        announce("object: not looked for, hand and masks refuse the clip" if refused else "object: none found")
    else:
        announce(f"object: {np.isfinite(track.T_camera_object).all((1, 2)).sum()} frames placed, silhouettes agree {np.nanmedian(track.silhouette_iou):.2f}")
    if template is not None and track is not None:
        with on_one_thread():
            track = place_template(track, template, _held_by(hands, masks, config.actor), masks, camera)
        known = track.known_shape
        assert known is not None
        announce(f"template: {known.size:.3f} times its size, silhouettes agree {np.nanmedian(track.silhouette_iou):.2f}, {known.likeness:.0%} of the hull's")
    sharpness = measure_sharpness(clip, _boxes(masks.labels, clip), None)
    usable = _usable(clip, hands, track, masks.object_confidence)
    fit_frames = choose_fit_frames(sharpness, usable, _motion(track, clip.frame_count), most_frames)
    readiness = assess_readiness(clip, focal_source, sharpness, hands, masks, track, tracked.unused)
    announce(f"readiness: {readiness.verdict}")
    return Observations(camera, focal_source, fit_frames, sharpness, hands, masks, track, readiness, depth)


def _follow_object(
    clip: Clip, camera: Camera, hands: tuple[HandTrack, ...], masks: FrameMasks, depth: SensorDepth | None, config: ObserveConfig, announce: Announce
) -> tuple[tuple[HandTrack, ...], ObjectTrack | None]:
    """The hands and the object they hold. A grasp is taken to be steady unless the other way agrees clearly better with the pictures."""
    attempts: list[tuple[float, HandTrack, ObjectTrack]] = []
    for steady in (True, False):
        found = track_object(clip, camera, hands, masks, config.seed, steady, depth)
        if found is None:
            break
        actor = load_actor(config.actor, found[1].side)
        track, hand = _tie_to_hand(*found, actor, masks, camera, clip, config.seed, depth is not None, announce)
        attempts.append((drawn_agreement(track, hand, actor, masks, camera), hand, track))
        was_steady = all(found[1] is not given for given in hands)
        if attempts[-1][0] >= BORNE_OUT or not was_steady:
            break
        announce(f"hand and object as drawn agree with the masks to {attempts[-1][0]:.2f}")
    if not attempts:
        return hands, None
    _, holding, track = attempts[-1] if attempts[-1][0] > attempts[0][0] + LOOSER else attempts[0]
    return tuple(holding if hand.side == holding.side else hand for hand in hands), track


def _tie_to_hand(
    track: ObjectTrack, holding: HandTrack, actor: SkinnedModel, masks: FrameMasks, camera: Camera, clip: Clip, seed: int, measured: bool,
    announce: Announce
) -> tuple[ObjectTrack, HandTrack]:  # fmt: skip
    """The tracks under one grasp of the holding hand, where that explains the keypoints; else the object at the depth that hides rightly.

    Where its depth was `measured` it stays there.
    """
    steadied = hold_steady(holding, track, actor, camera, clip.time_s)
    if steadied is None:
        if measured:
            return track, holding
        track, factor = settle_depth(track, holding, actor, masks, camera)
        announce(f"depth order: the object at {factor:.3f} times its first distance")
        return track, holding
    announce(f"grasp: steady, the hand triangulated in the object ({np.nanmean(steadied[0].keypoint_error):.1%} of its box off)")
    hand, track = steadied
    return track, shape_by_silhouettes(hand, track, masks, actor, camera, seed)


def load_template(named: Path | ShapeName) -> Template:
    """What is known of the object's shape. Raises RefusedInput (HF-OBS-902) for a mesh that does not enclose a volume, and what `read_mesh` raises."""
    if not isinstance(named, Path):
        return known_family(named)
    mesh = read_mesh(named)
    if not is_watertight(mesh):
        cause = f"{named.name} does not enclose a volume: it has holes, doubled faces, or faces that look inwards"
        raise RefusedInput("HF-OBS-902", cause, "close it in a mesh editor (every edge between two faces, all of them outwards), or fit without --template")
    return known_mesh(mesh)


def _held_by(hands: tuple[HandTrack, ...], masks: FrameMasks, actor: Literal["auto", "anny", "mano"]) -> HeldBy | None:
    """The hand that holds the object, with the pads by which it touches."""
    holding = holding_hand(hands, masks)
    if holding is None:
        return None
    return HeldBy(pose_actor(holding).vertices, touching_vertices(load_actor(actor, holding.side)).numpy())


def digest_folder(folder: Path) -> str:
    """One sha256 of the names and contents of a folder's files; of nothing for a folder that is not there."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*")) if folder.is_dir() else []:
        if path.is_file():
            digest.update(f"{path.name}\0{sha256_of(path)}\0".encode())
    return digest.hexdigest()


def _boxes(labels: np.ndarray, clip: Clip) -> np.ndarray:
    """Left, top, right, bottom of hand and object per frame, clip pixels; the whole picture where nothing is labelled."""
    scale = np.array([clip.width / labels.shape[2], clip.height / labels.shape[1]] * 2)
    boxes = np.tile([0.0, 0.0, labels.shape[2], labels.shape[1]], (len(labels), 1))
    for frame, label in enumerate(labels):
        ys, xs = np.nonzero(label)
        if len(xs):
            boxes[frame] = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
    return boxes * scale


def _usable(clip: Clip, hands: tuple[HandTrack, ...], track: ObjectTrack | None, mask_confidence: np.ndarray) -> np.ndarray:
    usable = np.ones(clip.frame_count, bool)
    for hand in hands:
        usable &= hand.posed
    if track is None:
        return usable
    placed = np.isfinite(track.T_camera_object).all((1, 2))
    agreement = np.nan_to_num(track.silhouette_iou)
    agrees = agreement >= LEAST_AGREEMENT * np.median(agreement[placed]) if placed.any() else placed
    return usable & placed & agrees & (mask_confidence > 0)


def _motion(track: ObjectTrack | None, frames: int) -> np.ndarray:
    """Cumulative rotation of the object over the frames, radians, with a little time so that still stretches count too."""
    motion = np.arange(frames) * 0.005
    if track is None:
        return motion
    known = np.flatnonzero(np.isfinite(track.T_camera_object).all((1, 2)))
    step = np.zeros(frames)
    rotation = track.T_camera_object[known, :3, :3]
    relative = np.einsum("fij,fik->fjk", rotation[:-1], rotation[1:])
    step[known[1:]] = np.arccos(np.clip((np.trace(relative, axis1=1, axis2=2) - 1) / 2, -1, 1))
    return motion + np.cumsum(step)
