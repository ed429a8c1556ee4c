"""Shared fixtures: one thread, a cache folder of the run, and the real clips where they lie."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

REAL_DATA = Path(os.environ.get("HOIFIELD_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real clips and meshes; tests that need it skip, and say so, where it is absent."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real data at {REAL_DATA} (set HOIFIELD_TEST_DATA)")
    return REAL_DATA
