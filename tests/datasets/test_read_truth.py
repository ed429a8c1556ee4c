"""Each set's own layout gives the scene that was written into it: frames, units, axes, order of joints, what is missing."""

from pathlib import Path

import numpy as np
import pytest
from tiny_sets import CUBE, FRAMES, SIZE, K, TinyHand, object_poses, project_order, write_arctic, write_dexycb, write_ho3d, write_hoi4d

from hoifield.datasets.read_truth import read_truth
from hoifield.datasets.truth import Truth, write_truth
from hoifield.errors import MissingInput, RefusedInput
from hoifield.evaluation.hand_scores import score_hands
from hoifield.evaluation.matched_frames import match_frames
from hoifield.evaluation.motion_scores import score_motion
from hoifield.evaluation.scorecard import Scorecard
from hoifield.result.fit_result import HandResult


def check_scene(truth: Truth, missing: int | None) -> None:
    """Camera, mesh and object poses of the scene; `missing` is the frame without an object."""
    result, expected = truth.result, object_poses()
    if missing is not None:
        expected[missing] = np.nan
    np.testing.assert_allclose(result.K, np.tile(K, (FRAMES, 1, 1)))
    np.testing.assert_array_equal(result.frame_index, np.arange(FRAMES))
    np.testing.assert_allclose(result.T_camera_object, expected, atol=1e-5)
    np.testing.assert_array_equal(result.object_confidence, np.arange(FRAMES) != missing)
    np.testing.assert_allclose(result.object_mesh.vertices, CUBE, atol=1e-6)
    assert result.image_size == SIZE and len(result.object_mesh.faces) == 12


def check_hand(hand: HandResult, expected: TinyHand, missing: int | None, skin: bool = True) -> None:
    """Root, joints and, with MANO, skin and pose of the scene's hand; `missing` is the frame without a hand."""
    for frame in range(FRAMES):
        if frame == missing:
            assert np.isnan(hand.joints[frame]).all() and np.isnan(hand.T_camera_hand[frame, :3]).all() and hand.confidence[frame] == 0
            continue
        vertices, joints = expected.posed(frame)
        np.testing.assert_allclose(hand.joints[frame], project_order(joints), atol=2e-5)
        np.testing.assert_allclose(hand.T_camera_hand[frame, :3, 3], joints[0], atol=2e-5)
        if skin:
            np.testing.assert_allclose(hand.vertices[frame, :778], vertices, atol=2e-5)
            np.testing.assert_allclose(hand.pose[frame, 1:].ravel(), expected.pose[frame], atol=1e-5)
            assert hand.confidence[frame] == 1
    np.testing.assert_allclose(hand.shape, expected.shape, atol=1e-6)


@pytest.mark.usefixtures("with_mano")
def test_ho3d_gives_the_scene(right_hand: TinyHand, tmp_path: Path) -> None:
    truth = read_truth(write_ho3d(tmp_path, right_hand))
    check_scene(truth, missing=2)
    check_hand(truth.result.hands[0], right_hand, missing=2)


def test_ho3d_without_mano_gives_joints_and_pose_and_no_skin(right_hand: TinyHand, tmp_path: Path) -> None:
    hand = read_truth(write_ho3d(tmp_path, right_hand) / "rgb").result.hands[0]
    check_hand(hand, right_hand, missing=2, skin=False)
    assert hand.vertices.shape == (FRAMES, 0, 3)
    np.testing.assert_allclose(hand.pose[0, 1:].ravel(), right_hand.pose[0], atol=1e-9)


def test_ho3ds_evaluation_split_has_an_object_and_no_hand(tmp_path: Path) -> None:
    truth = read_truth(write_ho3d(tmp_path, None, "evaluation"))
    check_scene(truth, missing=2)
    assert truth.result.hands == ()


@pytest.mark.usefixtures("with_mano")
@pytest.mark.parametrize("side", ["right", "left"])
def test_dexycb_gives_the_scene_with_masks(right_hand: TinyHand, left_hand: TinyHand, tmp_path: Path, side: str) -> None:
    hand = right_hand if side == "right" else left_hand
    truth = read_truth(write_dexycb(tmp_path, hand, side))
    check_scene(truth, missing=0)
    check_hand(truth.result.hands[0], hand, missing=0)
    assert truth.result.hands[0].side == side
    labels = truth.read_labels(1)
    assert [labels[row, 0] for row in (5, 15, 25, 35)] == [0, 1, 2 if side == "right" else 3, 0]


def test_dexycb_without_mano_knows_joints_and_says_that_the_pose_is_unknown(right_hand: TinyHand, tmp_path: Path) -> None:
    hand = read_truth(write_dexycb(tmp_path, right_hand)).result.hands[0]
    check_hand(hand, right_hand, missing=0, skin=False)
    assert np.isnan(hand.pose[:, 1:]).all() and not hand.confidence.any() and np.isfinite(hand.pose[1, 0]).all()


@pytest.mark.usefixtures("with_mano")
def test_hoi4d_gives_the_scene_with_masks(right_hand: TinyHand, tmp_path: Path) -> None:
    truth = read_truth(write_hoi4d(tmp_path, right_hand) / "align_rgb")
    check_scene(truth, missing=None)
    check_hand(truth.result.hands[0], right_hand, missing=1)
    labels = truth.read_labels(3)
    assert [labels[row, 0] for row in (5, 15, 25, 35)] == [1, 2, 0, 0]
    np.testing.assert_allclose(truth.result.time_s[1], 1 / 15)


def test_hoi4d_without_mano_has_an_object_and_no_hand(right_hand: TinyHand, tmp_path: Path) -> None:
    truth = read_truth(write_hoi4d(tmp_path, right_hand))
    check_scene(truth, missing=None)
    assert truth.result.hands == ()


@pytest.mark.usefixtures("with_mano")
def test_arctic_gives_the_scene_with_two_hands(right_hand: TinyHand, left_hand: TinyHand, tmp_path: Path) -> None:
    hands = {"right": right_hand, "left": left_hand}
    truth = read_truth(write_arctic(tmp_path, hands, angle=0.0))
    check_scene(truth, missing=None)
    for hand in truth.result.hands:
        check_hand(hand, hands[hand.side], missing=None)
    assert [hand.side for hand in truth.result.hands] == ["right", "left"]


def test_arctics_upper_part_is_turned_about_minus_z(right_hand: TinyHand, left_hand: TinyHand, tmp_path: Path) -> None:
    truth = read_truth(write_arctic(tmp_path, {"right": right_hand, "left": left_hand}, angle=np.pi / 2))
    expected = np.where(CUBE[:, :1] > 0, CUBE @ np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1.0]]).T, CUBE)
    np.testing.assert_allclose(truth.result.object_mesh.vertices, expected, atol=1e-6)


def test_arctics_opening_objects_are_refused(right_hand: TinyHand, left_hand: TinyHand, tmp_path: Path) -> None:
    pictures = write_arctic(tmp_path, {"right": right_hand, "left": left_hand}, angle=0.5, play=0.8)
    with pytest.raises(RefusedInput, match="opens and closes over 42 degrees"):
        read_truth(pictures)


@pytest.mark.usefixtures("with_mano")
def test_a_set_scores_like_any_truth_and_the_truth_scores_perfectly(right_hand: TinyHand, tmp_path: Path) -> None:
    truth = read_truth(write_dexycb(tmp_path, right_hand)).result
    matched = match_frames(truth, truth)
    card = Scorecard((*score_motion(matched), *score_hands(matched, np.random.default_rng(0), 0)))
    assert card["mpjpe_ra_mm"].value == 0 and card["mpjpe_ra_mm"].count == FRAMES - 1
    assert card["pose_rot_deg"].value == pytest.approx(0, abs=1e-4) and card["pose_rot_deg"].count == FRAMES - 1
    assert card["contact_f1"].value == 1 and card["cd_hand_cm2"].value < 2 * card["cd_hand_cm2"].floor


@pytest.mark.usefixtures("with_mano")
def test_a_set_becomes_a_truth_folder_and_reads_back(right_hand: TinyHand, tmp_path: Path) -> None:
    truth = read_truth(write_dexycb(tmp_path / "set", right_hand))
    write_truth(tmp_path / "truth", truth)
    again = read_truth(tmp_path / "truth")
    np.testing.assert_array_equal(again.result.T_camera_object, truth.result.T_camera_object)
    np.testing.assert_array_equal(again.result.hands[0].vertices, truth.result.hands[0].vertices)
    np.testing.assert_array_equal(again.read_labels(4), truth.read_labels(4))


def test_joints_without_skin_survive_the_truth_folder(right_hand: TinyHand, tmp_path: Path) -> None:
    truth = read_truth(write_dexycb(tmp_path / "set", right_hand))
    write_truth(tmp_path / "truth", truth)
    np.testing.assert_array_equal(read_truth(tmp_path / "truth").result.hands[0].joints, truth.result.hands[0].joints)


def test_an_unknown_folder_is_missing_input(tmp_path: Path) -> None:
    with pytest.raises(MissingInput) as raised:
        read_truth(tmp_path)
    assert raised.value.code == "HF-SET-001"


def test_a_missing_mesh_is_missing_input(right_hand: TinyHand, tmp_path: Path) -> None:
    folder = write_ho3d(tmp_path, right_hand)
    (tmp_path / "models" / "003_cracker_box" / "textured_simple.obj").unlink()
    with pytest.raises(MissingInput) as raised:
        read_truth(folder)
    assert raised.value.code == "HF-SET-002"


def test_annotations_that_would_execute_are_refused(right_hand: TinyHand, tmp_path: Path) -> None:
    folder, canary = write_ho3d(tmp_path, right_hand), tmp_path / "canary"
    (folder / "meta" / "0001.pkl").write_bytes(b"cos\nmkdir\n(V" + str(canary).encode() + b"\ntR.")
    with pytest.raises(RefusedInput, match=r"os\.mkdir"):
        read_truth(folder)
    assert not canary.exists()


@pytest.mark.parametrize(("name", "content"), [("meta.yml", "ycb_ids: {a: 1}\n"), ("meta.yml", "num_frames: 3\n")])
def test_damaged_dexycb_calibration_is_refused(right_hand: TinyHand, tmp_path: Path, name: str, content: str) -> None:
    folder = write_dexycb(tmp_path, right_hand)
    (folder.parent / name).write_text(content)
    with pytest.raises(RefusedInput) as raised:
        read_truth(folder)
    assert raised.value.code == "HF-SET-003"
