"""wandb gets one clean run built from the run folder, without account or network."""

import socket
import time
from pathlib import Path

import pytest

from hoifield.errors import ConfigurationError, MissingInput
from hoifield.runlog.metrics_log import MetricsLog
from hoifield.runlog.run_folder import RunFolder
from hoifield.runlog.wandb_log import choose_mode, flatten_identity, sync_metrics


def test_an_offline_run_holds_every_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    with RunFolder.open(tmp_path / "run", {"clip": "wild1", "options": {"a.b": 1}}) as run:
        log = MetricsLog(run.path / "metrics.jsonl")
        for step in range(5):
            log.scalars(step, {"train/loss": 1.0 / (step + 1), "eval/psnr": float("inf") if step == 0 else 20.0 + step})
        run_id = run.run_id
    assert sync_metrics(tmp_path / "run") == "offline"
    (written,) = (tmp_path / "run" / "wandb").glob(f"offline-run-*/run-{run_id}.wandb")
    # wandb's service process writes the file to its end shortly after finish() has returned.
    deadline = time.monotonic() + 20.0
    while written.read_bytes().count(b"train/loss") < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    content = written.read_bytes()
    assert content.count(b"train/loss") >= 5
    assert str(tmp_path).encode() not in content
    assert socket.gethostname().encode() + b"r" not in content
    assert b"options/a_b" in content


def test_a_run_without_metrics_is_named_as_such(tmp_path: Path) -> None:
    RunFolder.open(tmp_path, {"clip": "a"}).close()
    with pytest.raises(MissingInput, match="HF-RUN-007"):
        sync_metrics(tmp_path)


def test_an_unreachable_server_means_offline_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
        started = time.monotonic()
        assert choose_mode("online") == "offline"
        assert time.monotonic() - started < 5.0


def test_a_server_that_answers_means_online(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("WANDB_MODE", "online")
        assert choose_mode(None) == "online"
        assert choose_mode("offline") == "offline"


def test_an_unknown_mode_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "sideways")
    with pytest.raises(ConfigurationError, match="HF-RUN-010"):
        choose_mode(None)


def test_config_keys_are_flat_and_free_of_dots() -> None:
    assert flatten_identity({"a.b": {"c": 1, "d.e": [1, 2]}, "f": None}) == {"a_b/c": 1, "a_b/d_e": "[1, 2]", "f": None}
