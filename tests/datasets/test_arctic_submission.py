"""The submission is what HOLD's evaluation loads: its dictionary class, its keys, its order of joints, camera frame, metres."""

import sys
import types
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_sets import FRAMES, TinyHand, write_arctic

from hoifield.datasets.arctic_submission import add_to_submission, encode_arctic_prediction
from hoifield.datasets.read_truth import read_truth
from hoifield.errors import HoifieldError, RefusedInput
from hoifield.result.fit_result import FitResult

SEQUENCE = "arctic_s03_box_grab_01_1"


class StrictDictionary(dict):
    """As HOLD's xdict: a key can be set once; the evaluation calls a method of it."""

    def __setitem__(self, key: str, value: object) -> None:
        assert key not in self
        super().__setitem__(key, value)

    def to_std_precision(self) -> "StrictDictionary":
        return StrictDictionary({key: value.float() if isinstance(value, torch.Tensor) else value for key, value in self.items()})


@pytest.fixture
def as_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """HOLD's module, without HOLD."""
    package, module = types.ModuleType("common"), types.ModuleType("common.xdict")
    module.xdict = StrictDictionary
    monkeypatch.setitem(sys.modules, "common", package)
    monkeypatch.setitem(sys.modules, "common.xdict", module)


@pytest.fixture
def result(right_hand: TinyHand, left_hand: TinyHand, with_mano: None, tmp_path: Path) -> FitResult:
    return read_truth(write_arctic(tmp_path / "set", {"right": right_hand, "left": left_hand}, 0.0)).result


def load(content: bytes, folder: Path) -> StrictDictionary:
    (folder / "prediction.pt").write_bytes(content)
    return torch.load(folder / "prediction.pt", weights_only=False).to_std_precision()


@pytest.mark.usefixtures("as_hold")
def test_holds_evaluation_finds_the_result(result: FitResult, right_hand: TinyHand, tmp_path: Path) -> None:
    loaded = load(encode_arctic_prediction(result, SEQUENCE), tmp_path)
    vertices, joints = right_hand.posed(2)
    np.testing.assert_allclose(loaded["j3d_c.right"][2], joints, atol=5e-4)
    np.testing.assert_allclose(loaded["j3d_ra.right"][2], joints - joints[0], atol=1e-4)
    np.testing.assert_allclose(loaded["v3d_c.right"][2], vertices, atol=5e-4)
    T = result.T_camera_object[2]
    cube = result.object_mesh.vertices @ T[:3, :3].T + T[:3, 3]
    np.testing.assert_allclose(loaded["v3d_right.object"][2], cube - joints[0], atol=1e-4)
    np.testing.assert_allclose(loaded["v3d_ra.object"][2], cube - (cube.min(0) + cube.max(0)) / 2, atol=1e-4)
    np.testing.assert_array_equal(loaded["faces"]["object"].numpy(), result.object_mesh.faces)
    assert loaded["faces"]["right"].shape == (1538, 3) and type(loaded["faces"]) is StrictDictionary
    assert loaded["v3d_c.left"].shape == (FRAMES, 778, 3)
    assert loaded["full_seq_name"] == SEQUENCE
    assert loaded["fnames"][3] == f"./data/{SEQUENCE}/build/image/0003.png" and len(loaded["fnames"]) == FRAMES


@pytest.mark.usefixtures("as_hold")
def test_a_hand_that_was_not_fitted_is_nan(result: FitResult, tmp_path: Path) -> None:
    loaded = load(encode_arctic_prediction(replace(result, hands=result.hands[:1]), SEQUENCE), tmp_path)
    assert loaded["j3d_ra.left"].isnan().all() and loaded["v3d_left.object"].isnan().all()
    assert not loaded["v3d_right.object"].isnan().any()


def test_the_same_result_gives_the_same_bytes(result: FitResult) -> None:
    assert encode_arctic_prediction(result, SEQUENCE) == encode_arctic_prediction(result, SEQUENCE)


def test_clips_are_gathered_in_one_zip_and_replaced_by_name(tmp_path: Path) -> None:
    path = tmp_path / "arctic_preds.zip"
    for name, content in (("a", b"1"), ("b", b"2"), ("a", b"3")):
        add_to_submission(path, name, content)
    with zipfile.ZipFile(path) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"arctic_preds/a.pt": b"3", "arctic_preds/b.pt": b"2"}


def test_another_files_content_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "notes.zip").write_text("not a zip")
    with pytest.raises(RefusedInput):
        add_to_submission(tmp_path / "notes.zip", "a", b"1")
    assert (tmp_path / "notes.zip").read_text() == "not a zip"


@pytest.mark.parametrize(("sequence", "first", "code"), [("mug", 0, "HF-SET-010"), (SEQUENCE, 5, "HF-SET-011")])
def test_what_the_server_would_not_understand_is_refused(result: FitResult, sequence: str, first: int, code: str) -> None:
    with pytest.raises(HoifieldError) as raised:
        encode_arctic_prediction(replace(result, frame_index=result.frame_index + first), sequence)
    assert raised.value.code == code
