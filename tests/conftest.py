"""Shared fixtures: one thread, a cache folder of the run, and the real clips where they lie."""

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
if not torch.cuda.is_available():
    # Triton's kernels then run in its interpreter, on the CPU; it is told before they are imported.
    os.environ.setdefault("TRITON_INTERPRET", "1")
if "PYTEST_XDIST_WORKER" in os.environ:
    # The workers share the cores: each keeps to one.
    torch.set_num_threads(1)

REAL_DATA = Path(os.environ.get("HOIFIELD_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real clips and meshes; tests that need it skip, and say so, where it is absent."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real data at {REAL_DATA} (set HOIFIELD_TEST_DATA)")
    return REAL_DATA


@pytest.fixture
def sam2_stand_in(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`sam2.build_sam` of tests/stand_ins, importable as the real one would be; `built` holds the predictors that were asked for."""
    for name in [name for name in sys.modules if name.split(".")[0] == "sam2"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "stand_ins"))
    module = importlib.import_module("sam2.build_sam")
    for name in ("sam2", "sam2.build_sam"):
        monkeypatch.setitem(sys.modules, name, sys.modules.pop(name))
    return module
