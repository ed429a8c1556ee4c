"""A list of stages carried out on a scene, with checkpoints, so that the same call goes on where a killed one stopped."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, assert_never

import torch
from torch import Tensor

from hoifield.errors import Interrupted
from hoifield.fitting.adam import NamedAdam
from hoifield.fitting.checkpoint import FitPosition, read_checkpoint, write_checkpoint
from hoifield.fitting.frame_pixels import FramePixels
from hoifield.fitting.held_surface import hold_surface
from hoifield.fitting.imagined_views import Imagination
from hoifield.fitting.placement_evidence import gather_placement_evidence
from hoifield.fitting.refine_placement import refine_placement
from hoifield.fitting.run_field_stage import StepClock, StepReport, build_optimiser, run_field_stage
from hoifield.fitting.stage import FieldStage, PlacementStage, Stage, last_width
from hoifield.geometry.tensor_record import move_record
from hoifield.observations.observations import Observations
from hoifield.scene.scene import Scene


class CheckpointStore(Protocol):
    """Where checkpoints are kept; a run folder is one."""

    def commit_checkpoint(self, step: int, write: Callable[[Path], None]) -> Path:
        """Durable once it returns."""

    def latest_checkpoint(self) -> Path | None:
        """The newest that verifies."""


class FitListener(Protocol):
    """Who is told how the fit goes."""

    def stage_started(self, name: str, steps: int, done: int) -> None:
        """A stage begins, or goes on after `done` steps."""

    def step_done(self, name: str, step: int, losses: dict[str, float]) -> None:
        """One step of a stage."""

    def stage_ended(self, name: str, scene: Scene) -> None:
        """A stage is done, with this scene, on the CPU; its checkpoint follows."""

    def stop_requested(self) -> bool:
        """Whether to save and stop."""


@dataclass(frozen=True)
class FitPlan:
    """What is to be done."""

    stages: tuple[Stage, ...]
    seed: int
    checkpoint_every_s: float = 60.0
    imagination: Imagination | None = None
    """The geometry prior, for unseen sides."""


def run_stages(scene: Scene, plan: FitPlan, observations: Observations, pixels: FramePixels, store: CheckpointStore, listener: FitListener) -> None:
    """Carries out the plan on the scene in place. Raises Interrupted (HF-FIT-004) after saving, when the listener asks to stop."""
    position = FitPosition(0, 0)
    saved: dict[str, Tensor] = {}
    folder = store.latest_checkpoint()
    if folder is not None:
        position, saved = read_checkpoint(folder, scene)
        rebuild_hand_volumes(scene)
    for number, stage in enumerate(plan.stages):
        if number < position.stage:
            continue
        first_step = position.step if number == position.stage else 0
        listener.stage_started(stage.name, stage.steps, first_step)
        match stage:
            case FieldStage():
                runner = _FieldStageRunner(scene, plan, number, stage, store, listener, saved if first_step else {})
                runner.run(pixels, first_step)
            case PlacementStage():
                _run_placement(scene, plan, number, stage, observations, pixels, listener)
            case _:
                assert_never(stage)
        saved = {}
        listener.stage_ended(stage.name, scene.on(torch.device("cpu")))
        after = FitPosition(number + 1, 0)
        store.commit_checkpoint(_serial(plan, after), lambda path, at=after: write_checkpoint(path, scene, {}, at))  # type: ignore[misc]


def _serial(plan: FitPlan, position: FitPosition) -> int:
    """Steps done over all stages, plus the stages closed: what orders checkpoints."""
    return sum(stage.steps + 1 for stage in plan.stages[: position.stage]) + position.step


@dataclass(frozen=True)
class _FieldStageRunner:
    scene: Scene
    plan: FitPlan
    number: int
    stage: FieldStage
    store: CheckpointStore
    listener: FitListener
    saved: dict[str, Tensor]

    def run(self, pixels: FramePixels, first_step: int) -> None:
        optimiser = build_optimiser(self.scene, self.stage)
        optimiser.restore(self.saved)
        clock = StepClock(self.plan.checkpoint_every_s)

        def after_step(report: StepReport, at_cache: bool) -> None:
            self.listener.step_done(self.stage.name, report.step, {"total": report.total, **report.losses})
            last = report.step + 1 == self.stage.steps
            if at_cache and not last and (self.listener.stop_requested() or clock.due()):
                self._save(optimiser, report.step + 1)
                if self.listener.stop_requested():
                    raise Interrupted("HF-FIT-004", f"stopped after step {report.step + 1} of {self.stage.name}", "run the same command again to go on")

        seed = self.plan.seed * 100 + self.number
        run_field_stage(self.scene, self.stage, pixels, seed, optimiser, first_step, after_step, self.plan.imagination)

    def _save(self, optimiser: NamedAdam, step: int) -> None:
        position = FitPosition(self.number, step)
        self.store.commit_checkpoint(_serial(self.plan, position), lambda path: write_checkpoint(path, self.scene, optimiser.state(), position))


def _run_placement(
    scene: Scene, plan: FitPlan, number: int, stage: PlacementStage, observations: Observations, pixels: FramePixels, listener: FitListener
) -> None:
    evidence = move_record(gather_placement_evidence(observations, pixels, plan.seed), scene.device)
    surface = hold_surface(scene, last_width(plan.stages[:number]), plan.seed)
    history = refine_placement(scene, stage, surface, evidence)
    for step, losses in enumerate(history):
        listener.step_done(stage.name, step, losses)
    rebuild_hand_volumes(scene)


def rebuild_hand_volumes(scene: Scene) -> None:
    """The posed hands' volumes at their present articulation; they are derived, so no checkpoint holds them."""
    for actor, poses in scene.hands():
        actor.volumes = actor.build_volumes(poses)
