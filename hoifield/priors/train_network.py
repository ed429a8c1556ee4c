"""The one training loop: any network, any lessons, in bounded pieces that continue where the last one stopped."""

import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from hoifield.errors import RefusedInput
from hoifield.geometry.tensor_record import move_record
from hoifield.priors.training_processes import find_processes
from hoifield.tensor_files import read_tensors, write_tensors

Batch = TypeVar("Batch")
CHECKPOINT = "training.safetensors"
REPORT_EVERY = 50


@dataclass(frozen=True)
class TrainingSettings:
    """AdamW (Loshchilov and Hutter 2019) under a rate that rises, then falls along a cosine; the result is a running average of the weights."""

    steps: int
    peak_rate: float = 2e-3
    rising: float = 0.05
    """Share of the steps in which the rate rises."""
    weight_decay: float = 1e-4
    average: float = 0.998
    """Share of the average that each step keeps."""
    reduced_precision: bool = True
    """Whether convolutions may run in bfloat16, where the device computes in it: processors that only imitate it take many times as long."""

    def rate(self, step: int) -> float:
        """Learning rate of a step."""
        rising = self.rising * self.steps
        if step < rising:
            return self.peak_rate * (step + 1) / rising
        return self.peak_rate * 0.5 * (1 + math.cos(math.pi * min((step - rising) / max(self.steps - rising, 1), 1)))


def train_network(
    network: nn.Module,
    lesson: Callable[[int], Batch],
    measure_loss: Callable[[nn.Module, Batch], Tensor],
    settings: TrainingSettings,
    folder: Path,
    announce: Callable[[str], None],
    seconds: float = math.inf,
) -> nn.Module | None:
    """Train on `lesson(step)`, step after step; the averaged network, or None where `seconds` ended first.

    Lessons are made one ahead on a thread of their own and must follow from the step alone: then a run that was stopped and continued is
    the run that was not. State is kept in `folder`; HF-TRN-001 where that holds the training of other settings.

    Where this is one of several processes, each is given the network and gives back the same one. `lesson` makes the process's share of
    the batch, and the loss must be a mean over pictures; the first process announces and writes. Raises as `TrainingProcesses` too.
    """
    processes = find_processes()
    processes.require_shareable(network)
    announce = processes.first_only(announce)
    device = processes.device or next(network.parameters()).device
    network.to(device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.peak_rate, weight_decay=settings.weight_decay)
    averaged = deepcopy(network).requires_grad_(False)
    first = _resume(folder, network, averaged, optimiser, settings)
    processes.require_same_start(network, first)
    deadline, since, total = time.monotonic() + seconds, time.monotonic(), 0.0
    network.train()
    with ThreadPoolExecutor(1) as maker:
        ahead = maker.submit(lesson, first)
        for step in range(first, settings.steps):
            batch = move_record(ahead.result(), device)
            ahead = maker.submit(lesson, step + 1)
            for group in optimiser.param_groups:
                group["lr"] = settings.rate(step)
            with torch.autocast(device.type, torch.bfloat16, enabled=settings.reduced_precision and _computes_bfloat16(device)):
                loss = measure_loss(network, batch)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            processes.average_gradients(network)
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            _average(averaged, network, min(settings.average, (step + 1) / (step + 10)))
            total += float(loss.detach())
            if (step + 1) % REPORT_EVERY == 0:
                total = float(processes.mean(torch.tensor(total, dtype=torch.float64, device=device)))
                announce(f"step {step + 1} of {settings.steps}: loss {total / REPORT_EVERY:.4f}, {(time.monotonic() - since) / REPORT_EVERY:.3f} s a step")
                since, total = time.monotonic(), 0.0
            late = processes.any_of(time.monotonic() > deadline)
            if processes.is_first and (late or (step + 1) % (10 * REPORT_EVERY) == 0):
                _keep(folder, network, averaged, optimiser, settings, step + 1)
            if late:
                processes.wait()
                return None
    return averaged.eval()


def _computes_bfloat16(device: torch.device) -> bool:
    can = torch.cpu.get_capabilities()
    return device.type != "cpu" or bool(can.get("avx512_bf16") or can.get("amx_bf16"))


def _average(averaged: nn.Module, network: nn.Module, share: float) -> None:
    """Move the average towards the network; counters are copied."""
    with torch.no_grad():
        for kept, now in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(now, 1 - share)
            else:
                kept.copy_(now)


def _keep(folder: Path, network: nn.Module, averaged: nn.Module, optimiser: torch.optim.Optimizer, settings: TrainingSettings, step: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    state = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    state |= {f"averaged.{name}": tensor.clone() for name, tensor in averaged.state_dict().items()}
    for number, moments in optimiser.state_dict()["state"].items():
        state |= {f"optimiser.{number}.{name}": tensor for name, tensor in moments.items()}
    write_tensors(folder / CHECKPOINT, state, {"settings": json.dumps(asdict(settings)), "step": str(step)})


def _resume(folder: Path, network: nn.Module, averaged: nn.Module, optimiser: torch.optim.Optimizer, settings: TrainingSettings) -> int:
    """The step to go on with."""
    path = folder / CHECKPOINT
    if not path.is_file():
        return 0
    state, notes = read_tensors(path)
    if json.loads(notes["settings"]) != asdict(settings):
        raise RefusedInput("HF-TRN-001", f"{str(path)!r} was trained under other settings", "name another folder, or remove this one")
    parts: dict[str, dict[str, Tensor]] = {"network": {}, "averaged": {}, "optimiser": {}}
    for name, tensor in state.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = tensor
    network.load_state_dict(parts["network"])
    averaged.load_state_dict(parts["averaged"])
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in parts["optimiser"].items():
        number, _, moment = name.partition(".")
        moments.setdefault(int(number), {})[moment] = tensor
    optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})
    return int(notes["step"])
