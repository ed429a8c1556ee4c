"""A small training that several processes share: `teach_in_processes.py FOLDER [dies]`, each process started by a launcher.

Every training has a folder of its own in FOLDER; `NAME.PROCESS.safetensors` holds what a process ended with, `told.PROCESS.json` the rest.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from hoifield.errors import HoifieldError
from hoifield.priors.train_network import TrainingSettings, train_network
from hoifield.priors.training_processes import TrainingProcesses, find_processes
from hoifield.tensor_files import write_tensors

PICTURES = 8
SETTINGS = TrainingSettings(steps=40, peak_rate=0.02, average=0.9, reduced_precision=False)
LONG = TrainingSettings(steps=520, peak_rate=0.02, average=0.9, reduced_precision=False)
"""Past the first checkpoint, which is written after 500 steps."""
DIES_AT = 510
Lesson = tuple[Tensor, Tensor]


def fresh() -> nn.Module:
    """A network without statistics of its batch."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))


def lesson_of(share: slice) -> Callable[[int], Lesson]:
    """Lessons of a share of the pictures."""

    def lesson(step: int) -> Lesson:
        x = torch.rand(PICTURES, 2, generator=torch.Generator().manual_seed(step))
        return x[share], (3 * x.prod(1, keepdim=True) - 1)[share]

    return lesson


def loss_of(network: nn.Module, batch: Lesson) -> Tensor:
    """A mean over the pictures."""
    return (network(batch[0]) - batch[1]).square().mean()


def teach(folder: Path, share: slice, settings: TrainingSettings = SETTINGS, seconds: float = float("inf"), dies: bool = False) -> tuple[nn.Module | None, int]:
    """The network, and how many steps were made here."""
    steps = 0

    def counted_loss(network: nn.Module, batch: Lesson) -> Tensor:
        nonlocal steps
        steps += 1
        if dies and steps == DIES_AT:
            os.kill(os.getpid(), signal.SIGKILL)
        return loss_of(network, batch)

    return train_network(fresh(), lesson_of(share), counted_loss, settings, folder, lambda line: None, seconds), steps


def code_of(act: Callable[[], object]) -> str:
    """The code of the error that an act raises, else nothing."""
    try:
        act()
    except HoifieldError as error:
        return error.code
    return ""


def share_trainings(folder: Path, processes: TrainingProcesses) -> None:
    """Everything that lives through its processes."""
    share = processes.share(PICTURES)
    kept = {"whole": teach(folder / "whole", share), "same_half": teach(folder / "same_half", slice(0, PICTURES // 2))}
    kept["continued"] = teach(folder / "begun_alone", share)
    for name, (network, _) in kept.items():
        assert network is not None
        write_tensors(folder / f"{name}.{processes.number}.safetensors", network.state_dict())
    late, late_steps = teach(folder / "late", share, seconds=0.0 if processes.number == 1 else 1e9)
    told = {
        "steps": {name: steps for name, (_, steps) in kept.items()},
        "late": [late is None, late_steps],
        "uneven": code_of(lambda: processes.share(PICTURES + 1)),
        "elsewhere": code_of(lambda: teach(folder / ("late" if processes.number == 0 else "nowhere"), share)),
        "mean": float(processes.mean(torch.tensor(float(processes.number)))),
    }
    (folder / f"told.{processes.number}.json").write_text(json.dumps(told))


def die_once(folder: Path, processes: TrainingProcesses) -> None:
    """A training in which the second process is killed the first time."""
    first_time = not (folder / "training.safetensors").exists()
    network, steps = teach(folder, processes.share(PICTURES), LONG, dies=first_time and processes.number == 1)
    assert network is not None
    write_tensors(folder / f"ended.{processes.number}.safetensors", network.state_dict(), {"steps": str(steps)})


if __name__ == "__main__":
    here = find_processes()
    if sys.argv[2:] == ["dies"]:
        die_once(Path(sys.argv[1]), here)
    else:
        share_trainings(Path(sys.argv[1]), here)
    here.leave()
