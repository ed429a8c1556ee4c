"""The job script of docs/how_to/many_clips.md, with stand-ins for scontrol and hoifield: it warns the batch and queues itself again."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how_to" / "many_clips.md"
STOPPABLE = "trap 'exit 75' USR1\ntouch started\nwhile true; do sleep 0.1; done\n"


def run_script(folder: Path, hoifield: str, warn: bool) -> tuple[int, str]:
    """(exit code of the script, what scontrol was asked) when `hoifield` is the program given."""
    for name, program in {"hoifield": hoifield, "scontrol": 'echo "$@" >> asked\n'}.items():
        (folder / name).write_text(f"#!/bin/bash\n{program}")
        (folder / name).chmod(0o755)
    (script,) = re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "SLURM_JOB_ID": "4711"}
    job = subprocess.Popen(["bash", "-c", script], cwd=folder, env=environment)
    if warn:
        deadline = time.monotonic() + 30
        while not (folder / "started").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        job.send_signal(signal.SIGUSR1)
    code = job.wait(30)
    return code, (folder / "asked").read_text().strip() if (folder / "asked").exists() else ""


def test_a_warned_job_waits_for_the_batch_and_is_queued_again(tmp_path: Path):
    assert run_script(tmp_path, STOPPABLE, warn=True) == (75, "requeue 4711")


@pytest.mark.parametrize(("code", "asked"), [(0, ""), (65, ""), (69, ""), (74, "requeue 4711")])
def test_only_what_can_go_on_is_queued_again(tmp_path: Path, code: int, asked: str):
    assert run_script(tmp_path, f"exit {code}\n", warn=False) == (code, asked)
