"""Two ways to compute one thing, timed in turns in one process: what a ratio needs on a machine that others use too."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from hoifield.geometry.plain_reference import plain_reference

Work = Callable[[], Any]


@dataclass(frozen=True)
class PairedTimes:
    """Clock seconds of both ways, pair by pair."""

    default_s: tuple[float, ...]
    reference_s: tuple[float, ...]

    @property
    def speedups(self) -> tuple[float, ...]:
        """Reference over default, of each pair: what slows the machine for longer than a pair cancels."""
        return tuple(reference / default for default, reference in zip(self.default_s, self.reference_s, strict=True))

    @property
    def speedup(self) -> float:
        """Median of `speedups`."""
        return statistics.median(self.speedups)

    def as_json(self) -> dict[str, Any]:
        """Median times (ms), the median speed-up, its spread, and the number of pairs."""
        return {
            "default_ms": 1e3 * statistics.median(self.default_s),
            "reference_ms": 1e3 * statistics.median(self.reference_s),
            "speedup": self.speedup,
            "speedup_least": min(self.speedups),
            "speedup_most": max(self.speedups),
            "pairs": len(self.speedups),
        }


def time_pairs(default: Work, reference: Work, pairs: int) -> PairedTimes:
    """Times of `pairs` calls of each, in turns, the first of a pair alternating, after one call of each that does not count.

    `reference` runs with the readable twins in place of the kernels.
    """
    default_s, reference_s = [], []
    for number in range(-1, pairs):
        for turn in range(2):
            if (number + turn) % 2 == 0:
                default_s.append(seconds_of(default))
            else:
                with plain_reference():
                    reference_s.append(seconds_of(reference))
    return PairedTimes(tuple(default_s[1:]), tuple(reference_s[1:]))


def fit_exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """The p of seconds = c sizes^p by least squares of logarithms; NaN where all sizes are equal."""
    if len(set(sizes)) < 2:
        return math.nan
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def seconds_of(work: Work) -> float:
    """Clock seconds of one call, until every device has done what it was told."""
    _await_devices()
    started = time.perf_counter()
    work()
    _await_devices()
    return time.perf_counter() - started


def _await_devices() -> None:
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
