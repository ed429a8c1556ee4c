"""Anchors: the same clip solved in ways whose worth is known, so that a score means something."""

from dataclasses import replace
from pathlib import Path
from typing import Literal, assert_never, get_args

import numpy as np

from hoifield.actors.choose_actor import load_actor
from hoifield.benchmark.schedules import diffhoi_schedule, exact_poses_preset, hold_schedule, without_contact
from hoifield.benchmark.true_observations import observe_truth
from hoifield.clip.clip import Clip
from hoifield.datasets.truth import Truth
from hoifield.errors import RefusedInput
from hoifield.fitting.carve_colours import carve_colours, gather_views
from hoifield.fitting.frame_pixels import load_frame_pixels
from hoifield.observations.frame_masks import OBJECT
from hoifield.observations.hand_locked_poses import lock_to_hand
from hoifield.observations.object_track import ObjectTrack, PoseSource
from hoifield.observations.observations import Observations
from hoifield.observations.track_object import LEAST_SHARE, holding_hand, pose_actor
from hoifield.observations.visual_hull import CarveConfig, carve_hull, gather_evidence, hull_mesh
from hoifield.pipelines.fit_observations import RunListener, StepAnnounce, fit_observations
from hoifield.pipelines.presets import Preset, for_cavities, for_loose_poses, posed_by_motion
from hoifield.result.fit_result import FitResult
from hoifield.runlog.run_folder import RunFolder
from hoifield.runlog.stop_request import StopRequest

AnchorName = Literal["hull_true_poses", "field_true_poses", "without_contact", "hold_schedule", "diffhoi_schedule"]
ANCHOR_NAMES: tuple[AnchorName, ...] = get_args(AnchorName)


def solve_exactly(anchor: Literal["hull_true_poses", "field_true_poses"], folder: Path, clip: Clip, truth: Truth, seed: int, step: StepAnnounce) -> FitResult:
    """The shape alone, camera, masks, poses and hands being the truth's: carved, or fitted by the engine."""
    preset = exact_poses_preset(seed)
    observations = observe_truth(clip, truth, preset.most_frames)
    track = observations.object_track
    assert track is not None
    match anchor:
        case "hull_true_poses":
            return replace(truth.result, object_mesh=track.hull)
        case "field_true_poses":
            # A field cannot grow a deep cavity: from its hull on, every step in is as wrong as the last (experiments/05_field).
            views = gather_views(load_frame_pixels(clip, observations), track.T_camera_object[observations.fit_frames])
            start = carve_colours(track.hull, views)
            observations = replace(observations, object_track=replace(track, hull=start))
            fitted = _fit(folder, clip, observations, preset, {"anchor": anchor, "clip": clip.sha256, "seed": seed}, step)
            return replace(truth.result, object_mesh=fitted.object_mesh)
        case _:
            assert_never(anchor)


def solve_otherwise(
    anchor: Literal["without_contact", "hold_schedule", "diffhoi_schedule"],
    folder: Path,
    clip: Clip,
    observations: Observations,
    preset: Preset,
    step: StepAnnounce,
) -> FitResult:
    """The fit on a finished fit's observations under another schedule. Raises RefusedInput (HF-BEN-004) where it cannot start."""
    if observations.object_track is None:
        raise RefusedInput("HF-BEN-004", "no object was tracked", "see what the fit says of this clip")
    match anchor:
        case "without_contact":
            preset = without_contact(for_cavities(preset) if posed_by_motion(observations) else for_loose_poses(preset))
        case "hold_schedule":
            if not posed_by_motion(observations):
                raise RefusedInput("HF-BEN-004", "structure from motion placed less than half of the frames", "HOLD cannot start without it")
            preset = hold_schedule(preset)
        case "diffhoi_schedule":
            preset = diffhoi_schedule(preset)
            observations = replace(observations, object_track=follow_palm(clip, observations))
        case _:
            assert_never(anchor)
    return _fit(folder, clip, observations, preset, {"anchor": anchor, "clip": clip.sha256, "seed": preset.scene.seed}, step)


def follow_palm(clip: Clip, observations: Observations) -> ObjectTrack:
    """The object moved by the palm alone, with the hull of its masks under those poses. Raises RefusedInput (HF-BEN-004)."""
    masks, hand = observations.masks, holding_hand(observations.hands, observations.masks)
    tracked = observations.object_track
    if hand is None or tracked is None:
        raise RefusedInput("HF-BEN-004", "no hand holds the object", "see what the fit says of this clip")
    usable = hand.observed & hand.posed & ((masks.labels == OBJECT).mean((1, 2)) > LEAST_SHARE)
    frames = np.flatnonzero(usable)
    evidence = gather_evidence(masks.labels, frames.astype(np.int16), np.clip(masks.object_confidence, 0.05, 1.0), observations.camera)
    locked = lock_to_hand(evidence, hand, pose_actor(hand).palm, usable, sigma=1.5)
    poses = locked.T_camera_object
    hull = carve_hull(evidence, poses[frames], locked.radius, CarveConfig())
    if hull is None:
        raise RefusedInput("HF-BEN-004", f"the masks of {len(frames)} frames enclose nothing under the palm's poses", "see what the fit says of this clip")
    placed = np.isfinite(poses).all((1, 2))
    source: tuple[PoseSource, ...] = tuple("hand" if ok else "none" for ok in placed)
    return ObjectTrack(poses, np.where(placed, tracked.confidence, 0.0), source, hull_mesh(hull), tracked.silhouette_iou)


def _fit(folder: Path, clip: Clip, observations: Observations, preset: Preset, identity: dict[str, object], step: StepAnnounce) -> FitResult:
    """A resumable fit in a run folder of its own; frames to fit are those of the observations that the track still places."""
    track = observations.object_track
    assert track is not None
    placed = np.isfinite(track.T_camera_object).all((1, 2))
    observations = replace(observations, fit_frames=observations.fit_frames[placed[observations.fit_frames]])
    actors = {hand.side: load_actor("mano" if hand.actor == "mano" else "anny", hand.side) for hand in observations.hands}
    with RunFolder.open(folder, identity) as run, StopRequest() as stop:
        result, _ = fit_observations(run, clip, observations, actors, preset, RunListener(run, preset.stages, stop, step))
    return result
