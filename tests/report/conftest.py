"""The result made by hand, shared with tests/result, and a short clip."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "result"))

from handmade_result import handmade_result
from recorded_runs import make_grey_clip

from hoifield.clip.clip import Clip
from hoifield.result.fit_result import FitResult
from hoifield.result.result_folder import write_result


@pytest.fixture(scope="session")
def result() -> FitResult:
    """12 frames; no object pose in frames 4 and 5."""
    return handmade_result()


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """14 grey frames of 320 x 240, two more than were fitted."""
    return make_grey_clip(tmp_path_factory.mktemp("clip") / "grey.mp4")


@pytest.fixture
def run_folder(tmp_path: Path, result: FitResult) -> Path:
    """A run folder that holds a result."""
    write_result(tmp_path / "run" / "result", replace(result, summary={**result.summary, "status": "ok"}))
    return tmp_path / "run"
