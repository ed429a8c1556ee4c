"""metrics.jsonl, the record of training: one line per step, name and value. wandb is rebuilt from it, never the other way round."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoifield import storage
from hoifield.errors import RefusedInput


@dataclass(frozen=True)
class Metric:
    """One logged value; it may be infinite or not a number, and then says so."""

    step: int
    name: str
    value: float


class MetricsLog:
    """Appends scalars to a metrics.jsonl; one writer at a time, which the lock of the run folder sees to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def scalar(self, step: int, name: str, value: float) -> None:
        """Adds one value. Values that are not finite are kept as text, because JSON has none and a lost divergence misleads."""
        metric = Metric(int(step), name, float(value))
        written: float | None = metric.value if math.isfinite(metric.value) else None
        record: dict[str, Any] = {"step": metric.step, "name": name, "value": written}
        if written is None:
            record["not_finite"] = repr(metric.value)
        storage.append_json_line(self.path, record, durable=False)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Adds several values of one step."""
        for name, value in values.items():
            self.scalar(step, name, value)


def read_metrics(path: Path) -> list[Metric]:
    """The metrics of a run by step, then by first appearance. Steps repeated after a resume count once, with the last value.

    Raises RefusedInput HF-RUN-006 for a line that is no metric.
    """
    latest: dict[tuple[int, str], Metric] = {}
    for number, record in enumerate(storage.read_json_lines(path), start=1):
        try:
            value = float(record["not_finite"]) if record["value"] is None else float(record["value"])
            metric = Metric(int(record["step"]), str(record["name"]), value)
        except (KeyError, TypeError, ValueError) as error:
            raise RefusedInput("HF-RUN-006", f"line {number} of {path} is not a metric", "restore the file from a copy") from error
        latest[(metric.step, metric.name)] = metric
    return sorted(latest.values(), key=lambda metric: metric.step)
