"""Batches that are stopped, killed or started twice: the same command goes on, and nothing runs on behind their back."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from drive_pretended import write_clip

from hoifield.batch.batch_folder import BatchFolder
from hoifield.batch.fit_orders import FitOptions
from hoifield.batch.judge_attempts import ClipRecord
from hoifield.batch.run_attempt import RUN_MARK, find_processes
from hoifield.runlog.run_folder import read_journal
from hoifield.storage import read_json_lines

BATCH = (sys.executable, str(Path(__file__).with_name("pretend_batch.py")))
PATIENCE_S = 120.0


def start(clips: list[Path], out: Path, *options: str) -> subprocess.Popen[str]:
    words = [*BATCH, *map(str, clips), "--out", str(out), *options]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def processes(out: Path, clips: int) -> list[int]:
    """The fits that run, once as many as `clips` have left a checkpoint; with what they started."""
    wait_until(lambda: len({checkpoint.parent for checkpoint in out.glob("runs/*/ckpt/*")}) >= clips)
    return [process for run in (out / "runs").iterdir() for process in find_processes(RUN_MARK, str(run))]


def living(numbers: list[int]) -> list[int]:
    return [number for number in numbers if Path(f"/proc/{number}").exists() and "State:\tZ" not in Path(f"/proc/{number}/status").read_text()]


def read_records(out: Path) -> list[ClipRecord]:
    with BatchFolder.open(out, FitOptions().identity()) as folder:
        return list(folder.records.values())


@pytest.fixture
def slow_clips(tmp_path: Path) -> list[Path]:
    return [write_clip(tmp_path / f"{k}.mp4", steps=40, pause_s=0.1, children=True) for k in range(3)]


def require_engine(name: str) -> None:
    if name == "ray" and find_spec("ray") is None:
        pytest.skip("ray is not installed: the same test ran on the serial engine only")


def assert_finishes(clips: list[Path], out: Path, engine: str) -> list[ClipRecord]:
    for clip in clips:
        write_clip(clip, steps=40)
    again = start(clips, out, "--at-once", "3", "--engine", engine)
    assert again.wait(PATIENCE_S) == 0, again.stdout
    records = read_records(out)
    assert [record.outcome for record in records] == ["done"] * len(clips)
    for record in records:
        lines = read_json_lines(out / "runs" / record.name / "metrics.jsonl")
        assert sum("finished" in line for line in lines) == 1
    return records


@pytest.mark.parametrize(
    ("number", "engine"), [(signal.SIGTERM, "serial"), (signal.SIGINT, "serial"), (signal.SIGUSR1, "serial"), (signal.SIGTERM, "ray"), (signal.SIGINT, "ray")]
)
def test_a_signal_lets_fits_save_ends_them_with_their_children_and_exits_75(
    slow_clips: list[Path], tmp_path: Path, number: signal.Signals, engine: str
):
    require_engine(engine)
    out = tmp_path / "out"
    batch = start(slow_clips, out, "--at-once", "3", "--engine", engine)
    found = processes(out, 3)
    started = time.monotonic()
    batch.send_signal(number)
    assert batch.wait(PATIENCE_S) == 75
    assert time.monotonic() - started < 30, "the fits were killed instead of stopping by themselves"
    assert len(found) == 6 and living(found) == []
    assert "HF-RUN-008" in batch.stdout.read()
    assert json.loads((out / "batch.json").read_text())["counts"]["unfinished"] == 3
    before = {record.name: record.progress for record in read_records(out)}
    assert all(record.deaths == 0 for record in read_records(out)), "being stopped is no death"
    records = assert_finishes(slow_clips, out, engine)
    steps = {record.name: [event["step"] for event in read_journal(out / "runs" / record.name) if event["event"] == "checkpoint"] for record in records}
    assert all(steps[name] == list(range(40)) and before[name][1] >= 0 for name in steps), "no checkpoint was made twice"


@pytest.mark.parametrize("engine", ["serial", "ray"])
def test_a_killed_batch_takes_its_fits_with_it_and_the_same_command_goes_on(slow_clips: list[Path], tmp_path: Path, engine: str):
    require_engine(engine)
    out = tmp_path / "out"
    batch = start(slow_clips, out, "--at-once", "3", "--engine", engine)
    found = processes(out, 3)
    fits = [number for number in found if "pretend_fit" in Path(f"/proc/{number}/cmdline").read_text()]
    batch.kill()
    batch.wait()
    wait_until(lambda: not living(fits))
    records = assert_finishes(slow_clips, out, engine)
    assert living(found) == [], "what the fits had started is ended before they start again"
    assert all(record.attempts == 2 for record in records)


def test_fits_killed_at_random_times_by_a_stranger_all_finish(tmp_path: Path):
    out = tmp_path / "out"
    clips = [write_clip(tmp_path / f"{k}.mp4", steps=12, pause_s=0.05) for k in range(4)]
    batch = start(clips, out, "--at-once", "2")
    killed = set()
    while len(killed) < 5:
        advanced = {run for run in out.glob("runs/*") if (run / "ckpt").is_dir() and len(list((run / "ckpt").iterdir())) > 1}
        for process in {process for run in advanced for process in find_processes(RUN_MARK, str(run))} - killed:
            os.kill(process, signal.SIGKILL)
            killed.add(process)
    assert batch.wait(PATIENCE_S) == 0
    records = read_records(out)
    assert [record.outcome for record in records] == ["done"] * 4
    assert sum(record.attempts for record in records) >= 4 + 3


def test_a_second_batch_in_the_same_folder_is_refused_and_the_first_is_not_disturbed(slow_clips: list[Path], tmp_path: Path):
    out = tmp_path / "out"
    batch = start(slow_clips[:1], out)
    processes(out, 1)
    second = start(slow_clips[1:], out)
    assert second.wait(PATIENCE_S) == 77
    assert "HF-RUN-002" in second.stdout.read() and batch.poll() is None
    batch.terminate()
    assert batch.wait(PATIENCE_S) == 75
    assert [record.path for record in read_records(out)] == [str(slow_clips[0])]


def test_a_folder_with_other_things_or_other_options_is_refused_and_left_alone(tmp_path: Path):
    clip = write_clip(tmp_path / "a.mp4")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    foreign = start([clip], tmp_path / "mine")
    assert foreign.wait(PATIENCE_S) == 73 and "HF-RUN-001" in foreign.stdout.read()
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    assert start([clip], tmp_path / "out").wait(PATIENCE_S) == 0
    other = start([clip], tmp_path / "out", "--seed", "1")
    assert other.wait(PATIENCE_S) == 73 and "seed" in other.stdout.read()


def test_strict_is_65_unless_every_clip_is_done(tmp_path: Path):
    good, poor = write_clip(tmp_path / "good.mp4"), write_clip(tmp_path / "poor.mp4", end="degraded")
    assert start([good], tmp_path / "a", "--strict").wait(PATIENCE_S) == 0
    assert start([good, poor], tmp_path / "b").wait(PATIENCE_S) == 0
    assert start([good, poor], tmp_path / "b", "--strict").wait(PATIENCE_S) == 65


def test_a_terminal_shows_what_runs_and_anything_else_plain_lines(tmp_path: Path):
    clips = [write_clip(tmp_path / f"{k}.mp4", steps=5, pause_s=0.2) for k in range(2)]
    plain = start(clips, tmp_path / "plain")
    assert plain.wait(PATIENCE_S) == 0
    lines = plain.stdout.read().splitlines()
    assert [line.split("] ")[0] for line in lines[:2]] == ["[1 of 2", "[2 of 2"] and lines[2].startswith("2 done: ")
    ours, theirs = pty.openpty()
    shown = subprocess.Popen([*BATCH, *map(str, clips), "--out", str(tmp_path / "shown")], stdout=theirs, stderr=theirs)
    os.close(theirs)
    text = b""
    try:
        while part := os.read(ours, 65536):
            text += part
    except OSError:  # how a terminal ends on Linux
        pass
    assert shown.wait(PATIENCE_S) == 0
    assert "running" in text.decode() and "2 clips: 1 done, 1 unfinished" in text.decode() and "seconds of" in text.decode()
