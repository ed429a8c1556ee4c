"""The states of a run as they appear: what was observed, each checkpoint, the result. Only reads; the fit that writes keeps its lock."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import torch

from hoifield.actors.choose_actor import load_actor
from hoifield.actors.skinned_model import Side, SkinnedModel
from hoifield.clip.clip import Clip
from hoifield.errors import MissingInput, RefusedInput
from hoifield.fitting.checkpoint import FitPosition, read_checkpoint
from hoifield.fitting.stage import last_width
from hoifield.observations.observations import Observations
from hoifield.observations.observations_folder import load_observations
from hoifield.pipelines.presets import Preset, PresetName, build_preset, preset_for
from hoifield.pipelines.write_outputs import find_clip
from hoifield.report.viewed_run import ViewedRun, read_pictures
from hoifield.result.collect_result import collect_poses, fitted_mesh
from hoifield.result.fit_result import FitResult
from hoifield.result.result_folder import read_result, read_summary
from hoifield.runlog.run_folder import list_checkpoints, read_run_record
from hoifield.scene.initialise import initialise_scene
from hoifield.scene.scene import Scene
from hoifield.storage import is_committed

POLL_S = 2.0
LIVE_RESOLUTION = 96
"""Cells per side of the object's cube for the mesh of a checkpoint: a second's work beside the fit."""


def read_finished(run: Path) -> ViewedRun:
    """The state of a finished run. Raises MissingInput (HF-VIE-003) for a clip that was refused, and what `read_result` raises."""
    if read_summary(run / "result")["status"] == "refused":
        cause = f"the clip of {run.name!r} was refused: there is no object to view"
        raise MissingInput("HF-VIE-003", cause, "read why: `hoifield report RUN --serve`")
    result = read_result(run / "result")
    return ViewedRun(run.name, f"finished: {result.summary['status']}", result, read_pictures(find_clip(run)))


def follow_run(run: Path, poll_s: float = POLL_S) -> Iterator[ViewedRun | None]:
    """Every new state of a run until its result, which is the last; None after each look that found nothing new.

    First the observed hull under the observed poses, then the mesh and the poses of each checkpoint. Nothing is filled in between them.
    Raises what `begin` and `read_finished` raise, and RefusedInput for damaged files.
    """
    begun: BegunFit | None = None
    shown = ""
    while not is_committed(run / "result"):
        state = None
        begun = begun or begin(run)
        if begun is not None:
            newest = list_checkpoints(run)
            name = newest[-1].name if newest else "observed"
            if name != shown:
                state = begun.look(newest[-1] if newest else None)
            shown = name if state is not None else shown
        yield state
        time.sleep(poll_s)
    yield read_finished(run)


@dataclass(frozen=True)
class BegunFit:
    """What of a fit stays the same while it works."""

    run: Path
    clip: Clip
    observations: Observations
    actors: dict[Side, SkinnedModel]
    preset: Preset
    scene: Scene
    """Each checkpoint is read into it; its hands are good for poses only."""
    pictures: dict[int, bytes]

    def look(self, checkpoint: Path | None) -> ViewedRun | None:
        """The state at a checkpoint, or before the first; None where the fit has removed the checkpoint meanwhile."""
        track = self.observations.object_track
        assert track is not None
        if checkpoint is None:
            result = collect_poses(self.scene, track.hull, self.observations, self.clip, self.actors)
            return self._viewed("observed, before the fit", result)
        try:
            position, _ = read_checkpoint(checkpoint, self.scene)
        except (FileNotFoundError, RefusedInput):
            if checkpoint.exists():
                raise
            return None
        mesh = fitted_mesh(self.scene, track, LIVE_RESOLUTION, last_width(self.preset.stages))
        return self._viewed(name_position(self.preset, position), collect_poses(self.scene, mesh, self.observations, self.clip, self.actors))

    def _viewed(self, state: str, result: FitResult) -> ViewedRun:
        return ViewedRun(self.run.name, state, result, self.pictures)


def name_position(preset: Preset, position: FitPosition) -> str:
    """Where a fit stands, in words."""
    if position.stage >= len(preset.stages):
        return "all stages done, the result is being written"
    stage = preset.stages[position.stage]
    if position.step == 0:
        return f"before {stage.name}, stage {position.stage + 1} of {len(preset.stages)}"
    return f"{stage.name}, step {position.step} of {stage.steps}"


def begin(run: Path) -> BegunFit | None:
    """What the fit in a run folder works on; None before its observations are complete, or where they say that there is nothing to fit.

    Raises MissingInput (HF-VIE-004) without the clip, RefusedInput (HF-VIE-005) for a schedule that is not one of the presets.
    """
    observed = [folder for folder in sorted((run / "stages" / "observe").glob("*")) if is_committed(folder)]
    observations = load_observations(observed[-1]) if observed else None
    if observations is None or observations.readiness.verdict == "refuse":
        return None
    clip, identity = find_clip(run), read_run_record(run)["identity"]
    if clip is None:
        raise MissingInput("HF-VIE-004", f"the clip of {run.name!r} is not where it lay", "put it back, or wait until the run is finished")
    if identity["preset"] not in get_args(PresetName):
        cause = f"{run.name!r} is fitted by a schedule {identity['preset']!r}, which is no preset"
        raise RefusedInput("HF-VIE-005", cause, "wait until the run is finished")
    actors = {hand.side: load_actor(identity["observe"]["actor"], hand.side) for hand in observations.hands}
    preset = preset_for(build_preset(identity["preset"], identity["seed"]), observations)
    # A checkpoint overwrites the field, and no ray is shot at the hands: neither needs to be good.
    sizes = replace(preset.scene, hull_steps=0, hand_volume_resolution=4)
    with torch.random.fork_rng():
        scene = initialise_scene(observations, clip.time_s, observations.camera, actors, sizes)
    return BegunFit(run, clip, observations, actors, preset, scene, read_pictures(clip))
