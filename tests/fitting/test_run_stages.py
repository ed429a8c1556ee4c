"""The list of stages: it lowers its losses, and killed anywhere it goes on to the very same end."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
import torch
from tiny_scene import FIT_FRAMES, ball_on_hand, tiny_pixels, tiny_scene

from hoifield.errors import Interrupted
from hoifield.fitting.checkpoint import FitPosition, read_checkpoint
from hoifield.fitting.imagined_views import Imagination
from hoifield.fitting.run_stages import FitPlan, run_stages
from hoifield.fitting.stage import FieldStage, PlacementStage, Stage
from hoifield.pipelines.presets import EVERYTHING
from hoifield.priors.geometry_prior import load_geometry_prior
from hoifield.scene.scene import Scene

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = {"rays": 48, "frames_per_step": 3, "object_samples": 6, "hand_samples": 4}
STAGES: tuple[Stage, ...] = (
    FieldStage("coarse", 100, EVERYTHING, **SMALL),  # type: ignore[arg-type]
    PlacementStage("placement", 3),
    FieldStage("final", 52, EVERYTHING, width_start=0.003, pose_warm_up=0.0, **SMALL),  # type: ignore[arg-type]
)


class KilledError(Exception):
    """The process is gone."""


@dataclass
class FolderStore:
    """Checkpoints in numbered folders; dies in place of writing number `die_at`."""

    folder: Path
    die_at: int | None = None
    steps: list[int] = field(default_factory=list)

    def commit_checkpoint(self, step: int, write: Callable[[Path], None]) -> Path:
        if self.die_at is not None and len(self.steps) == self.die_at:
            raise KilledError
        path = self.folder / f"{step:09d}"
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        write(path)
        self.steps.append(step)
        return path

    def latest_checkpoint(self) -> Path | None:
        return max(self.folder.glob("*"), default=None)


@dataclass
class Witness:
    """Notes every step; dies or asks to stop at one."""

    die_at: tuple[str, int] | None = None
    stop_after: tuple[str, int] | None = None
    started: list[tuple[str, int, int]] = field(default_factory=list)
    losses: dict[tuple[str, int], dict[str, float]] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)

    def stage_started(self, name: str, steps: int, done: int) -> None:
        self.started.append((name, steps, done))

    def step_done(self, name: str, step: int, losses: dict[str, float]) -> None:
        self.losses[name, step] = losses
        if (name, step) == self.die_at:
            raise KilledError

    def stage_ended(self, name: str, scene: Scene) -> None:
        self.ended.append(name)

    def stop_requested(self) -> bool:
        return self.stop_after is not None and self.stop_after in self.losses


def fit(store: FolderStore, witness: Witness, imagination: Imagination | None = None) -> Scene:
    scene = tiny_scene()
    run_stages(scene, FitPlan(STAGES, seed=3, checkpoint_every_s=0.0, imagination=imagination), ball_on_hand().observations, tiny_pixels(), store, witness)
    return scene


@cache
def _uninterrupted(folder: Path) -> tuple[Scene, Witness, FolderStore]:
    store, witness = FolderStore(folder), Witness()
    return fit(store, witness), witness, store


@pytest.fixture
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scene, Witness, FolderStore]:
    return _uninterrupted(tmp_path_factory.getbasetemp() / "uninterrupted")


def assert_same_end(scene: Scene, expected: Scene) -> None:
    different = [name for name, tensor in scene.state_dict().items() if not torch.equal(tensor, expected.state_dict()[name])]
    assert different == []
    assert torch.equal(scene.hands()[0][0].volumes.distance, expected.hands()[0][0].volumes.distance)


def test_a_fit_moves_what_it_may_and_lowers_what_it_minimises(uninterrupted: tuple[Scene, Witness, FolderStore]):
    scene, witness, store = uninterrupted
    assert witness.started == [("coarse", 100, 0), ("placement", 3, 0), ("final", 52, 0)]
    assert witness.ended == ["coarse", "placement", "final"]
    colour = [witness.losses["coarse", step]["colour"] for step in range(100)]
    assert sum(colour[-20:]) < 0.5 * sum(colour[:20])
    assert store.steps == [50, 101, 105, 155, 158]
    start = tiny_scene().state_dict()
    moved = {name for name, tensor in scene.state_dict().items() if not torch.equal(tensor, start[name])}
    assert {"object_distance.table", "background_code", "frames.object_translation", "frames.hands.0.articulation"} <= moved
    assert not any("observed" in name for name in moved)
    assert float(scene.frames.object_translation.detach().abs().max()) < 0.02


@pytest.mark.parametrize("death", [("coarse", 77), ("final", 51)])
def test_a_fit_killed_at_a_step_resumes_to_the_same_end_to_the_last_bit(
    tmp_path: Path, uninterrupted: tuple[Scene, Witness, FolderStore], death: tuple[str, int]
):
    expected, whole, _ = uninterrupted
    with pytest.raises(KilledError):
        fit(FolderStore(tmp_path), Witness(die_at=death))
    second = Witness()
    assert_same_end(fit(FolderStore(tmp_path), second), expected)
    assert all(whole.losses[step] == losses for step, losses in second.losses.items())


def test_a_fit_that_asks_the_prior_is_led_by_it_and_resumes_to_the_same_end(tmp_path: Path, uninterrupted: tuple[Scene, Witness, FolderStore]):
    imagination, whole = Imagination(load_geometry_prior(), "unknown"), Witness()
    expected = fit(FolderStore(tmp_path / "whole"), whole, imagination)
    assert all("imagined" in losses for (name, _), losses in whole.losses.items() if name != "placement")
    assert not torch.equal(expected.object_distance.table, uninterrupted[0].object_distance.table)
    with pytest.raises(KilledError):
        fit(FolderStore(tmp_path / "killed"), Witness(die_at=("coarse", 77)), imagination)
    assert_same_end(fit(FolderStore(tmp_path / "killed"), Witness(), imagination), expected)


def test_a_fit_killed_while_it_writes_resumes_from_the_checkpoint_before(tmp_path: Path, uninterrupted: tuple[Scene, Witness, FolderStore]):
    with pytest.raises(KilledError):
        fit(FolderStore(tmp_path, die_at=3), Witness())
    second = Witness()
    scene = fit(FolderStore(tmp_path), second)
    assert second.started == [("final", 52, 0)]
    assert_same_end(scene, uninterrupted[0])


def test_a_fit_asked_to_stop_saves_where_the_grid_is_read_again_and_says_so(tmp_path: Path):
    store = FolderStore(tmp_path)
    with pytest.raises(Interrupted) as stop:
        fit(store, Witness(stop_after=("coarse", 3)))
    assert stop.value.code == "HF-FIT-004" and stop.value.exit_code == 75
    assert store.steps == [50]
    position, _ = read_checkpoint(store.folder / "000000050", tiny_scene())
    assert position == FitPosition(0, 50)


def test_a_finished_fit_does_nothing_more(uninterrupted: tuple[Scene, Witness, FolderStore]):
    expected, _, store = uninterrupted
    witness = Witness()
    scene = fit(FolderStore(store.folder), witness)
    assert witness.losses == {} and witness.started == []
    assert_same_end(scene, expected)


def test_the_fitted_frames_are_those_of_the_scene():
    assert tiny_scene().frames.frame_count == len(FIT_FRAMES) == len(tiny_pixels().entities)
