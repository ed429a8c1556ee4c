"""What the machine can do at most, and what one piece of work took of its memory: measured where the rest is measured."""

import ctypes
import gc
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hoifield.benchmark.paired_times import seconds_of

COPIED = 2**25
"""32-bit numbers copied: 128 MiB, several times any cache of an ordinary machine."""
MATRIX = 1536
"""Side of the multiplied matrices."""


@dataclass(frozen=True)
class MachineLimits:
    """Ceilings of a roofline (Williams et al. 2009), of all threads in use, or of a GPU."""

    copy_bytes_per_s: float
    """Bytes read and bytes written, together."""
    flops_per_s: float
    """Multiplications and additions of 32-bit numbers, in a product of matrices."""


def measure_limits(device: torch.device, repetitions: int = 7, copied: int = COPIED, matrix: int = MATRIX) -> MachineLimits:
    """The best of several repetitions each: a ceiling is what is reached when nobody disturbs."""
    source, target = torch.zeros(copied, device=device), torch.ones(copied, device=device)
    left, right, product = (torch.ones(matrix, matrix, device=device) for _ in range(3))
    copy_s = _least_seconds(lambda: target.copy_(source), repetitions)
    product_s = _least_seconds(lambda: torch.mm(left, right, out=product), repetitions)
    return MachineLimits(8 * copied / copy_s, 2 * matrix**3 / product_s)


def peak_memory_of(work: Callable[[], Any], device: torch.device) -> int | None:
    """Bytes of the device's memory that the process held at most while `work` ran, beyond what it held before.

    On the CPU resident memory; None where the system cannot start that count anew (it needs Linux and glibc).
    """
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    try:
        # Memory that was freed but kept by the allocator would be taken again unnoticed.
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        before = _status_bytes("VmRSS")
        work()
        return max(_status_bytes("VmHWM") - before, 0)
    except (OSError, AttributeError):
        return None


def processor_name(device: torch.device) -> str:
    """The name that the system gives the device; empty where it gives none."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def load_average() -> float | None:
    """Processes that ran or waited in the last minute, on average: how busy the machine was."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _status_bytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _least_seconds(work: Callable[[], Any], repetitions: int) -> float:
    return min(seconds_of(work) for _ in range(repetitions + 1))
