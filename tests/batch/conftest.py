"""Engines for the tests of batches."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from drive_pretended import EngineMaker

from hoifield.batch.serial_engine import SerialEngine


@pytest.fixture(autouse=True)
def found_by_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))


@pytest.fixture(params=["serial", "ray"])
def make_engine(request: pytest.FixtureRequest) -> Iterator[EngineMaker]:
    """Opens an engine for a number of attempts at once."""
    if request.param == "serial":
        yield SerialEngine
        return
    if find_spec("ray") is None:
        pytest.skip("ray is not installed: the same test ran on the serial engine only")
    from hoifield.batch.ray_engine import RayEngine

    yield lambda at_once: RayEngine(None, at_once, on_gpus=False)
