"""Whether confidences mean what they say: reliability curve, expected calibration error, prediction of failure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata

BINS = 10


@dataclass(frozen=True)
class ReliabilityBin:
    """Outcomes whose confidence lies in [low, high) (the last bin includes 1). Means are NaN where the bin is empty."""

    low: float
    high: float
    count: int
    mean_confidence: float
    success_rate: float


@dataclass(frozen=True)
class Calibration:
    """How confidences and outcomes belong together."""

    bins: tuple[ReliabilityBin, ...]
    count: int
    failures: int
    expected_error: float
    """Expected calibration error (Guo et al. 2017): mean distance of confidence and success rate over the bins, by count."""
    expected_error_floor: float
    """What perfectly calibrated confidences would score with as many outcomes: chance in the success rates, normal approximation."""
    failure_auroc: float
    """Chance that a failure has less confidence than a success, ties count half; NaN where one of the two never occurs."""

    def as_json(self) -> dict[str, object]:
        """Plain values for a JSON file; null where nothing was measured."""
        fields = {key: _plain(value) for key, value in self.__dict__.items() if key != "bins"}
        return fields | {"bins": [{key: _plain(value) for key, value in entry.__dict__.items()} for entry in self.bins]}


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def measure_calibration(outcomes: Sequence[tuple[float, bool]]) -> Calibration:
    """The calibration of (confidence in [0, 1], failed) pairs, of frames or of whole results, of one run or of many."""
    confidence = np.clip(np.array([pair[0] for pair in outcomes], dtype=np.float64), 0.0, 1.0)
    failed = np.array([pair[1] for pair in outcomes], dtype=bool)
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = tuple(_bin(number, confidence[place == number], failed[place == number]) for number in range(BINS))
    filled = [entry for entry in bins if entry.count]
    total = max(len(failed), 1)
    error = sum(entry.count * abs(entry.mean_confidence - entry.success_rate) for entry in filled) / total
    chance = (entry.count * math.sqrt(2 * entry.mean_confidence * (1 - entry.mean_confidence) / (math.pi * entry.count)) for entry in filled)
    return Calibration(
        bins=bins,
        count=len(failed),
        failures=int(failed.sum()),
        expected_error=error if filled else math.nan,
        expected_error_floor=sum(chance) / total if filled else math.nan,
        failure_auroc=_failure_auroc(confidence, failed),
    )


def _bin(number: int, confidence: Float[np.ndarray, "member"], failed: Bool[np.ndarray, "member"]) -> ReliabilityBin:
    """One bin of the reliability curve."""
    means = (float(confidence.mean()), float(1 - failed.mean())) if len(failed) else (math.nan, math.nan)
    return ReliabilityBin(number / BINS, (number + 1) / BINS, len(failed), *means)


def _failure_auroc(confidence: Float[np.ndarray, "outcome"], failed: Bool[np.ndarray, "outcome"]) -> float:
    """Area under the receiver operating curve of 1 - confidence as a predictor of failure, from ranks (Mann-Whitney)."""
    failures, successes = int(failed.sum()), int((~failed).sum())
    if not failures or not successes:
        return math.nan
    ranks = rankdata(-confidence)
    return float((ranks[failed].sum() - failures * (failures + 1) / 2) / (failures * successes))
