"""The fit alone, of what was observed: observations -> scene -> stages -> result, resumed from the run folder's checkpoints."""

import time
from collections.abc import Callable
from itertools import accumulate

import torch

from hoifield.actors.skinned_model import Side, SkinnedModel
from hoifield.clip.clip import Clip
from hoifield.fitting.frame_pixels import load_frame_pixels
from hoifield.fitting.imagined_views import Imagination
from hoifield.fitting.run_stages import FitPlan, run_stages
from hoifield.fitting.stage import Stage, last_width
from hoifield.observations.observations import Observations
from hoifield.pipelines.presets import Preset
from hoifield.result.collect_result import collect_result
from hoifield.result.fit_result import FitResult
from hoifield.result.measure_quality import measure_psnr
from hoifield.runlog.metrics_log import MetricsLog
from hoifield.runlog.run_folder import RunFolder
from hoifield.runlog.stop_request import StopRequest
from hoifield.scene.initialise import initialise_scene
from hoifield.scene.scene import Scene

CPU = torch.device("cpu")
LOG_EVERY = 25
"""Steps between two lines of metrics.jsonl."""

StepAnnounce = Callable[[str, int, int], None]
"""Told (stage, steps done, steps)."""
StagePicturer = Callable[[str, int, Scene], None]
"""Keeps a picture of what (stage, its last step counted over all stages, scene) came to."""


def fit_observations(
    run: RunFolder,
    clip: Clip,
    observations: Observations,
    actors: dict[Side, SkinnedModel],
    preset: Preset,
    listener: "RunListener",
    imagination: Imagination | None = None,
    device: torch.device = CPU,
) -> tuple[FitResult, float]:
    """The result (its summary left empty) and the fitted scene's peak signal-to-noise ratio, dB. Errors of the stages.

    Stages run on `device`; what comes before and after them, on the CPU.
    """
    torch.manual_seed(preset.scene.seed)
    pixels = load_frame_pixels(clip, observations)
    scene = initialise_scene(observations, clip.time_s, pixels.camera, actors, preset.scene).on(device)
    imagination = None if imagination is None else imagination.on(device)
    run_stages(scene, FitPlan(preset.stages, preset.scene.seed, imagination=imagination), observations, pixels, run, listener)
    scene = scene.on(CPU)
    width = last_width(preset.stages)
    return collect_result(scene, observations, clip, actors, preset.mesh_resolution, width), measure_psnr(scene, pixels, width, preset.scene.seed)


class RunListener:
    """Passes the fit's progress to metrics.jsonl, the journal and whoever watches."""

    def __init__(
        self, run: RunFolder, stages: tuple[Stage, ...], stop: StopRequest, announce_step: StepAnnounce, keep_picture: StagePicturer | None = None
    ) -> None:
        self.run = run
        self.metrics = MetricsLog(run.path / "metrics.jsonl")
        self.stop = stop
        self.announce_step = announce_step
        self.keep_picture = keep_picture
        # Counted from the plan: a resumed run is not told of the stages that were done before.
        self._before = dict(zip((stage.name for stage in stages), accumulate((stage.steps for stage in stages), initial=0)))
        self._steps = 0
        self._started = 0.0

    def stage_started(self, name: str, steps: int, done: int) -> None:
        """A stage begins, or goes on after `done` steps."""
        self._steps = steps
        self._started = time.monotonic()
        self.announce_step(name, done, steps)

    def step_done(self, name: str, step: int, losses: dict[str, float]) -> None:
        """Logs every LOG_EVERY-th step, and the last."""
        if step % LOG_EVERY == 0 or step + 1 == self._steps:
            self.metrics.scalars(self._before[name] + step, {f"{name}/{loss}": value for loss, value in losses.items()})
        self.announce_step(name, step + 1, self._steps)

    def stage_ended(self, name: str, scene: Scene) -> None:
        """Journals the stage with its seconds (since the resume, for a resumed one) and has it pictured."""
        last_step = self._before[name] + self._steps - 1
        self.run.journal({"event": "stage done", "stage": name, "step": last_step, "seconds": round(time.monotonic() - self._started, 3)})
        if self.keep_picture is not None:
            self.keep_picture(name, last_step, scene)

    def stop_requested(self) -> bool:
        """Whether a signal asked to stop."""
        return self.stop.requested
