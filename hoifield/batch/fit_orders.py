"""What every fit of a batch is told, and where its run lies in the batch folder."""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hoifield.batch.name_clips import BatchClip
from hoifield.batch.run_attempt import AttemptOrder

FIT = (sys.executable, "-m", "hoifield", "fit")


@dataclass(frozen=True)
class FitOptions:
    """The options of `hoifield fit` that are passed on."""

    preset: str = "auto"
    device: str = "auto"
    hand: str = "auto"
    actor: str = "auto"
    seed: int = 0
    max_frames: int | None = None

    def identity(self) -> dict[str, Any]:
        """What decides the outcome: batches that differ in it do not share a folder."""
        return {"job": "batch", **{key: value for key, value in asdict(self).items() if key != "device"}}

    def arguments(self) -> tuple[str, ...]:
        """As words of a command line."""
        return tuple(
            word for key, value in asdict(self).items() if value is not None for word in (f"--{key.replace('_', '-')}", str(value))
        )  # fmt: skip


def order_fit(clip: BatchClip, folder: Path, options: FitOptions, program: tuple[str, ...] = FIT) -> AttemptOrder:
    """The order for an attempt at a clip in the batch folder `folder` (absolute); `program` stands before the options of `fit`."""
    run = str(folder / run_place(clip.name))
    command = (*program, "--video", clip.path, "--out", run, *options.arguments())
    return AttemptOrder(clip.name, command, run, str(folder / log_place(clip.name)))


def run_place(name: str) -> str:
    """The clip's run folder, seen from the batch folder."""
    return f"runs/{name}"


def log_place(name: str) -> str:
    """The file with what the clip's last attempt printed, seen from the batch folder."""
    return f"logs/{name}.log"
