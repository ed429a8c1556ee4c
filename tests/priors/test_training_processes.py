"""Several processes train the network that one would have trained: the same steps, one checkpoint, the same end; and what keeps them from it."""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import teach_in_processes
import torch
from launched_processes import launch_two
from teach_in_processes import LONG, PICTURES, SETTINGS, teach
from torch import Tensor

from hoifield.cli.main import run
from hoifield.errors import ConfigurationError, InputOutputFailure, MissingDependency, RefusedInput
from hoifield.priors import train_network
from hoifield.priors.eyes_network import EyesNetwork
from hoifield.priors.geometry_network import GeometryNetwork
from hoifield.priors.train_network import CHECKPOINT
from hoifield.priors.training_processes import TrainingProcesses, find_processes
from hoifield.tensor_files import read_tensors

SCRIPT = teach_in_processes.__file__
ALL = slice(0, PICTURES)
ROUNDING = 1e-5


@pytest.fixture(autouse=True)
def nobody_launched_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "ACCELERATE_USE_CPU"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes came to; one of their trainings was begun by one alone."""
    folder = tmp_path_factory.mktemp("shared")
    teach(folder / "begun_alone", ALL, seconds=0.0)
    finished = launch_two([SCRIPT, str(folder)], folder)
    assert finished.returncode == 0, finished.stderr
    return folder


def told(folder: Path, number: int) -> dict:
    return json.loads((folder / f"told.{number}.json").read_text())


def alone(folder: Path, settings: train_network.TrainingSettings = SETTINGS) -> dict[str, Tensor]:
    network, _ = teach(folder, ALL, settings)
    assert network is not None
    return network.state_dict()


def difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def test_two_processes_end_in_the_weights_of_one(shared: Path, tmp_path: Path) -> None:
    one = alone(tmp_path)
    first, second = (read_tensors(shared / f"whole.{number}.safetensors")[0] for number in (0, 1))
    assert difference(first, second) == 0.0 and difference(one, first) < ROUNDING
    assert [told(shared, number)["steps"]["whole"] for number in (0, 1)] == [SETTINGS.steps] * 2
    same_half, _ = read_tensors(shared / "same_half.0.safetensors")
    assert difference(one, same_half) > 100 * ROUNDING, "two processes with the same half of the pictures are found out"


def test_a_training_goes_on_with_more_processes(shared: Path, tmp_path: Path) -> None:
    continued, _ = read_tensors(shared / "continued.0.safetensors")
    assert difference(alone(tmp_path), continued) < ROUNDING
    assert [told(shared, number)["steps"]["continued"] for number in (0, 1)] == [SETTINGS.steps - 1] * 2


def test_the_time_of_one_process_stops_all_at_one_step_and_one_process_goes_on(shared: Path, tmp_path: Path) -> None:
    assert [told(shared, number)["late"] for number in (0, 1)] == [[True, 1]] * 2
    _, notes = read_tensors(shared / "late" / CHECKPOINT)
    assert notes["step"] == "1"
    (tmp_path / CHECKPOINT).write_bytes((shared / "late" / CHECKPOINT).read_bytes())
    assert difference(alone(tmp_path), alone(tmp_path / "whole")) < ROUNDING


def test_what_cannot_be_shared_is_said_in_every_process(shared: Path) -> None:
    assert [told(shared, number)["uneven"] for number in (0, 1)] == ["HF-TRN-003"] * 2
    assert [told(shared, number)["elsewhere"] for number in (0, 1)] == ["HF-TRN-005"] * 2
    assert not (shared / "nowhere").exists()
    assert [told(shared, number)["mean"] for number in (0, 1)] == [0.5] * 2


def test_a_killed_process_ends_the_others_and_the_same_command_goes_on(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    words = [SCRIPT, str(tmp_path / "shared"), "dies"]
    assert launch_two(words, tmp_path).returncode != 0
    assert not list((tmp_path / "shared").glob("ended.*"))
    finished = launch_two(words, tmp_path)
    assert finished.returncode == 0, finished.stderr
    (first, notes), (second, _) = (read_tensors(tmp_path / "shared" / f"ended.{number}.safetensors") for number in (0, 1))
    assert notes["steps"] == str(LONG.steps - 500)
    assert difference(first, second) == 0.0 and difference(alone(tmp_path / "alone", LONG), first) < 100 * ROUNDING


@pytest.mark.parametrize("count", [1, 2, 4])
def test_shares_are_the_whole_batch_once(count: int) -> None:
    pictures = list(range(8))
    assert [picture for number in range(count) for picture in pictures[TrainingProcesses(number, count).share(8)]] == pictures


def test_a_batch_that_cannot_be_shared_evenly_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="--batch 16 cannot be shared evenly by 3") as refused:
        TrainingProcesses(0, 3).share(16)
    assert refused.value.code == "HF-TRN-003" and "multiple of 3" in refused.value.remedy


def test_a_network_that_looks_at_its_batch_as_a_whole_is_not_shared() -> None:
    with pytest.raises(RefusedInput, match="HF-TRN-004"):
        TrainingProcesses(0, 2).require_shareable(EyesNetwork())
    TrainingProcesses(0, 1).require_shareable(EyesNetwork())
    TrainingProcesses(0, 2).require_shareable(GeometryNetwork())


def test_a_process_that_nobody_launched_needs_no_accelerate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "accelerate", None)
    assert find_processes() == TrainingProcesses()
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert find_processes() == TrainingProcesses()


def test_one_of_several_without_accelerate_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "accelerate", None)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(MissingDependency, match="HF-TRN-002"):
        find_processes()
    assert run(["prior", "train", str(tmp_path), "--out", str(tmp_path / "out")]) == 69
    assert "pip install 'hoifield[accelerate]'" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_processes_that_do_not_find_each_other_are_not_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = ModuleType("accelerate")
    stand_in.Accelerator = lambda **told: SimpleNamespace(num_processes=1, process_index=0)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "accelerate", stand_in)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigurationError, match="HF-TRN-007"):
        find_processes()


def test_a_process_that_is_gone_is_an_error_that_says_go_on() -> None:
    def reduce(values: Tensor, reduction: str) -> Tensor:
        raise RuntimeError("Connection closed by peer\nat some address")

    left = TrainingProcesses(0, 2, SimpleNamespace(reduce=reduce, device=torch.device("cpu")))  # type: ignore[arg-type]
    with pytest.raises(InputOutputFailure, match="HF-TRN-006.*Connection closed by peer$"):
        left.wait()


def test_only_the_first_process_announces() -> None:
    lines: list[str] = []
    for number in (0, 1):
        TrainingProcesses(number, 2).first_only(lines.append)(f"from {number}")
    assert lines == ["from 0"]


def test_the_mean_of_the_gradients_of_shares_is_the_gradient_of_the_batch() -> None:
    whole, halves = teach_in_processes.fresh(), [teach_in_processes.fresh() for _ in range(2)]
    gradients = []
    for network, share in [(whole, ALL), (halves[0], slice(0, 4)), (halves[1], slice(4, 8))]:
        teach_in_processes.loss_of(network, teach_in_processes.lesson_of(share)(0)).backward()
        gradients.append(torch.cat([weight.grad.flatten() for weight in network.parameters()]))
    accelerator = SimpleNamespace(reduce=lambda values, reduction: values + gradients[2], device=torch.device("cpu"))
    TrainingProcesses(0, 2, accelerator).average_gradients(halves[0])  # type: ignore[arg-type]
    averaged = torch.cat([weight.grad.flatten() for weight in halves[0].parameters()])
    torch.testing.assert_close(averaged, gradients[0])
    assert not torch.allclose(gradients[1], gradients[0])
