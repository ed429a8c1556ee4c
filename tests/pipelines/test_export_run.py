"""A run is exported for other programs with what they need beside the result, and says what is missing."""

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

from hoifield.clip.open_clip import open_clip
from hoifield.errors import MissingInput, UsageError
from hoifield.pipelines.bring_clip import bring_clip
from hoifield.pipelines.export_run import export_run
from hoifield.result.result_folder import write_result
from hoifield.runlog.run_folder import RunFolder

SEQUENCE = "arctic_s03_box_grab_01_1"


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
    build = export_run(run, "hold", None)
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
    path = export_run(run, "arctic", tmp_path / "arctic_preds.zip")
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [f"arctic_preds/{SEQUENCE}.pt"]


def test_a_run_of_another_name_is_no_sequence(run: Path) -> None:
    other = run.rename(run.parent / "mug")
    with pytest.raises(UsageError) as raised:
        export_run(other, "arctic", None)
    assert raised.value.code == "HF-SET-010"


@pytest.mark.parametrize("kind", ["ply", "npz"])
def test_files_of_the_result_are_named_as_the_run(run: Path, kind: str) -> None:
    assert export_run(run, kind, None) == run / "exports" / f"{SEQUENCE}.{kind}"
