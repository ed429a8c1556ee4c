"""metrics.jsonl as the record of training, and what wandb gets from it."""

import json
import math
from pathlib import Path

import pytest

from hoifield.errors import RefusedInput
from hoifield.runlog.metrics_log import Metric, MetricsLog, read_metrics
from hoifield.runlog.provenance import package_versions


def test_values_come_back_exactly_and_in_order(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.scalar(0, "train/loss", 0.1 + 0.2)
    log.scalars(1, {"train/loss": 1e-300, "train/psnr": 31.5})
    assert read_metrics(log.path) == [Metric(0, "train/loss", 0.1 + 0.2), Metric(1, "train/loss", 1e-300), Metric(1, "train/psnr", 31.5)]


def test_a_value_that_is_not_finite_is_recorded_as_such_in_valid_json(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.scalar(0, "psnr", math.inf)
    log.scalar(0, "loss", math.nan)
    for line in log.path.read_text().splitlines():
        assert json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))["value"] is None
    psnr, loss = read_metrics(log.path)
    assert psnr.value == math.inf
    assert math.isnan(loss.value)


def test_steps_repeated_after_a_resume_count_once(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    for step in (0, 1, 2, 3):
        log.scalar(step, "loss", 10.0 - step)
    with log.path.open("ab") as stream:
        stream.write(b'{"step":4,"na')
    resumed = MetricsLog(tmp_path / "metrics.jsonl")
    for step in (2, 3, 4):
        resumed.scalar(step, "loss", 20.0 - step)
    assert [(metric.step, metric.value) for metric in read_metrics(log.path)] == [(0, 10.0), (1, 9.0), (2, 18.0), (3, 17.0), (4, 16.0)]


def test_a_line_that_is_no_metric_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": "x", "name": "loss", "value": 1}\n')
    with pytest.raises(RefusedInput, match="HF-RUN-006"):
        read_metrics(path)


def test_versions_name_what_results_depend_on_and_no_host_or_user() -> None:
    versions = package_versions()
    assert {"hoifield", "python", "numpy", "torch"} <= set(versions)
    assert str(Path.home()) not in json.dumps(versions)
