"""Scores that cannot be mistaken for another convention: each carries unit, alignment, sampling, floor and count."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

Unit = Literal["cm2", "cm", "cm3", "mm", "deg", "percent", "ratio", "m/s3"]


@dataclass(frozen=True)
class Score:
    """One measured value. `value` is NaN where nothing could be measured; then `count` is 0."""

    name: str
    value: float
    unit: Unit
    alignment: str
    """What was fitted before measuring: "none", "rigid+scale ICP", ..."""
    sampling: str
    """Where the value was measured: "30000 area-weighted samples each", "21 joints", ..."""
    count: int
    """Frames (or shapes) that entered the value."""
    total: int
    """Frames (or shapes) of the truth; total - count were not placed by the prediction."""
    floor: float = math.nan
    """What a perfect answer would score under the same sampling."""
    median: float = math.nan
    percentile_90: float = math.nan

    @staticmethod
    def over_frames(
        name: str, values: Float[np.ndarray, "frame"], unit: Unit, alignment: str, sampling: str, floor: float = math.nan
    ) -> "Score":
        """Mean, median and 90th percentile over the finite values; NaN values count as frames not placed."""
        finite = values[np.isfinite(values)]
        mean, median, high = (
            (float(finite.mean()), float(np.median(finite)), float(np.percentile(finite, 90))) if len(finite) else (math.nan,) * 3
        )
        return Score(name, mean, unit, alignment, sampling, len(finite), len(values), floor, median, high)

    def as_json(self) -> dict[str, object]:
        """Plain values for a JSON file; null where nothing was measured."""
        fields: dict[str, object] = {}
        for key, value in self.__dict__.items():
            fields[key] = None if isinstance(value, float) and not math.isfinite(value) else value
        return fields


@dataclass(frozen=True)
class Scorecard:
    """All scores of one prediction against one truth. ValueError for contact without penetration, or the other way round."""

    scores: tuple[Score, ...]

    def __post_init__(self) -> None:
        contact = any(score.name.startswith("contact_f1") for score in self.scores)
        if contact != ("penetration_cm3" in self):
            raise ValueError("contact and penetration are only shown together: an object that left the hand penetrates nothing")

    def __getitem__(self, name: str) -> Score:
        """The score of that name; KeyError where it was not measured."""
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(name)

    def __contains__(self, name: str) -> bool:
        return any(score.name == name for score in self.scores)

    def __iter__(self) -> Iterator[Score]:
        return iter(self.scores)

    def measured(self) -> dict[str, float]:
        """Values by name, without those that could not be measured."""
        return {score.name: score.value for score in self.scores if score.count}

    def as_json(self) -> dict[str, object]:
        """`{"schema": ..., "scores": {name: {value, unit, ...}}}`, ready for json.dumps."""
        return {"schema": "hoifield.scorecard/1", "scores": {score.name: score.as_json() for score in self.scores}}
