"""The stages on a device that is not the CPU: everything is carried there, and comes to what the plain reference comes to."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from far_device import FarTensor, MixedDevices, far_device
from tiny_scene import measured_observations, measured_pixels, tiny_scene

from hoifield.fitting.checkpoint import read_checkpoint
from hoifield.fitting.imagined_views import Imagination
from hoifield.fitting.run_stages import FitPlan, run_stages
from hoifield.fitting.stage import FieldLossWeights, FieldStage, PlacementStage, Stage
from hoifield.geometry.plain_reference import plain_reference
from hoifield.pipelines.presets import EVERYTHING
from hoifield.priors.geometry_prior import load_geometry_prior
from hoifield.scene.scene import Scene

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = {"rays": 48, "frames_per_step": 3, "object_samples": 6, "hand_samples": 4}
STAGES: tuple[Stage, ...] = (
    FieldStage("coarse", 4, EVERYTHING, FieldLossWeights(beyond_hull=1.0), pose_warm_up=0.0, **SMALL),  # type: ignore[arg-type]
    PlacementStage("placement", 2),
)


@dataclass
class Memory:
    """Keeps the last checkpoint, every loss, and the scenes told of."""

    folder: Path
    losses: list[dict[str, float]] = field(default_factory=list)
    scenes: list[Scene] = field(default_factory=list)

    def commit_checkpoint(self, step: int, write: Callable[[Path], None]) -> Path:
        path = self.folder / f"{step:09d}"
        path.mkdir(parents=True)
        write(path)
        return path

    def latest_checkpoint(self) -> Path | None:
        return max(self.folder.glob("*"), default=None)

    def stage_started(self, name: str, steps: int, done: int) -> None:
        """Of no interest."""

    def step_done(self, name: str, step: int, losses: dict[str, float]) -> None:
        self.losses.append(losses)

    def stage_ended(self, name: str, scene: Scene) -> None:
        self.scenes.append(scene)

    def stop_requested(self) -> bool:
        return False


def carried_out(device: torch.device, folder: Path, stages: tuple[Stage, ...] = STAGES, imagination: Imagination | None = None) -> tuple[Scene, Memory]:
    """The tiny scene after the stages."""
    memory = Memory(folder)
    scene = tiny_scene().on(device)
    plan = FitPlan(stages, 3, imagination=None if imagination is None else imagination.on(device))
    run_stages(scene, plan, measured_observations(), measured_pixels(), memory, memory)
    return scene, memory


def test_stages_run_on_another_device_and_come_to_the_reference(tmp_path: Path):
    with plain_reference():
        expected, by_reference = carried_out(torch.device("cpu"), tmp_path / "cpu")
    with far_device() as device:
        found, there = carried_out(device, tmp_path / "far")
        assert found.device == device and all(isinstance(parameter.data, FarTensor) for parameter in found.parameters())
        values = found.on(torch.device("cpu")).state_dict()
    assert there.losses == by_reference.losses
    assert {"depth", "looked_through", "beyond_hull"} <= there.losses[0].keys() and "depth" in there.losses[-1]
    assert all(torch.equal(values[name], tensor) for name, tensor in expected.state_dict().items())
    assert all(scene.device.type == "cpu" for scene in there.scenes)
    again = tiny_scene()
    read_checkpoint(max((tmp_path / "far").glob("*")), again)
    assert torch.equal(again.object_distance.table, expected.object_distance.table)


def test_the_prior_is_asked_on_the_device_too(tmp_path: Path):
    imagination = Imagination(load_geometry_prior(), "mug")
    stages: tuple[Stage, ...] = (FieldStage("coarse", 2, EVERYTHING, **SMALL),)  # type: ignore[arg-type]
    with plain_reference():
        _, by_reference = carried_out(torch.device("cpu"), tmp_path / "cpu", stages, imagination)
    with far_device() as device:
        _, there = carried_out(device, tmp_path / "far", stages, imagination)
    for found, expected in zip(there.losses, by_reference.losses, strict=True):
        assert "imagined" in found and found == pytest.approx(expected, rel=1e-4)
    assert all(parameter.device.type == "cpu" for parameter in imagination.prior.network.parameters())


def test_what_another_device_began_the_cpu_finishes(tmp_path: Path):
    with far_device() as device:
        carried_out(device, tmp_path, STAGES[:1])
    scene, memory = carried_out(torch.device("cpu"), tmp_path)
    assert len(memory.losses) == STAGES[1].steps
    assert bool(scene.object_distance.table.isfinite().all())


def test_a_part_left_behind_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    scene = tiny_scene()
    left_behind = scene.hands()[0][0].volumes
    with far_device() as device:
        moved = scene.on(device)
        moved.hands()[0][0].volumes = left_behind
        monkeypatch.setattr(Scene, "on", lambda scene, device: moved)
        with pytest.raises(MixedDevices):
            carried_out(device, tmp_path)


def test_a_generator_of_the_cpu_and_an_array_of_far_memory_are_refused():
    with far_device() as device:
        with pytest.raises(MixedDevices):
            torch.rand(3, generator=torch.Generator(), device=device)
        with pytest.raises(RuntimeError):
            torch.zeros(3, device=device).numpy()


def test_generators_are_forked_as_if_there_were_no_such_device():
    with far_device(), torch.random.fork_rng():
        torch.manual_seed(0)
    with torch.random.fork_rng():
        assert torch.rand(1).shape == (1,)
