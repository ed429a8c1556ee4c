"""Finding a run's clip again: only where it lies unchanged."""

from pathlib import Path

from hoifield.pipelines.write_outputs import find_clip
from hoifield.runlog.run_folder import RunFolder


def run_of(folder: Path, clip: Path | None) -> Path:
    with RunFolder.open(folder, {"clip": "0" * 64}) as run:
        if clip is not None:
            run.journal({"event": "clip", "path": str(clip)})
    return folder


def test_a_run_whose_clip_was_never_noted_or_is_gone_has_no_clip(tmp_path: Path):
    assert find_clip(run_of(tmp_path / "a", None)) is None
    assert find_clip(run_of(tmp_path / "b", tmp_path / "gone.mp4")) is None
