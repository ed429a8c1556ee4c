"""What keeps Ray from being used, said before anything is written; and what a worker that dies comes to."""

import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import pytest
from drive_pretended import run_batch, write_clip

from hoifield.batch.ray_engine import RayEngine, require_ray, require_token
from hoifield.cli import main
from hoifield.errors import ConfigurationError, MissingDependency


def stand_in(version: str) -> ModuleType:
    module = ModuleType("ray")
    module.__version__ = version  # type: ignore[attr-defined]
    return module


@pytest.mark.parametrize("found", [None, stand_in("2.51.1"), stand_in("1.13.0")])
def test_a_missing_or_old_ray_is_69_with_the_command_that_installs_it_and_leaves_nothing_behind(
    found: ModuleType | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setitem(sys.modules, "ray", found)
    with pytest.raises(MissingDependency) as missing:
        require_ray()
    assert missing.value.code == "HF-BAT-004" and "pip install 'hoifield[ray]'" in missing.value.remedy
    assert main.run(["batch", "clip.mp4", "--out", str(tmp_path / "out"), "--engine", "ray"]) == 69
    assert capsys.readouterr().err.startswith("HF-BAT-004") and not (tmp_path / "out").exists()


def test_versions_are_compared_as_numbers(monkeypatch: pytest.MonkeyPatch):
    for version in ("2.52.0", "2.100.1", "3.0.0.dev0"):
        monkeypatch.setitem(sys.modules, "ray", stand_in(version))
        assert require_ray().__version__ == version


def test_a_cluster_that_asks_for_no_token_is_78_and_this_machine_needs_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    require_token(None)
    require_token("local")
    with pytest.raises(ConfigurationError) as refusal:
        require_token("head:6379")
    assert refusal.value.code == "HF-BAT-005" and "RAY_AUTH_MODE=token" in refusal.value.remedy
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    require_token("head:6379")


def worker_of_a_fit() -> int | None:
    """The Ray worker whose child is a fit."""
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and b"pretend_fit" in (entry / "cmdline").read_bytes():
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if b"ray::" in Path(f"/proc/{parent}/cmdline").read_bytes():
                    return parent
        except OSError:
            continue
    return None


def test_a_killed_ray_worker_takes_its_fit_with_it_and_the_clip_goes_on(tmp_path: Path):
    pytest.importorskip("ray", reason="ray is not installed: what a dead worker comes to was not tested")
    clip = write_clip(tmp_path / "a.mp4", steps=30, pause_s=0.1)

    def kill_once() -> None:
        while not list((tmp_path / "out").glob("runs/*/ckpt/*")) or (worker := worker_of_a_fit()) is None:
            time.sleep(0.05)
        os.kill(worker, signal.SIGKILL)

    killer = threading.Thread(target=kill_once, daemon=True)
    killer.start()
    found = run_batch([clip], tmp_path / "out", RayEngine(None, 1, on_gpus=False))["a.mp4"]
    assert not killer.is_alive()
    assert found.outcome == "done" and found.attempts == 2 and found.progress[1] == 29
