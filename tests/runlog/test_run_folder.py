"""Run folders under two owners, kills, damage, foreign files and hostile names."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hoifield import storage
from hoifield.errors import CannotCreateOutput, Interrupted, Locked, RefusedInput
from hoifield.runlog.run_folder import RunFolder, read_journal
from hoifield.runlog.stop_request import StopRequest

IDENTITY = {"clip": "wild1", "sha256": "ab" * 32, "options": {"preset": "draft", "seed": 3}}
HOSTILE_NAMES = ["with space", "line\nbreak", "-rf", "$(touch canary).mp4", "héllo ☃ \u202etxt", "a" * 200, "';--", "%s%n", "\udcff\udcfe"]


def write_weights(folder: Path, content: bytes = b"weights" * 100) -> None:
    (folder / "model.bin").write_bytes(content)


def test_a_new_folder_is_created_and_the_same_identity_resumes(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path / "deep" / "run", IDENTITY) as run:
        assert not run.resumed
        first = run.run_id
    record = json.loads((tmp_path / "deep" / "run" / "run.json").read_text())
    assert record["schema"] == "hoifield.run/1"
    assert record["identity"] == IDENTITY
    assert "numpy" in record["versions"]
    with RunFolder.open(tmp_path / "deep" / "run", IDENTITY) as run:
        assert run.resumed
        assert run.run_id == first
    assert [event["event"] for event in read_journal(tmp_path / "deep" / "run")] == ["created", "resumed"]


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, IDENTITY) as run:
        assert not run.resumed


def test_another_identity_is_refused_and_the_difference_named(tmp_path: Path) -> None:
    RunFolder.open(tmp_path, IDENTITY).close()
    with pytest.raises(CannotCreateOutput, match="it differs in options/preset") as refusal:
        RunFolder.open(tmp_path, {**IDENTITY, "options": {"preset": "fine", "seed": 3}})
    assert (refusal.value.code, refusal.value.exit_code) == ("HF-RUN-003", 73)
    RunFolder.open(tmp_path, IDENTITY).close()


def test_a_foreign_folder_is_refused_and_nothing_in_it_changes(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("work")
    (tmp_path / "LOCK").write_text("someone's own")
    with pytest.raises(CannotCreateOutput, match="HF-RUN-001"):
        RunFolder.open(tmp_path, IDENTITY)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"thesis.tex": "work", "LOCK": "someone's own"}


def test_a_file_cannot_be_a_run_folder(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.write_text("x")
    with pytest.raises(CannotCreateOutput, match="is a file"):
        RunFolder.open(path, IDENTITY)


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
def test_hostile_folder_names_are_only_names(tmp_path: Path, name: str) -> None:
    with RunFolder.open(tmp_path / name, IDENTITY) as run:
        run.run_stage("observe", "k", write_weights)
    assert [os.fsencode(path.name) for path in tmp_path.iterdir()] == [os.fsencode(name)]


def test_a_second_process_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, IDENTITY):
        with pytest.raises(Locked, match=f"process {os.getpid()} works") as refusal:
            RunFolder.open(tmp_path, IDENTITY)
        assert refusal.value.exit_code == 77
    RunFolder.open(tmp_path, IDENTITY).close()


def test_of_two_processes_at_a_time_exactly_one_wins(tmp_path: Path) -> None:
    program = [sys.executable, str(Path(__file__).parents[1] / "crash_scenarios.py"), "race", str(tmp_path)]
    finished = subprocess.run(program, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(finished.stdout) == [[77, 0]] * 10


def test_a_killed_owner_frees_the_folder_and_its_leftovers_are_cleared(tmp_path: Path) -> None:
    program = (
        "import sys, time, pathlib\n"
        "from hoifield.runlog.run_folder import RunFolder\n"
        "run = RunFolder.open(pathlib.Path(sys.argv[1]), {'clip': 'a'})\n"
        "run.run_stage('observe', 'k', lambda folder: (folder / 'a').write_bytes(b'1') and None)\n"
        "def slow(folder):\n"
        "    (folder / 'half').write_bytes(b'1')\n"
        "    print('writing', flush=True)\n"
        "    time.sleep(60)\n"
        "run.run_stage('fit', 'k', slow)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "writing\n"
    child.kill()
    child.wait()
    ran = []
    with RunFolder.open(tmp_path / "run", {"clip": "a"}) as run:
        assert run.resumed
        run.run_stage("observe", "k", lambda folder: ran.append("observe"))
        run.run_stage("fit", "k", lambda folder: ran.append("fit") or write_weights(folder))
        assert [path.name for path in (run.path / "stages" / "fit").iterdir()] == ["k"]
    assert ran == ["fit"], "the finished stage is reused, the unfinished one runs again"


def test_a_damaged_stage_runs_again_and_the_damage_is_kept_and_journalled(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, IDENTITY) as run:
        folder = run.run_stage("observe", "k", write_weights)
        (folder / "model.bin").write_bytes(b"weightz" * 100)
        assert run.run_stage("observe", "k", write_weights) == folder
        storage.verify_committed(folder)
        assert (folder / "model.bin").read_bytes() == b"weights" * 100
        assert len(list((tmp_path / "quarantine").iterdir())) == 1
    assert "quarantined" in [event["event"] for event in read_journal(tmp_path)]


def test_two_checkpoints_are_kept_and_a_damaged_one_falls_back(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, IDENTITY) as run:
        assert run.latest_checkpoint() is None
        for step in (100, 200, 300):
            run.commit_checkpoint(step, lambda folder, step=step: write_weights(folder, b"%d" % step))
        assert [path.name for path in run.checkpoint_folders()] == ["000000200", "000000300"]
        (run.checkpoint_folders()[-1] / "model.bin").write_bytes(b"3OO")
        latest = run.latest_checkpoint()
        assert latest is not None and latest.name == "000000200"
        run.commit_checkpoint(300, lambda folder: write_weights(folder, b"300"))
        assert [path.name for path in run.checkpoint_folders()] == ["000000200", "000000300"]
    assert "quarantined" in [event["event"] for event in read_journal(tmp_path)]


def test_a_damaged_run_record_is_refused(tmp_path: Path) -> None:
    RunFolder.open(tmp_path, IDENTITY).close()
    (tmp_path / "run.json").write_text('{"schema": "hoifield.run/1", "identity": ')
    with pytest.raises(RefusedInput, match="HF-RUN-004"):
        RunFolder.open(tmp_path, IDENTITY)


def test_the_journal_leaves_out_events_that_were_altered(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, IDENTITY) as run:
        run.journal({"event": "a"})
        run.journal({"event": "b"})
    path = tmp_path / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"event":"a"', b'"event":"z"'))
    assert [event["event"] for event in read_journal(tmp_path)] == ["created", "b"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser ignores mode bits")
def test_a_read_only_parent_is_refused_before_any_work(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(CannotCreateOutput):
            RunFolder.open(tmp_path / "run", IDENTITY)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_seen_at_the_next_step_and_exits_75(number: signal.Signals) -> None:
    with StopRequest() as stop:
        stop.raise_if_requested()
        os.kill(os.getpid(), number)
        deadline = time.monotonic() + 5.0
        while not stop.requested and time.monotonic() < deadline:
            pass
        with pytest.raises(Interrupted, match=number.name) as stopped:
            stop.raise_if_requested()
        assert stopped.value.exit_code == 75
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_second_interrupt_stops_at_once() -> None:
    def press_twice() -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)

    with StopRequest(), pytest.raises(KeyboardInterrupt):
        press_twice()


def test_what_differs_is_named_by_option_and_value_and_options_that_came_later_do_not_differ(tmp_path: Path):
    there = {"clip": "a" * 64, "observe": {"masks": "b" * 64, "hand": "auto"}, "seed": 0}
    RunFolder.open(tmp_path / "run", there).close()
    with pytest.raises(CannotCreateOutput) as refusal:
        RunFolder.open(tmp_path / "run", {**there, "observe": {"masks": None, "hand": "left", "template": None}})
    named = "it differs in observe/hand (auto there, left asked), observe/masks (bbbbbbbbbbbb... there, none asked)"
    assert refusal.value.cause.endswith(named)
    RunFolder.open(tmp_path / "run", {**there, "observe": {**there["observe"], "template": None}}).close()
