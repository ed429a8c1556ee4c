"""Packages of npm that a few tests use, installed by whoever runs them into a folder outside the repository."""

import os
import shutil
from pathlib import Path

import pytest

VARIABLE = "HOIFIELD_NODE_MODULES"


def require_node_package(name: str) -> Path:
    """The node_modules folder that holds the package; skips the test, and says why, where there is none."""
    folder = Path(os.environ.get(VARIABLE, "node_modules")).absolute()
    if VARIABLE not in os.environ or not (folder / name / "package.json").is_file():
        pytest.skip(f"no {name} in the folder of {VARIABLE} (npm install {name}, then name its node_modules)")
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    return folder
