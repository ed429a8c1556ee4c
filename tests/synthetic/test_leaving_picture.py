"""An object is carried out of the picture for the stated share of the frames and comes back, with its pose exact throughout."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import trimesh

from hoifield.actors.choose_actor import load_actor
from hoifield.actors.skinned_model import Side
from hoifield.errors import UsageError
from hoifield.evaluation.evaluate import evaluate
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.result.fit_result import FitResult
from hoifield.synthetic.clip_motion import make_clip_motion, watched_points
from hoifield.synthetic.clip_recipe import ClipRecipe
from hoifield.synthetic.grasp import Grasp, GraspSearch
from hoifield.synthetic.hand_object_motion import HandObjectMotion
from hoifield.synthetic.make_clip import make_clip
from hoifield.synthetic.motion import MotionName
from hoifield.synthetic.scene_mesh import SceneParts

FOCAL_RATIO, FRAMES = 1.1, 61
Scene = tuple[SceneParts, GraspSearch, Grasp]


def _can_in_hand(side: Side) -> Scene:
    shape = trimesh.creation.cylinder(0.033, 0.116, sections=48)
    parts = SceneParts.of(load_actor("anny", side), np.zeros(10), Mesh(np.asarray(shape.vertices), np.asarray(shape.faces)))
    search = GraspSearch(parts.actor, parts.object_mesh, torch.zeros(10), 0)
    return parts, search, search.find()


@pytest.fixture(scope="module")
def scene() -> Scene:
    return _can_in_hand("right")


def _shown_pixels(parts: SceneParts, motion: HandObjectMotion) -> np.ndarray:
    """Pixels of the object alone in each frame of a picture of 96 pixels."""
    K = np.array([[96 * FOCAL_RATIO, 0, 48], [0, 96 * FOCAL_RATIO, 48], [0, 0, 1]])
    mesh = parts.object_mesh
    return np.array([np.isfinite(rasterise_mesh(mesh.moved(T).vertices, mesh.faces, K, 96, 96)[0]).sum() for T in motion.T_camera_object])


@pytest.mark.parametrize("motion", ["turn", "everyday", "still", "release"])
@pytest.mark.parametrize("camera", ["fixed", "shaky"])
def test_the_object_is_gone_for_the_stated_share_and_comes_back(scene: Scene, motion: MotionName, camera: str) -> None:
    recipe = ClipRecipe(motion=motion, camera=camera, frames=FRAMES)
    stays, leaves = (make_clip_motion(replace(recipe, leaves=share), *scene, FOCAL_RATIO) for share in (0.0, 0.25))
    assert _shown_pixels(scene[0], stays).min() > 100
    shown = _shown_pixels(scene[0], leaves)
    gone = np.nonzero(shown == 0)[0]
    np.testing.assert_array_equal(gone, np.arange(gone[0], gone[-1] + 1))
    assert 15 <= len(gone) <= 19 and abs(gone.mean() - 30) <= 1.5
    rest = np.r_[0:10, 51:61]
    np.testing.assert_array_equal(leaves.T_camera_hand[rest], stays.T_camera_hand[rest])
    points = watched_points(scene[0], leaves)[rest]
    assert np.abs(FOCAL_RATIO * points[..., :2] / points[..., 2:]).max() < 0.5


def test_leaving_shifts_across_the_view_and_changes_nothing_else(scene: Scene) -> None:
    stays, leaves = (make_clip_motion(ClipRecipe(frames=FRAMES, leaves=share), *scene, FOCAL_RATIO) for share in (0.0, 0.25))
    np.testing.assert_array_equal(leaves.T_hand_object, stays.T_hand_object)
    np.testing.assert_array_equal(leaves.pose, stays.pose)
    np.testing.assert_array_equal(leaves.T_camera_hand[:, :3, :3], stays.T_camera_hand[:, :3, :3])
    shift = leaves.T_camera_hand[:, :3, 3] - stays.T_camera_hand[:, :3, 3]
    length = np.linalg.norm(shift, axis=1)
    time = np.abs(np.arange(FRAMES) / (FRAMES - 1) - 0.5)
    expected = length.max() * np.where(time < 0.325, (1 + np.cos(2 * np.pi * time / 0.65)) / 2, 0.0)
    np.testing.assert_allclose(length, expected, atol=1e-12)
    assert (shift[:, 2] == 0).all() and 0.2 < length.max() < 1.0
    assert np.diff(length).max() < 0.05


def test_a_left_hand_leaves_on_the_other_side(scene: Scene) -> None:
    recipe = ClipRecipe(frames=9, leaves=0.25)
    right = make_clip_motion(recipe, *scene, FOCAL_RATIO).T_camera_hand[4, 0, 3]
    left = make_clip_motion(replace(recipe, side="left"), *_can_in_hand("left"), FOCAL_RATIO).T_camera_hand[4, 0, 3]
    assert right > 0.1 and left < -0.1


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FitResult]:
    folder = tmp_path_factory.mktemp("leaves")
    return folder, make_clip(ClipRecipe(object="can", motion="everyday", frames=13, size=64, leaves=0.25, truth="full"), folder)


def test_frames_without_the_object_are_rendered_and_keep_its_pose(clip: tuple[Path, FitResult]) -> None:
    folder, truth = clip
    labels, outlines = (
        np.stack([cv2.imread(str(folder / name / f"{frame:06d}.png"), cv2.IMREAD_UNCHANGED) for frame in range(13)])
        for name in ("masks", "masks_amodal")
    )
    gone = ~(outlines & 1).any((1, 2))
    assert not (labels[gone] == 1).any() and gone[5:8].all() and gone.sum() <= 5
    assert (labels[~gone] == 1).any((1, 2)).sum() >= 6
    in_hand = np.linalg.inv(truth.hands[0].T_camera_hand) @ truth.T_camera_object
    np.testing.assert_allclose(in_hand, np.tile(in_hand[0], (13, 1, 1)), atol=1e-12)
    assert (truth.object_confidence == 1).all()


def test_the_truth_of_such_a_clip_scores_perfectly_against_itself(clip: tuple[Path, FitResult]) -> None:
    card = evaluate(clip[1], clip[0])
    assert card["mask_iou_object"].value > 0.97 and card["frames_placed_pct"].value == 100
    assert card["pose_trans_mm"].value == pytest.approx(0, abs=1e-4) and card["pose_trans_mm"].count == 13


@pytest.mark.parametrize("share", [-0.1, 0.6])
def test_shares_that_leave_no_time_to_come_back_are_refused(share: float) -> None:
    with pytest.raises(UsageError, match="HF-SYN-009"):
        ClipRecipe(leaves=share)
