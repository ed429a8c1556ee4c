"""A run folder says what became of its run, however it ended."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import recorded_runs
from recorded_runs import KILLED_AT, make_grey_clip, open_run, record_failed_run, record_finished_run, record_refused_run

from hoifield.runlog.metrics_log import read_metrics
from hoifield.runlog.run_folder import read_journal
from hoifield.runlog.run_standing import find_stage_pictures, read_standing


def test_each_ending_is_told_apart(tmp_path: Path) -> None:
    record_finished_run(tmp_path / "good", make_grey_clip(tmp_path / "grey.mp4"))
    record_refused_run(tmp_path / "refused")
    record_failed_run(tmp_path / "failed")
    record_failed_run(tmp_path / "stopped", stopped=True)
    open_run(tmp_path / "killed").close()
    (tmp_path / "absent").mkdir()
    standings = {path.name: read_standing(path) for path in tmp_path.iterdir() if path.is_dir()}
    assert {name: standing.status for name, standing in standings.items()} == {
        "good": "ok", "refused": "refused", "failed": "failed", "stopped": "stopped", "killed": "killed", "absent": "absent",
    }  # fmt: skip
    assert [standings[name].reasons[0]["code"] for name in ("refused", "failed", "stopped", "killed")] == [
        "HF-RDY-001", "HF-RES-013", "HF-FIT-004", "HF-RUN-015",
    ]  # fmt: skip
    assert standings["good"].clip["name"] == "grey" and standings["good"].config["preset"] == "draft"
    assert [(step, stage) for step, stage, _ in find_stage_pictures(tmp_path / "good")] == [(9, "coarse"), (19, "final")]


def test_a_run_at_work_is_running_and_a_killed_one_is_not(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(recorded_runs.__file__).parents[1])}
    killed = subprocess.run([sys.executable, recorded_runs.__file__, str(tmp_path)], env=environment, capture_output=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert read_standing(tmp_path).status == "killed" and read_metrics(tmp_path / "metrics.jsonl")[-1].step == KILLED_AT - 1
    with open_run(tmp_path):
        assert read_standing(tmp_path).status == "running"


def test_a_failure_is_forgotten_once_the_run_goes_on(tmp_path: Path) -> None:
    record_failed_run(tmp_path)
    open_run(tmp_path).close()
    assert read_standing(tmp_path).status == "killed"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError("division by zero")])
def test_other_errors_are_journalled_by_their_name_and_go_on(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), open_run(tmp_path):
        raise error
    assert read_journal(tmp_path)[-1]["code"] == type(error).__name__
    assert read_standing(tmp_path).status == ("stopped" if isinstance(error, KeyboardInterrupt) else "failed")


def test_a_disk_that_refuses_the_journal_hides_no_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), open_run(tmp_path) as run:
        journal = run.path / "journal.jsonl"
        journal.unlink()
        journal.mkdir()
        raise ZeroDivisionError
