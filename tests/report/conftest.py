"""The result made by hand, shared with tests/result, and a short clip."""

import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "result"))

from handmade_result import handmade_result

from hoifield.clip.clip import Clip
from hoifield.clip.open_clip import open_clip
from hoifield.result.fit_result import FitResult
from hoifield.result.result_folder import write_result

CLIP_FRAMES = 14


@pytest.fixture(scope="session")
def result() -> FitResult:
    """12 frames; no object pose in frames 4 and 5."""
    return handmade_result()


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """14 grey frames of 320 x 240, two more than were fitted."""
    path = tmp_path_factory.mktemp("clip") / "grey.mp4"
    texture = np.random.default_rng(0).integers(110, 130, (240, 320, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for frame in range(CLIP_FRAMES):
            picture = av.VideoFrame.from_ndarray(np.roll(texture, 3 * frame, axis=1), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return open_clip(path)


@pytest.fixture
def run_folder(tmp_path: Path, result: FitResult) -> Path:
    """A run folder that holds a result."""
    write_result(tmp_path / "run" / "result", replace(result, summary={**result.summary, "status": "ok"}))
    return tmp_path / "run"
