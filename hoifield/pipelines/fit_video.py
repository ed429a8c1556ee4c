"""The main job, the page to read first: clip -> observations -> scene -> stages -> result -> report."""

import hashlib
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, assert_never

from hoifield.actors.choose_actor import load_actor
from hoifield.clip.clip import Clip
from hoifield.clip.open_clip import open_clip
from hoifield.fitting.imagined_views import Imagination
from hoifield.observations.observations import Observations
from hoifield.observations.observations_folder import load_observations, save_observations
from hoifield.pipelines.choose_device import DeviceChoice, choose_device
from hoifield.pipelines.fit_observations import RunListener, StepAnnounce, fit_observations
from hoifield.pipelines.observe import Announce, ObserveConfig, load_template, observe_clip
from hoifield.pipelines.presets import Preset, PresetName, build_preset, preset_for
from hoifield.pipelines.stage_pictures import StagePictures
from hoifield.pipelines.summarise import summarise, summarise_refusal
from hoifield.pipelines.write_outputs import write_refused_outputs, write_run_outputs
from hoifield.priors.geometry_network import CATEGORIES, category_of
from hoifield.priors.geometry_prior import load_geometry_prior, read_geometry_prior
from hoifield.runlog.run_folder import RunFolder
from hoifield.runlog.stop_request import StopRequest
from hoifield.storage import is_committed

PriorChoice = Literal["auto", "on", "off"] | Path
"""The geometry prior that came along, none, or a file of weights; auto is none until it is shown to help on most clips (experiments/08_prior)."""


@dataclass(frozen=True)
class FitVideoConfig:
    """Everything that decides the outcome, beside the clip."""

    observe: ObserveConfig
    preset: Literal["auto"] | PresetName | Preset = "auto"
    """A name, or the work itself."""
    device: DeviceChoice = "auto"
    """What the stages run on; it changes the time they take, and the last digits of what they come to."""
    most_frames: int | None = None
    seed: int = 0
    category: str = "unknown"
    """What the user calls the object."""
    prior: PriorChoice = "auto"
    """The geometry prior for unseen sides."""


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
    device = choose_device(config.device)
    preset, imagination = choose_preset(config), choose_imagination(config, announce)
    if config.observe.template is not None:
        # A run folder belongs to its template: one that cannot be used shall leave none.
        load_template(config.observe.template)
    clip = open_clip(path)
    announce(f"clip {clip.name}: {clip.frame_count} frames, {clip.width} x {clip.height}, {clip.frames_per_second:.1f} per second")
    identity = {
        "clip": clip.sha256,
        "observe": config.observe.identity(),
        "preset": preset.name,
        "frames": preset.most_frames,
        "seed": config.seed,
        "prior": None if imagination is None else [imagination.prior.card["sha256"], imagination.category],
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
            write_refused_outputs(run, clip, observations, summarise_refusal(clip, observations, preset.name, device.type, config.seed, seconds))
            return _outcome(out, was_done=False)
        actors = {hand.side: load_actor(config.observe.actor, hand.side) for hand in observations.hands}
        preset = preset_for(preset, observations)
        picturer = StagePictures(run.path, clip, observations, actors, preset.stages)
        listener = RunListener(run, preset.stages, stop, announce_step, picturer.keep)
        announce(f"fitting {len(observations.fit_frames)} frames ({preset.name}, {device.type})")
        result, psnr_db = fit_observations(run, clip, observations, actors, preset, listener, imagination, device)
        total_s = time.monotonic() - started
        seconds = {"observe": observed_s, "fit": total_s - observed_s, "total": total_s}
        result = summarise(result, clip, observations, actors, preset.name, device.type, config.seed, seconds, psnr_db)
        announce("writing the result, the overlay and the report")
        write_run_outputs(run, clip, result, observations, actors)
        return _outcome(out, was_done=False)


def choose_preset(config: FitVideoConfig) -> Preset:
    """The preset that the options come to on this machine."""
    named = "draft" if config.preset == "auto" else config.preset
    preset = named if isinstance(named, Preset) else build_preset(named, config.seed)
    return preset if config.most_frames is None else replace(preset, most_frames=config.most_frames)


def choose_imagination(config: FitVideoConfig, announce: Announce) -> Imagination | None:
    """The geometry prior that the options ask for, with the user's word for the object. Raises as `find_pretrained` and `read_card`."""
    match config.prior:
        case "auto" | "off":
            return None
        case "on":
            prior = load_geometry_prior()
        case Path():
            prior = read_geometry_prior(config.prior)
        case _:
            assert_never(config.prior)
    category = category_of(config.category)
    if category == "unknown" != config.category:
        announce(f"the prior knows no {config.category!r}: it takes the object for anything ({', '.join(CATEGORIES[1:])} are known)")
    return Imagination(prior, category)


def observe_in_run(run: RunFolder, clip: Clip, config: ObserveConfig, most_frames: int, announce: Announce) -> Observations:
    """The observations of the run: read back where they are complete, else made and kept."""
    content = json.dumps([clip.sha256, config.identity(), most_frames], sort_keys=True)
    key = hashlib.sha256(content.encode()).hexdigest()[:16]
    folder = run.run_stage("observe", key, lambda path: save_observations(observe_clip(clip, config, most_frames, announce), path))
    return load_observations(folder)


def _outcome(out: Path, was_done: bool) -> FitOutcome:
    summary = json.loads((out / "result" / "result.json").read_text(encoding="utf-8"))
    return FitOutcome(out, summary["status"], tuple(summary["reasons"]), was_done)
