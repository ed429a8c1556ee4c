"""Two processes as `accelerate launch` starts them, on the CPU."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def launch_two(words: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    """What became of `accelerate launch` of these words; nothing of the user's configuration is read. Skips, and says so, without accelerate."""
    if find_spec("accelerate") is None:
        pytest.skip("accelerate is not installed: training in several processes was not tested")
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1", "--main_process_port", "0"]
    told = {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HF_HOME": str(home)}
    return subprocess.run([*launcher, *words], env={**os.environ, **told}, cwd=ROOT, capture_output=True, text=True, timeout=300)
