"""A run is exported for other programs with what they need beside the result, and says what is missing."""

import os
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "result"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "actors"))

from handmade_result import handmade_result
from mano_like import mano_like_arrays

from hoifield.cli.look_commands import ExportCommand
from hoifield.clip.open_clip import open_clip
from hoifield.errors import MissingInput, UsageError
from hoifield.pipelines.bring_clip import bring_clip
from hoifield.pipelines.export_run import RunFormat, export_run
from hoifield.result.result_folder import write_result
from hoifield.runlog.run_folder import RunFolder

SEQUENCE = "arctic_s03_box_grab_01_1"
ROOT = Path(__file__).resolve().parents[2]
SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "how_to" / "take_results_elsewhere.md").read_text(), re.DOTALL)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run with a MANO hand on 12 pictures; frames 4 and 5 have no object."""
    monkeypatch.setenv("HOIFIELD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOIFIELD_MANO_DIR", str(tmp_path))
    np.savez(tmp_path / "MANO_RIGHT.npz", **mano_like_arrays(), hands_mean=np.full(45, 0.1), hands_components=np.eye(45))
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for frame in range(12):
        cv2.imwrite(str(pictures / f"{frame:03d}.png"), np.full((240, 320, 3), 10 * frame, dtype=np.uint8))
    result = handmade_result()
    folder = tmp_path / SEQUENCE
    with RunFolder.open(folder, {"clip": open_clip(pictures).sha256}) as opened:
        opened.journal({"event": "clip", "path": str(pictures)})
    write_result(folder / "result", replace(result, hands=(replace(result.hands[0], actor="mano"),)))
    masks = folder / "stages" / "observe" / "key" / "masks"
    masks.mkdir(parents=True)
    for frame in range(12):
        cv2.imwrite(str(masks / f"{frame:06d}.png"), np.full((240, 320), 1, dtype=np.uint8))
    return folder


def test_holds_folder_can_be_fitted_again(run: Path) -> None:
    build = export_run(run, "hold", None).path
    named = bring_clip(build, None, None)
    assert named.name == SEQUENCE and open_clip(named.video).frame_count == 10
    assert (build / "corres.txt").read_text().split()[4] == "000006.png"
    np.testing.assert_allclose([float(word) for word in named.intrinsics.split(",")], [400, 400, 160, 120], atol=1e-3)


def test_a_clip_that_is_gone_is_named_as_missing(run: Path, tmp_path: Path) -> None:
    (tmp_path / "pictures" / "000.png").unlink()
    with pytest.raises(MissingInput) as raised:
        export_run(run, "hold", None)
    assert raised.value.code == "HF-EXP-003" and not (run / "exports").exists()


def test_a_run_adds_its_sequence_to_the_submission(run: Path, tmp_path: Path) -> None:
    path = export_run(run, "arctic", tmp_path / "arctic_preds.zip").path
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [f"arctic_preds/{SEQUENCE}.pt"]


def test_a_run_of_another_name_is_no_sequence(run: Path) -> None:
    other = run.rename(run.parent / "mug")
    with pytest.raises(UsageError) as raised:
        export_run(other, "arctic", None)
    assert raised.value.code == "HF-SET-010"


@pytest.mark.parametrize(
    ("kind", "frames", "name"),
    [
        ("ply", False, ".ply"), ("npz", False, ".npz"), ("mano", False, "_mano.npz"), ("ply", True, "_ply"),
        ("obj", True, "_obj"), ("colmap", False, "_colmap"), ("nerfstudio", False, "_nerfstudio"),
    ],
)  # fmt: skip
def test_what_is_written_is_named_as_the_run(run: Path, kind: RunFormat, frames: bool, name: str) -> None:
    path = export_run(run, kind, None, frames).path
    assert path == run / "exports" / f"{SEQUENCE}{name}" and path.exists()
    assert export_run(run, kind, None, frames).path == path, "a second export replaces the first"


def test_nerfstudio_gets_the_clips_pictures_and_the_observed_masks(run: Path) -> None:
    export = export_run(run, "nerfstudio", None)
    assert export.left_out == (4, 5)
    pictures = {path.name: cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in (export.path / "images").iterdir()}
    assert sorted(pictures) == [f"{frame:06d}.png" for frame in range(12) if frame not in (4, 5)]
    assert all((picture == [*3 * [10 * int(name[:6])], 255]).all() for name, picture in pictures.items())


def test_cameras_alone_need_no_clip_and_pictures_do(run: Path, tmp_path: Path) -> None:
    (tmp_path / "pictures" / "000.png").unlink()
    assert export_run(run, "colmap", None).left_out == (4, 5)
    with pytest.raises(MissingInput) as raised:
        export_run(run, "nerfstudio", None)
    assert raised.value.code == "HF-EXP-003"


def test_frames_are_refused_for_formats_that_hold_them_anyway(run: Path) -> None:
    with pytest.raises(UsageError) as raised:
        export_run(run, "glb", None, frames=True)
    assert raised.value.code == "HF-EXP-006"


def test_the_command_says_how_many_frames_are_left_out(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ExportCommand(run, "colmap").run() == 0
    assert capsys.readouterr().out.splitlines() == [
        str(run / "exports" / f"{SEQUENCE}_colmap"), "frames left out, without a pose of the object: 2",
    ]  # fmt: skip


@pytest.mark.parametrize("snippet", SNIPPETS, ids=[re.search(r"mug/exports/(\w+)", snippet)[1] for snippet in SNIPPETS])
def test_the_snippets_of_the_how_to_read_what_is_written(run: Path, snippet: str) -> None:
    for module in re.findall(r"^(?:import|from) (\w+)", snippet, re.MULTILINE):
        pytest.importorskip(module, reason=f"{module} is not installed")
    mug = run.rename(run.parent / "mug")
    for kind in ("npz", "usd", "mano", "colmap", "nerfstudio"):
        export_run(mug, kind, None)
    export_run(mug, "ply", None, frames=True)
    finished = subprocess.run([sys.executable, "-c", snippet], cwd=mug.parent, env=dict(os.environ), capture_output=True, text=True)
    assert finished.returncode == 0 and finished.stdout and not finished.stderr, finished.stderr
