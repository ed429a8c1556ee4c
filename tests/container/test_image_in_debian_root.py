"""The image, built step by step in a Debian root and used as its README says; asked for, since it takes minutes, root and 10 GB."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "docker" / "build_in_debian_root.py"
VARIABLE = "HOIFIELD_TEST_CONTAINER"
PROGRAMS = ("debootstrap", "buildah", "podman", "runc")


def require_builder() -> None:
    """Skips the test, and says why, where it was not asked for or cannot be run."""
    if os.environ.get(VARIABLE) != "1":
        pytest.skip(f"builds a container image, which takes minutes and 10 GB: set {VARIABLE}=1")
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (apt-get install {' '.join(missing)})")
    if os.geteuid() != 0:
        pytest.skip("debootstrap needs the rights of root")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_step_runs_and_a_clip_is_fitted_by_an_ordinary_user_without_network(tmp_path: Path):
    require_builder()
    figures = tmp_path / "figures.json"
    subprocess.run([sys.executable, str(SCRIPT), "--work", str(tmp_path), "--json", str(figures)], check=True)
    found = json.loads(figures.read_text(encoding="utf-8"))
    assert (found["user"], found["owners"], found["networks"], found["capabilities"]) == (10001, [10001], ["lo"], "none")
    assert (found["fit_exit"], found["kernels_compiled_again"], found["doctor_missing"]) == (0, 0, 0)
    assert os.listdir(tmp_path) == ["figures.json"], "the script leaves its folder behind"


def test_the_script_says_what_is_missing(tmp_path: Path):
    finished = subprocess.run([sys.executable, str(SCRIPT)], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert finished.returncode == 69
    assert finished.stderr.startswith("missing: debootstrap, buildah, podman, runc")
    assert "apt-get install" in finished.stderr
