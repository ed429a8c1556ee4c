"""What keeps Ray from being used, said before anything is written; and what a worker that dies comes to."""

import os
import signal
import sys
import threading
import time
from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
from drive_pretended import run_batch, write_clip

from hoifield.batch import ray_engine
from hoifield.batch.ray_engine import RayEngine, require_ray, require_token
from hoifield.cli import main
from hoifield.errors import ConfigurationError, InputOutputFailure, MissingDependency


@pytest.mark.parametrize("found", [None, "2.51.1", "1.13.0"])
def test_a_missing_or_old_ray_is_69_with_the_command_that_installs_it_and_leaves_nothing_behind(
    found: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    def version(name: str) -> str:
        if found is None:
            raise PackageNotFoundError(name)
        return found

    monkeypatch.setattr(ray_engine, "version", version)
    with pytest.raises(MissingDependency) as missing:
        require_ray()
    assert missing.value.code == "HF-BAT-004" and "pip install 'hoifield[ray]'" in missing.value.remedy
    assert main.run(["batch", "clip.mp4", "--out", str(tmp_path / "out"), "--engine", "ray"]) == 69
    assert capsys.readouterr().err.startswith("HF-BAT-004") and not (tmp_path / "out").exists()


def test_versions_are_compared_as_numbers(monkeypatch: pytest.MonkeyPatch):
    for number in ("2.52.0", "2.100.1", "3.0.0.dev0"):
        monkeypatch.setattr(ray_engine, "version", lambda name, number=number: number)
        require_ray()


def test_a_cluster_that_asks_for_no_token_is_78_and_this_machine_needs_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    require_token(None)
    require_token("local")
    with pytest.raises(ConfigurationError) as refusal:
        require_token("head:6379")
    assert refusal.value.code == "HF-BAT-005" and "RAY_AUTH_MODE=token" in refusal.value.remedy
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    require_token("head:6379")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:99999", "no-such-host.invalid:6379"])
def test_a_place_where_no_cluster_answers_is_69_at_once(address: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ray_engine, "version", lambda name: "2.52.0")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with pytest.raises(MissingDependency) as missing:
        RayEngine(address, None, on_gpus=False)
    assert missing.value.code == "HF-BAT-006" and address in missing.value.cause


def test_a_ray_that_does_not_start_is_74(monkeypatch: pytest.MonkeyPatch):
    def init(**options: object) -> None:
        raise Exception("The current node timed out during startup.\nlong story")

    ray = ModuleType("ray")
    ray.init = init  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(ray_engine, "version", lambda name: "2.52.0")
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"):
        monkeypatch.setenv(name, "")  # put back afterwards
    with pytest.raises(InputOutputFailure) as failure:
        RayEngine(None, 1, on_gpus=False)
    assert failure.value.code == "HF-BAT-011" and failure.value.cause.endswith("timed out during startup.")


def require_ray_here() -> None:
    """Skips without Ray; does not import it, because the engine sets what Ray reads when it is imported."""
    if find_spec("ray") is None:
        pytest.skip("ray is not installed: its workers and sockets were not tested")


def listening_everywhere() -> set[str]:
    """Sockets of this machine that listen on other addresses than its own."""
    lines = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    own = ("0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F")
    return {words[1] for words in lines if words[3] == "0A" and words[1].partition(":")[0] not in own}


def test_ray_on_this_machine_listens_to_this_machine_alone_and_asks_for_a_token():
    require_ray_here()
    before = listening_everywhere()
    engine = RayEngine(None, 1, on_gpus=False)
    try:
        assert listening_everywhere() - before == set()
        assert os.environ["RAY_AUTH_MODE"] == "token" and len(os.environ["RAY_AUTH_TOKEN"]) >= 32
    finally:
        engine.stop()


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
    require_ray_here()
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
