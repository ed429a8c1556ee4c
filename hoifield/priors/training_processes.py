"""The processes that train one network together, as `accelerate launch` starts them, or this one alone.

The only file that imports accelerate. It says who is who and on which device, and carries sums between the processes; the loop, its
checkpoints and its lessons are the same for one process and for many.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from hoifield.errors import ConfigurationError, InputOutputFailure, MissingDependency, RefusedInput

if TYPE_CHECKING:
    from accelerate import Accelerator

USES_BATCH_STATISTICS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass(frozen=True)
class TrainingProcesses:
    """This process among those that train a network; one that is alone does nothing but say so."""

    number: int = 0
    """Of this process; the first one announces and writes."""
    count: int = 1
    accelerator: "Accelerator | None" = None
    """None for a process that nothing launched."""

    @property
    def device(self) -> torch.device | None:
        """Where this process trains; None leaves the network where it is."""
        return None if self.accelerator is None else self.accelerator.device

    @property
    def is_first(self) -> bool:
        """Whether this process announces and writes."""
        return self.number == 0

    def first_only(self, announce: Callable[[str], None]) -> Callable[[str], None]:
        """What announces in the first process, and is silent in the others."""
        return announce if self.is_first else lambda line: None

    def share(self, pictures: int) -> slice:
        """This process's part of a batch. Raises ConfigurationError (HF-TRN-003) where the parts would differ in size: each is weighed alike."""
        size, rest = divmod(pictures, self.count)
        if rest:
            cause = f"--batch {pictures} cannot be shared evenly by {self.count} processes"
            raise ConfigurationError("HF-TRN-003", cause, f"give --batch a multiple of {self.count}")
        return slice(self.number * size, (self.number + 1) * size)

    def require_shareable(self, network: nn.Module) -> None:
        """Raises RefusedInput (HF-TRN-004) where several processes share what looks at a batch as a whole."""
        if self.count > 1 and any(isinstance(module, USES_BATCH_STATISTICS) for module in network.modules()):
            cause = f"{type(network).__name__} normalises by the statistics of its batch, of which each of {self.count} processes sees a part"
            raise RefusedInput("HF-TRN-004", cause, "train it in one process")

    def require_same_start(self, network: nn.Module, step: int) -> None:
        """Raises RefusedInput (HF-TRN-005) in all processes unless they start with the same step and weights."""
        if self.accelerator is not None:
            size = sum(weight.detach().double().abs().sum() for weight in network.parameters())
            start = torch.stack([torch.tensor(float(step), dtype=torch.float64, device=self.device), torch.as_tensor(size, device=self.device)])
            starts = _carried(self.accelerator.gather, start[None])
            if not torch.equal(starts, starts[:1].expand_as(starts)):
                steps = ", ".join(str(int(first)) for first in starts[:, 0])
                cause = f"the processes do not start alike (at steps {steps})"
                raise RefusedInput("HF-TRN-005", cause, "give all machines the same folders, or a new --out")

    def average_gradients(self, network: nn.Module) -> None:
        """Give every process the mean of all processes' gradients: of a loss that is a mean over pictures, the gradient of the whole batch."""
        if self.count > 1:
            gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
            averaged = self.mean(torch.cat([gradient.flatten() for gradient in gradients]))
            for gradient, values in zip(gradients, averaged.split([gradient.numel() for gradient in gradients]), strict=True):
                gradient.copy_(values.view_as(gradient))

    def mean(self, values: Tensor) -> Tensor:
        """The mean over the processes, the same bits in each of them."""
        return self._sum(values) / self.count

    def any_of(self, told: bool) -> bool:
        """Whether any process was told so: the same answer in each of them."""
        return bool(self._sum(torch.tensor(float(told), device=self.device)) > 0)

    def wait(self) -> None:
        """Until every process has come here."""
        self.any_of(False)

    def leave(self) -> None:
        """The end of what is done together."""
        if self.accelerator is not None:
            self.accelerator.end_training()

    def _sum(self, values: Tensor) -> Tensor:
        if self.accelerator is None:
            return values
        return _carried(partial(self.accelerator.reduce, reduction="sum"), values)


def _carried(carry: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    """What came of sending values to the other processes. Raises InputOutputFailure (HF-TRN-006) where one of them is gone."""
    try:
        return carry(values)
    except RuntimeError as error:
        cause = f"a process of the training is gone, or cannot be reached: {str(error).strip().partition(chr(10))[0]}"
        raise InputOutputFailure("HF-TRN-006", cause, "run the same command again; it goes on from the last checkpoint") from error


def find_processes() -> TrainingProcesses:
    """The processes that this one was launched with, joined: all of them must call it.

    Raises MissingDependency (HF-TRN-002) for one of several without accelerate, ConfigurationError (HF-TRN-007) where it cannot find the
    others.
    """
    count = int(os.environ.get("WORLD_SIZE") or 1)
    # what accelerate's launcher tells a process that it starts alone, so that one GPU can be used through it
    if count == 1 and "ACCELERATE_USE_CPU" not in os.environ:
        return TrainingProcesses()
    try:
        from accelerate import Accelerator
    except ImportError as error:
        cause = f"this is one of {count} processes (WORLD_SIZE), and accelerate, which joins them, is not installed"
        raise MissingDependency("HF-TRN-002", cause, "pip install 'hoifield[accelerate]', or start hoifield by itself") from error
    accelerator = Accelerator(cpu=not torch.cuda.is_available(), mixed_precision="no")
    if accelerator.num_processes != count:
        cause = f"WORLD_SIZE is {count}, and accelerate finds {accelerator.num_processes} of the processes"
        raise ConfigurationError("HF-TRN-007", cause, "start them with `accelerate launch`, or unset WORLD_SIZE")
    return TrainingProcesses(accelerator.process_index, count, accelerator)
