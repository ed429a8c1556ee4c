"""A generated clip holds together: pictures, masks, depth, poses and meshes tell one story, and the truth scores perfectly."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from hoifield.evaluation.evaluate import evaluate
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.result.fit_result import FitResult
from hoifield.result.result_folder import read_result
from hoifield.synthetic.clip_recipe import ClipRecipe
from hoifield.synthetic.make_clip import make_clip, write_video

RECIPE = ClipRecipe(object="box", frames=8, size=64, seed=3)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("truth")
    make_clip(RECIPE, folder)
    return folder


@pytest.fixture(scope="module")
def truth(clip: Path) -> FitResult:
    return read_result(clip)


def test_the_folder_has_every_file_of_the_contract(clip: Path) -> None:
    for name in ("clip.mp4", "result.json", "object.ply", "poses.npz", "truth.json", "truth.npz"):
        assert (clip / name).stat().st_size > 0
    for name in ("masks", "depth"):
        assert sorted(path.name for path in (clip / name).iterdir()) == [f"{k:06d}.png" for k in range(8)]
    assert json.loads((clip / "truth.json").read_text())["recipe"]["object"] == "box"


def test_thumb_and_two_fingers_touch_and_none_is_deep(truth: FitResult) -> None:
    hand, T = truth.hands[0], truth.T_camera_object[0]
    distance = (
        MeshDistance(truth.object_mesh.vertices, truth.object_mesh.faces).closest((hand.vertices[0] - T[:3, 3]) @ T[:3, :3]).signed_distance
    )
    assert distance.min() > -0.002
    tips = hand.joints[0, [4, 8, 12, 16, 20]]
    touched = hand.vertices[0][distance < 0.002]
    near = np.linalg.norm(tips[:, None] - touched[None], axis=-1).min(1) < 0.03
    assert near[0] and near[1:].sum() >= 2


def test_the_object_is_fixed_in_the_hand(truth: FitResult) -> None:
    T_hand_object = np.linalg.inv(truth.hands[0].T_camera_hand) @ truth.T_camera_object
    np.testing.assert_allclose(T_hand_object, np.tile(T_hand_object[0], (8, 1, 1)), atol=1e-12)


def test_masks_and_depth_agree_with_the_poses(clip: Path, truth: FitResult) -> None:
    for row in (0, 4, 7):
        labels, depth = (cv2.imread(str(clip / name / f"{row:06d}.png"), cv2.IMREAD_UNCHANGED) for name in ("masks", "depth"))
        assert depth.dtype == np.uint16 and set(np.unique(labels)) <= {0, 1, 2}
        y, x = np.nonzero(labels == 1)
        rays = np.stack([x + 0.5, y + 0.5, np.ones(len(x))], 1) @ np.linalg.inv(truth.K[row]).T
        points = rays * (depth[y, x, None] / 1000)
        T = truth.T_camera_object[row]
        distance = (
            MeshDistance(truth.object_mesh.vertices, truth.object_mesh.faces).closest((points - T[:3, 3]) @ T[:3, :3]).signed_distance
        )
        assert len(x) > 20 and np.abs(distance).max() < 0.001


def test_the_truth_scores_perfectly_against_itself(clip: Path, truth: FitResult) -> None:
    card = evaluate(truth, clip)
    assert card["cd_icp_cm2"].value == pytest.approx(card["cd_icp_cm2"].floor, rel=0.1)
    assert card["cd_hand_cm2"].value == pytest.approx(card["cd_hand_cm2"].floor, rel=0.1)
    assert card["f5_icp_pct"].value == 100
    for name in ("mpjpe_ra_mm", "root_trans_mm", "pose_rot_deg", "pose_trans_mm"):
        assert card[name].value == pytest.approx(0, abs=1e-4)
    assert card["mask_iou_object"].value > 0.97 and card["mask_iou_hand"].value > 0.9
    assert card["contact_f1"].value == 1 and card["penetration_cm3"].value < 0.5
    assert card["cd_seen_cm2"].value < 0.02 and card["cd_unseen_cm2"].value < 0.05
    assert card["frames_placed_pct"].value == 100
    json.dumps(card.as_json(), allow_nan=False)


def test_every_kind_of_mistake_shows_in_its_own_score(clip: Path, truth: FitResult) -> None:
    poses = truth.T_camera_object.copy()
    poses[:, :3, 3] += [0.05, 0, 0]
    poses[6:] = np.nan
    hand = replace(truth.hands[0], joints=truth.hands[0].joints * 1.2)
    larger = Mesh(truth.object_mesh.vertices * [1.5, 1, 1], truth.object_mesh.faces)
    card = evaluate(replace(truth, T_camera_object=poses, object_mesh=larger, hands=(hand,)), clip)
    assert card["frames_placed_pct"].value == 75
    assert (card["pose_trans_mm"].count, card["pose_trans_mm"].total) == (6, 8)
    assert card["cd_hand_cm2"].value > 5 and card["mpjpe_ra_mm"].value > 5
    assert card["cd_icp_cm2"].value > 5 * card["cd_icp_cm2"].floor
    assert card["mask_iou_object"].value < 0.6 and card["contact_f1"].value < 0.9


def test_frames_that_were_not_fitted_are_counted(clip: Path, truth: FitResult) -> None:
    hand = truth.hands[0]
    rows = slice(0, 8, 2)
    part = replace(
        hand, T_camera_hand=hand.T_camera_hand[rows], pose=hand.pose[rows], vertices=hand.vertices[rows], joints=hand.joints[rows]
    )
    half = replace(truth, frame_index=truth.frame_index[rows], T_camera_object=truth.T_camera_object[rows], K=truth.K[rows], hands=(part,))
    card = evaluate(half, clip)
    assert card["frames_placed_pct"].value == 50 and card["mpjpe_ra_mm"].count == 4
    assert card["mask_iou_object"].value < 0.55


def test_the_same_recipe_gives_the_same_pictures(clip: Path, tmp_path: Path) -> None:
    make_clip(RECIPE, tmp_path)
    for name in ("clip.mp4", "masks/000003.png", "depth/000003.png", "object.ply", "truth.npz"):
        assert (tmp_path / name).read_bytes() == (clip / name).read_bytes()


def test_a_left_hand_is_labelled_left(tmp_path: Path) -> None:
    result = make_clip(replace(RECIPE, side="left", frames=2), tmp_path)
    assert result.hands[0].side == "left"
    labels = cv2.imread(str(tmp_path / "masks" / "000000.png"), cv2.IMREAD_UNCHANGED)
    assert (labels == 3).any() and not (labels == 2).any()


def test_the_same_pictures_give_the_same_file_however_often_they_are_encoded(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    mosaic = np.kron(generator.integers(0, 256, (60, 60, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
    pictures = [np.roll(mosaic, (3 * k, 2 * k), (0, 1)) + generator.integers(0, 6, mosaic.shape, dtype=np.uint8) for k in range(60)]
    for number in range(4):
        write_video(tmp_path / f"{number}.mp4", iter(pictures), (480, 480), 30.0)
    assert len({(tmp_path / f"{number}.mp4").read_bytes() for number in range(4)}) == 1
