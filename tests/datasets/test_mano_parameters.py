"""MANO's published formulas, fed with what is written, give the hands of the result."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_sets import FRAMES, TinyHand, mano_forward, write_dexycb

from hoifield.actors.skinned_model import JOINT_PARENTS, Side
from hoifield.datasets.read_truth import read_truth
from hoifield.errors import MissingInput, RefusedInput
from hoifield.result.fit_result import FitResult
from hoifield.result.mano_parameters import encode_mano_parameters


@pytest.fixture(params=["right", "left"])
def side(request: pytest.FixtureRequest) -> Side:
    return request.param


@pytest.fixture
def hand(side: Side, right_hand: TinyHand, left_hand: TinyHand) -> TinyHand:
    return right_hand if side == "right" else left_hand


@pytest.fixture
def result(hand: TinyHand, side: Side, with_mano: None, tmp_path: Path) -> FitResult:
    """The hand is missing in frame 0."""
    return read_truth(write_dexycb(tmp_path, hand, side)).result


def test_manos_formulas_give_the_vertices_of_the_result(result: FitResult, hand: TinyHand, side: Side) -> None:
    with np.load(io.BytesIO(encode_mano_parameters(result)), allow_pickle=False) as file:
        wrist, fingers, shape, shift, mean = (file[f"{side}_{name}"] for name in ("global_orient", "hand_pose", "betas", "transl", "mean_pose"))
        np.testing.assert_array_equal(file["frame_index"], np.arange(FRAMES))
        np.testing.assert_array_equal(file[f"{side}_confidence"], result.hands[0].confidence)
    for frame in range(1, FRAMES):
        vertices, _ = mano_forward(hand.arrays, shape, wrist[frame], fingers[frame], shift[frame])
        np.testing.assert_allclose(vertices, result.hands[0].vertices[frame, :778], atol=1e-5)
    assert np.isnan(wrist[0]).all() and np.isnan(shift[0]).all()
    np.testing.assert_array_equal(mean, hand.arrays["hands_mean"])


def test_smplx_poses_the_hand_of_the_result(result: FitResult, hand: TinyHand, side: Side) -> None:
    smplx = pytest.importorskip("smplx", reason="smplx is not installed")
    arrays = {**hand.arrays, "kintree_table": np.array([[-1, *JOINT_PARENTS[1:]], range(16)])}
    options = {"model_path": "", "data_struct": smplx.utils.Struct(**arrays), "is_rhand": side == "right", "use_pca": False, "flat_hand_mean": True}
    layer = smplx.MANO(**options, batch_size=FRAMES - 1)
    with np.load(io.BytesIO(encode_mano_parameters(result)), allow_pickle=False) as file:
        words = {name: torch.tensor(file[f"{side}_{name}"][1:]).float() for name in ("global_orient", "hand_pose", "transl")}
        posed = layer(**words, betas=torch.tensor(file[f"{side}_betas"]).float().expand(FRAMES - 1, -1))
    np.testing.assert_allclose(posed.vertices.detach().numpy(), result.hands[0].vertices[1:, :778], atol=1e-5)


def test_the_parameters_are_those_that_the_set_was_written_with(result: FitResult, hand: TinyHand, side: Side) -> None:
    with np.load(io.BytesIO(encode_mano_parameters(result)), allow_pickle=False) as file:
        np.testing.assert_allclose(file[f"{side}_transl"][1:], hand.translation[1:], atol=1e-6)
        np.testing.assert_allclose(file[f"{side}_hand_pose"][1:], hand.pose[1:], atol=1e-6)


def test_a_hand_that_is_not_manos_and_a_file_that_is_gone_are_told(result: FitResult, side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingInput, match=f"{side} hand of this run is anny's") as raised:
        encode_mano_parameters(replace(result, hands=(replace(result.hands[0], actor="anny"),)))
    assert raised.value.code == "HF-SET-023"
    monkeypatch.delenv("HOIFIELD_MANO_DIR")
    with pytest.raises(MissingInput, match=f"MANO_{side.upper()}.pkl is not in the folder of HOIFIELD_MANO_DIR"):
        encode_mano_parameters(result)
    with pytest.raises(RefusedInput) as nothing:
        encode_mano_parameters(replace(result, hands=()))
    assert nothing.value.code == "HF-EXP-005"
