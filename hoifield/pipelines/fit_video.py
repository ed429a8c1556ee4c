"""The main job, the page to read first: clip -> observations -> scene -> stages -> result -> report."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

import torch

from hoifield.actors.choose_actor import load_actor
from hoifield.actors.skinned_model import Side, SkinnedModel
from hoifield.clip.clip import Clip
from hoifield.clip.open_clip import open_clip
from hoifield.errors import MissingDependency
from hoifield.fitting.frame_pixels import load_frame_pixels
from hoifield.fitting.run_stages import FitPlan, run_stages
from hoifield.fitting.stage import Stage
from hoifield.observations.observations import Observations
from hoifield.observations.observations_folder import load_observations, save_observations
from hoifield.pipelines.observe import Announce, ObserveConfig, observe_clip
from hoifield.pipelines.presets import Preset, PresetName, build_preset, for_loose_poses, last_width
from hoifield.pipelines.summarise import summarise, summarise_refusal
from hoifield.pipelines.write_outputs import write_refused_outputs, write_run_outputs
from hoifield.result.collect_result import collect_result
from hoifield.result.fit_result import FitResult
from hoifield.result.measure_quality import measure_psnr
from hoifield.runlog.metrics_log import MetricsLog
from hoifield.runlog.run_folder import RunFolder
from hoifield.runlog.stop_request import StopRequest
from hoifield.scene.initialise import initialise_scene
from hoifield.storage import is_committed

LOG_EVERY = 25
"""Steps between two lines of metrics.jsonl."""

StepAnnounce = Callable[[str, int, int], None]
"""Told (stage, steps done, steps)."""


@dataclass(frozen=True)
class FitVideoConfig:
    """Everything that decides the outcome, beside the clip."""

    observe: ObserveConfig
    preset: Literal["auto"] | PresetName = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    most_frames: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class FitOutcome:
    """What a run came to."""

    run: Path
    status: Literal["ok", "degraded", "refused"]
    reasons: tuple[dict[str, Any], ...]
    was_done: bool
    """Whether the run was finished before this call."""


def fit_video(path: Path, out: Path, config: FitVideoConfig, announce: Announce, announce_step: StepAnnounce) -> FitOutcome:
    """Reconstructs hand and object of one clip into the run folder `out`; called again, it resumes, or says that it is done."""
    started = time.monotonic()
    preset = choose_preset(config)
    clip = open_clip(path)
    announce(f"clip {clip.name}: {clip.frame_count} frames, {clip.width} x {clip.height}, {clip.frames_per_second:.1f} per second")
    identity = {
        "clip": clip.sha256,
        "observe": config.observe.identity(),
        "preset": preset.name,
        "frames": preset.most_frames,
        "seed": config.seed,
    }
    with RunFolder.open(out, identity) as run, StopRequest() as stop:
        if is_committed(out / "result") and is_committed(out / "report"):
            return _outcome(out, was_done=True)
        run.journal({"event": "clip", "path": str(path.absolute())})
        observations = observe_in_run(run, clip, config.observe, preset.most_frames, announce)
        observed_s = time.monotonic() - started
        stop.raise_if_requested()
        if observations.readiness.verdict == "refuse":
            seconds = {"observe": observed_s, "fit": 0.0, "total": observed_s}
            write_refused_outputs(run, clip, observations, summarise_refusal(clip, observations, preset.name, config.seed, seconds))
            return _outcome(out, was_done=False)
        actors = {hand.side: load_actor(config.observe.actor, hand.side) for hand in observations.hands}
        if not posed_by_motion(observations):
            preset = for_loose_poses(preset)
        result, psnr_db = _fit(run, clip, observations, actors, preset, stop, announce, announce_step)
        total_s = time.monotonic() - started
        seconds = {"observe": observed_s, "fit": total_s - observed_s, "total": total_s}
        result = summarise(result, clip, observations, actors, preset.name, config.seed, seconds, psnr_db)
        announce("writing the result, the overlay and the report")
        write_run_outputs(run, clip, result, observations, actors)
        return _outcome(out, was_done=False)


def posed_by_motion(observations: Observations) -> bool:
    """Whether structure from motion placed the object in most of its frames."""
    track = observations.object_track
    placed = [source for source in track.source if source != "none"] if track is not None else []
    return placed.count("motion") > len(placed) / 2


def choose_preset(config: FitVideoConfig) -> Preset:
    """The preset that the options come to on this machine. Raises MissingDependency (HF-DEV-001) for a device that is not served."""
    if config.device == "cuda":
        raise MissingDependency("HF-DEV-001", "this version fits on the CPU only", "leave --device out")
    preset = build_preset("draft" if config.preset == "auto" else config.preset, config.seed)
    return preset if config.most_frames is None else replace(preset, most_frames=config.most_frames)


def observe_in_run(run: RunFolder, clip: Clip, config: ObserveConfig, most_frames: int, announce: Announce) -> Observations:
    """The observations of the run: read back where they are complete, else made and kept."""
    content = json.dumps([clip.sha256, config.identity(), most_frames], sort_keys=True)
    key = hashlib.sha256(content.encode()).hexdigest()[:16]
    folder = run.run_stage("observe", key, lambda path: save_observations(observe_clip(clip, config, most_frames, announce), path))
    return load_observations(folder)


def _fit(
    run: RunFolder,
    clip: Clip,
    observations: Observations,
    actors: dict[Side, SkinnedModel],
    preset: Preset,
    stop: StopRequest,
    announce: Announce,
    announce_step: StepAnnounce,
) -> tuple[FitResult, float]:
    torch.manual_seed(preset.scene.seed)
    pixels = load_frame_pixels(clip, observations)
    announce(f"fitting {len(observations.fit_frames)} frames at {pixels.camera.width} x {pixels.camera.height} ({preset.name})")
    scene = initialise_scene(observations, clip.time_s, pixels.camera, actors, preset.scene)
    listener = RunListener(preset.stages, MetricsLog(run.path / "metrics.jsonl"), stop, announce_step)
    run_stages(scene, FitPlan(preset.stages, preset.scene.seed), observations, pixels, run, listener)
    psnr_db = measure_psnr(scene, pixels, last_width(preset.stages), preset.scene.seed)
    return collect_result(scene, observations, clip, actors, preset.mesh_resolution, last_width(preset.stages)), psnr_db


class RunListener:
    """Passes the fit's progress to metrics.jsonl and to whoever watches."""

    def __init__(self, stages: tuple[Stage, ...], metrics: MetricsLog, stop: StopRequest, announce_step: StepAnnounce) -> None:
        self.metrics = metrics
        self.stop = stop
        self.announce_step = announce_step
        # Counted from the plan: a resumed run is not told of the stages that were done before.
        self._before = dict(zip((stage.name for stage in stages), accumulate((stage.steps for stage in stages), initial=0)))
        self._steps = 0

    def stage_started(self, name: str, steps: int, done: int) -> None:
        """A stage begins, or goes on after `done` steps."""
        self._steps = steps
        self.announce_step(name, done, steps)

    def step_done(self, name: str, step: int, losses: dict[str, float]) -> None:
        """Logs every LOG_EVERY-th step, and the last."""
        if step % LOG_EVERY == 0 or step + 1 == self._steps:
            self.metrics.scalars(self._before[name] + step, {f"{name}/{loss}": value for loss, value in losses.items()})
        self.announce_step(name, step + 1, self._steps)

    def stop_requested(self) -> bool:
        """Whether a signal asked to stop."""
        return self.stop.requested


def _outcome(out: Path, was_done: bool) -> FitOutcome:
    summary = json.loads((out / "result" / "result.json").read_text(encoding="utf-8"))
    return FitOutcome(out, summary["status"], tuple(summary["reasons"]), was_done)
