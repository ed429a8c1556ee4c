"""One attempt: what it starts ends with it, and nothing else does."""

import json
import os
import sys
import time
from pathlib import Path

from drive_pretended import PROGRAM, write_clip

from hoifield.batch.judge_attempts import NO_PROGRESS, AttemptEnding
from hoifield.batch.run_attempt import RUN_MARK, Attempt, AttemptOrder, find_processes, read_progress, stop_attempts
from hoifield.storage import commit_directory


def wait_for(attempt: Attempt) -> AttemptEnding:
    deadline = time.monotonic() + 60
    while (ending := attempt.poll()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return ending


def order(tmp_path: Path, *command: str) -> AttemptOrder:
    return AttemptOrder("clip", command, str(tmp_path / "run"), str(tmp_path / "logs" / "clip.log"))


def test_progress_is_ordered_as_a_run_goes_on(tmp_path: Path):
    seen = [read_progress(tmp_path)]
    for place in ("stages/observe/0123", "ckpt/000000005", "ckpt/000000010", "result", "report"):
        commit_directory(tmp_path / place, lambda folder: (folder / "file").write_text("content"))
        seen.append(read_progress(tmp_path))
    assert seen[0] == NO_PROGRESS and seen == sorted(set(seen))
    (tmp_path / "ckpt" / "000000015").mkdir()
    assert read_progress(tmp_path) == seen[-1], "a folder without DONE is no checkpoint"


def test_a_log_that_cannot_be_written_is_an_ending_with_its_code(tmp_path: Path):
    (tmp_path / "logs").write_text("a file where a folder should be")
    ending = wait_for(Attempt(order(tmp_path, "true"), {}))
    assert ending.exit_code == 73 and ending.codes == ("HF-OUT-002",)


def test_a_fit_that_does_not_listen_is_killed_after_a_while(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("hoifield.batch.run_attempt.GRACE_S", 0.5)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('ready', 'w'); time.sleep(600)"
    monkeypatch.chdir(tmp_path)
    attempt = Attempt(order(tmp_path, sys.executable, "-c", deaf), {})
    while not (tmp_path / "ready").exists():
        time.sleep(0.02)
    ((name, ending),) = stop_attempts([attempt])
    assert name == "clip" and ending.exit_code == -9 and not list(find_processes(RUN_MARK, str(tmp_path / "run")))


def test_an_attempt_of_a_dead_batch_does_not_end_the_one_that_took_over(tmp_path: Path):
    write_clip(tmp_path / "a.mp4", steps=20, pause_s=0.1)
    command = (*PROGRAM, "--video", str(tmp_path / "a.mp4"), "--out", str(tmp_path / "run"))
    old = Attempt(order(tmp_path, *command), {})
    while not list((tmp_path / "run").glob("ckpt/*")):
        time.sleep(0.02)
    new = Attempt(order(tmp_path, *command), {})
    assert wait_for(old).exit_code == -9
    assert wait_for(new).exit_code == 0


def test_signals_that_the_scheduler_had_ignored_reach_the_fit(tmp_path: Path):
    show = "import signal, json; print(json.dumps([signal.getsignal(n) == signal.SIG_DFL for n in (signal.SIGTERM, signal.SIGUSR1)]))"
    program = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGUSR1, signal.SIG_IGN)\n"
        "from hoifield.batch.run_attempt import Attempt, AttemptOrder\n"
        f"attempt = Attempt(AttemptOrder('clip', (sys.executable, '-c', {show!r}), {str(tmp_path / 'run')!r}, {str(tmp_path / 'log')!r}), {{}})\n"
        "while attempt.poll() is None: time.sleep(0.02)\n"
    )
    assert os.spawnl(os.P_WAIT, sys.executable, sys.executable, "-c", program) == 0
    assert json.loads((tmp_path / "log").read_text()) == [True, True]
