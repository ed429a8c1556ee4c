"""A second hand rests beside the object or holds it as well: pictures, masks, contacts and meshes of both hands tell one story."""

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args, get_type_hints

import cv2
import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from hoifield.actors.choose_actor import load_actor
from hoifield.actors.pose_limits import limit_excess
from hoifield.cli.truth_commands import SynthCommand
from hoifield.errors import RefusedInput, UsageError
from hoifield.evaluation.contact_metrics import CONTACT_DISTANCE
from hoifield.evaluation.evaluate import evaluate
from hoifield.evaluation.image_metrics import draw_labels
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.result.fit_result import FitResult, HandResult
from hoifield.synthetic import second_grasp
from hoifield.synthetic.clip_motion import make_clip_motion, watched_points
from hoifield.synthetic.clip_recipe import SECOND_HAND_NAMES, ClipRecipe
from hoifield.synthetic.clip_scene import ClipScene, build_clip_scene
from hoifield.synthetic.grasp import GraspSearch
from hoifield.synthetic.hand_object_motion import HandObjectMotion
from hoifield.synthetic.make_clip import make_clip
from hoifield.synthetic.motion import SWAY_NAMES, make_two_handed_motion
from hoifield.synthetic.resting_hand import relaxed_pose, rest_beside
from hoifield.synthetic.scene_mesh import SceneParts

SIZE, FRAMES = 96, 5
BESIDE = ClipRecipe(object="can", frames=FRAMES, size=SIZE, second_hand="beside", truth="full", seed=1)
HOLDING = replace(BESIDE, second_hand="holding", motion="everyday")
Clip = tuple[Path, FitResult]


@pytest.fixture(scope="module")
def beside_scene() -> ClipScene:
    return build_clip_scene(BESIDE)


@pytest.fixture(scope="module")
def holding_scene() -> ClipScene:
    return build_clip_scene(HOLDING)


def _written(scene: ClipScene, recipe: ClipRecipe, folder: Path) -> Clip:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hoifield.synthetic.make_clip.build_clip_scene", lambda recipe: scene)
        return folder, make_clip(recipe, folder)


@pytest.fixture(scope="module")
def beside(beside_scene: ClipScene, tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return _written(beside_scene, BESIDE, tmp_path_factory.mktemp("beside"))


@pytest.fixture(scope="module")
def holding(holding_scene: ClipScene, tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return _written(holding_scene, HOLDING, tmp_path_factory.mktemp("holding"))


@pytest.fixture(params=["beside", "holding"])
def clip(request: pytest.FixtureRequest) -> Clip:
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["beside_scene", "holding_scene"])
def scene(request: pytest.FixtureRequest) -> ClipScene:
    return request.getfixturevalue(request.param)


def _read(folder: Path, name: str, frame: int) -> np.ndarray:
    return cv2.imread(str(folder / name / f"{frame:06d}.png"), cv2.IMREAD_UNCHANGED)


def _distances(hand: HandResult, truth: FitResult, frame: int) -> np.ndarray:
    """Signed distances of a hand's vertices to the object."""
    T = truth.T_camera_object[frame]
    surface = MeshDistance(truth.object_mesh.vertices, truth.object_mesh.faces)
    return surface.closest((hand.vertices[frame] - T[:3, 3]) @ T[:3, :3]).signed_distance


def _gap(first: HandResult, second: HandResult, frame: int, shift: np.ndarray) -> float:
    """Least signed distance between two hands, the second one shifted, metres."""
    meshes = [(first.vertices[frame].astype(float), first.faces), (second.vertices[frame] + shift, second.faces)]
    return min(float(MeshDistance(*meshes[k]).closest(meshes[1 - k][0]).signed_distance.min()) for k in (0, 1))


def test_masks_show_both_hands_and_are_those_of_the_true_meshes(clip: Clip) -> None:
    folder, truth = clip
    assert {hand.side for hand in truth.hands} == {"right", "left"}
    for frame in range(FRAMES):
        labels, drawn = _read(folder, "masks", frame), draw_labels(truth, frame, SIZE, SIZE)
        assert set(np.unique(labels)) == {0, 1, 2, 3}
        shown = labels > 0
        assert (labels[shown] == drawn[shown]).mean() > 0.995
        assert ((drawn > 0) & ~shown).sum() < 0.08 * shown.sum()
        wrong = np.where(drawn == 2, 3, np.where(drawn == 3, 2, drawn))
        assert (labels[shown] == wrong[shown]).mean() < 0.8


def test_depth_is_that_of_the_nearest_of_all_three(clip: Clip) -> None:
    folder, truth = clip
    labels, depth = _read(folder, "masks", 2), _read(folder, "depth", 2) / 1000
    surfaces = {2: next(hand for hand in truth.hands if hand.side == "right"), 3: next(hand for hand in truth.hands if hand.side == "left")}
    for label, hand in surfaces.items():
        expected = rasterise_mesh(hand.vertices[2].astype(float), hand.faces, truth.K[2], SIZE, SIZE)[0]
        shown = (labels == label) & np.isfinite(expected)
        assert shown.sum() > 40 and np.abs(depth - expected)[shown].max() < 0.001


def test_whole_outlines_have_a_bit_for_each_hand(clip: Clip) -> None:
    folder, truth = clip
    bits = {"right": 2, "left": 4}
    for frame in (0, 4):
        labels, outlines = _read(folder, "masks", frame), _read(folder, "masks_amodal", frame)
        for label, bit in ((1, 1), (2, 2), (3, 4)):
            assert (outlines[labels == label] & bit).all()
        for hand in truth.hands:
            alone = np.isfinite(rasterise_mesh(hand.vertices[frame].astype(float), hand.faces, truth.K[frame], SIZE, SIZE)[0])
            assert (alone == ((outlines & bits[hand.side]) > 0)).mean() > 0.999


def test_contacts_and_penetration_of_each_hand_are_those_of_the_meshes(clip: Clip) -> None:
    folder, truth = clip
    with np.load(folder / "truth.npz") as arrays:
        for hand in truth.hands:
            distance = _distances(hand, truth, 2)
            assert arrays[f"{hand.side}_penetration"][2] == pytest.approx(-distance.min(), abs=2e-6)
            sure = np.abs(np.abs(distance) - CONTACT_DISTANCE) > 1e-5
            np.testing.assert_array_equal(arrays[f"{hand.side}_contact"][2][sure], (np.abs(distance) < CONTACT_DISTANCE)[sure])


def test_two_holding_hands_touch_the_object_and_keep_apart(holding: Clip) -> None:
    folder, truth = holding
    first, second = truth.hands
    for hand in truth.hands:
        distance = _distances(hand, truth, 0)
        tips = hand.joints[0, [4, 8, 12, 16, 20]]
        near = cKDTree(hand.vertices[0][distance < 0.002]).query(tips)[0] < 0.03
        assert distance.min() > -0.0021 and near.sum() >= 3
    towards = second.joints[0, 0] - first.joints[0, 0]
    assert _gap(first, second, 0, np.zeros(3)) >= second_grasp.SMALLEST_GAP - 1e-5
    assert min(_gap(first, second, 0, -share * towards) for share in (0.2, 0.4, 0.6)) < -0.002
    stated = json.loads((folder / "truth.json").read_text())["second_hand"]
    assert stated["gap_to_first_hand_mm"] >= 1.0 and len(stated["touching"]) >= 3


def test_the_object_is_fixed_in_both_holding_hands(holding: Clip, holding_scene: ClipScene) -> None:
    for hand in holding[1].hands:
        in_hand = np.linalg.inv(hand.T_camera_hand) @ holding[1].T_camera_object
        np.testing.assert_allclose(in_hand, np.tile(in_hand[0], (FRAMES, 1, 1)), atol=1e-12)
    between, exact = holding_scene.motion.at(1.4), holding_scene.motion.at(1)
    assert between.second is not None and exact.second is not None and between.same_arrangement(exact)


def test_a_resting_hand_touches_nothing_and_hardly_moves(beside: Clip) -> None:
    folder, truth = beside
    first, second = truth.hands
    with np.load(folder / "truth.npz") as arrays:
        assert not arrays["left_contact"].any() and (arrays["left_penetration"] < -0.02).all()
    assert min(_gap(first, second, frame, np.zeros(3)) for frame in range(FRAMES)) > 0.02
    way = np.ptp(second.vertices, axis=0)
    assert 0.001 < way.max() < 0.06 and np.ptp(first.vertices, axis=0).max() > 0.08
    assert (second.joints[:, :, 0].mean(1) < first.joints[:, :, 0].mean(1) - 0.05).all()


def test_a_resting_hand_stays_on_its_way_between_frames(beside_scene: ClipScene) -> None:
    motion = beside_scene.motion
    start, middle, end = (motion.at(time) for time in (1.0, 1.5, 2.0))
    assert not middle.same_arrangement(start) and start.second is not None and middle.second is not None and end.second is not None
    places = [(moment.T_camera_hand @ moment.second.T_hand_second)[:3, 3] for moment in (start, middle, end) if moment.second is not None]
    np.testing.assert_allclose(places[1], (places[0] + places[2]) / 2, atol=1e-12)


def test_vertices_that_either_hand_hides_in_all_frames_are_not_seen(holding: Clip) -> None:
    folder, truth = holding
    with np.load(folder / "truth.npz") as arrays:
        seen = arrays["vertex_seen"]
    possible, without_second = np.zeros((2, len(seen)), dtype=bool)
    for frame in range(FRAMES):
        held = truth.object_mesh.moved(truth.T_camera_object[frame])
        pixels = (held.vertices @ truth.K[frame].T)[:, :2] / held.vertices[:, 2:]
        column, row = np.clip(np.floor(pixels).astype(int), 0, SIZE - 1).T
        for hands, shown in ((truth.hands, possible), (truth.hands[:1], without_second)):
            meshes = [(held.vertices, held.faces), *((hand.vertices[frame].astype(float), hand.faces) for hand in hands)]
            depth = np.min([rasterise_mesh(vertices, faces, truth.K[frame], SIZE, SIZE)[0] for vertices, faces in meshes], axis=0)
            shown |= np.abs(depth[row, column] - held.vertices[:, 2]) < 0.003
    assert 0.05 < seen.mean() < 1 and (seen & ~possible).sum() <= 0.01 * len(seen)
    assert (without_second & ~seen).sum() > (possible & ~seen).sum() + 5


def test_the_truth_of_two_hands_scores_perfectly_against_itself(holding: Clip) -> None:
    card = evaluate(holding[1], holding[0])
    assert card["mask_iou_object"].value > 0.97 and card["mask_iou_hand"].value > 0.9 and card["contact_f1"].value == 1
    for name in ("mpjpe_ra_mm", "root_trans_mm", "pose_rot_deg", "pose_trans_mm"):
        assert card[name].value == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("camera", ["fixed", "moving"])
def test_both_hands_stay_in_the_picture_and_the_forearms_leave_it(scene: ClipScene, camera: str) -> None:
    recipe = replace(BESIDE if scene.second_grasp is None else HOLDING, camera=camera, frames=12)
    focal_ratio = scene.K[0, 0] / SIZE
    for name in SWAY_NAMES:
        motion = _motion(scene, replace(recipe, motion=name), focal_ratio)
        points = watched_points(scene.parts, motion)
        assert np.abs(focal_ratio * points[..., :2] / points[..., 2:]).max() < 0.5
        assert 0.25 < points[..., 2].min() and points[..., 2].max() < 1.8
        assert scene.parts.second_arm is not None
        for arm, T in ((scene.parts.arm, motion.T_camera_hand[6]), (scene.parts.second_arm, motion.of_second().T_camera_hand[6])):
            cuff = arm.moved(T).vertices[-20:-2]
            assert cuff[:, 2].min() > 0.05 and (np.abs(focal_ratio * cuff[:, :2] / cuff[:, 2:]).max(1) > 0.5).all()


def _motion(scene: ClipScene, recipe: ClipRecipe, focal_ratio: float) -> HandObjectMotion:
    """The motion of another recipe from the grasps of a scene."""
    search = GraspSearch(scene.parts.actor, scene.parts.object_mesh, torch.from_numpy(scene.parts.shape).float(), recipe.seed)
    return make_clip_motion(recipe, scene.parts, search, scene.grasp, focal_ratio, scene.second_grasp)


def test_a_resting_hand_stays_when_the_object_leaves_and_a_holding_one_goes_along(scene: ClipScene) -> None:
    recipe, focal_ratio = BESIDE if scene.second_grasp is None else HOLDING, scene.K[0, 0] / SIZE
    stays, leaves = (_motion(scene, replace(recipe, frames=13, leaves=share), focal_ratio) for share in (0.0, 0.25))
    first = (leaves.T_camera_hand - stays.T_camera_hand)[6, :3, 3]
    second = (leaves.of_second().T_camera_hand - stays.of_second().T_camera_hand)[6, :3, 3]
    assert np.linalg.norm(first) > 0.1
    np.testing.assert_allclose(second, first if scene.second_grasp is not None else np.zeros(3), atol=1e-12)


def test_two_left_first_hands_move_as_the_mirror_image() -> None:
    mirror = np.diag([-1.0, 1.0, 1.0])
    generator = np.random.default_rng(3)
    body, arms = generator.uniform(-0.08, 0.08, size=(50, 3)), np.array([[1.0, 0, 0], [-0.2, 0.8, 0.6]])
    arms[1] /= np.linalg.norm(arms[1])
    right = make_two_handed_motion("turn", "right", arms, body, 9, 1.1, 2)
    left = make_two_handed_motion("turn", "left", arms @ mirror, body @ mirror, 9, 1.1, 2)
    np.testing.assert_allclose(left[:, :3, :3], mirror @ right[:, :3, :3] @ mirror, atol=1e-12)
    np.testing.assert_allclose(left[:, :3, 3], right[:, :3, 3] @ mirror, atol=1e-12)
    shown = arms @ right[4, :3, :3].T
    assert shown[0, 0] > 0.3 and shown[1, 0] < -0.3 and (shown[:, 1] > 0.1).all()


def test_a_right_hand_beside_a_left_one_rests_as_the_mirror_image(beside_scene: ClipScene) -> None:
    mirror, four = np.diag([-1.0, 1.0, 1.0]), np.diag([-1.0, 1.0, 1.0, 1.0])
    parts, motion = beside_scene.parts, replace(beside_scene.motion, second=None)
    mesh = Mesh(parts.object_mesh.vertices @ mirror, parts.object_mesh.faces[:, ::-1])
    mirrored = SceneParts.of(load_actor("anny", "left"), parts.shape, mesh, load_actor("anny", "right"))
    image = HandObjectMotion(four @ motion.T_camera_hand @ four, four @ motion.T_hand_object @ four, motion.pose * [1, -1, -1], motion.T_camera_room)
    right, left = rest_beside(parts, motion, 1.1, 5).of_second(), rest_beside(mirrored, image, 1.1, 5).of_second()
    np.testing.assert_allclose(left.T_camera_hand, four @ right.T_camera_hand @ four, atol=1e-5)
    np.testing.assert_allclose(left.pose, right.pose * [1, -1, -1], atol=1e-6)


def test_one_hand_has_the_same_meshes_with_and_without_a_second(beside_scene: ClipScene) -> None:
    both = beside_scene.parts
    alone = SceneParts.of(both.actor, both.shape, both.object_mesh)
    count = len(alone.faces)
    np.testing.assert_array_equal(both.faces[:count], alone.faces)
    np.testing.assert_array_equal(both.face_part[:count], alone.face_part)
    np.testing.assert_array_equal(both.rest[: len(alone.rest)], alone.rest)
    moment = beside_scene.motion.at(0)
    arranged = [parts.arranged(moment.pose, moment.T_hand_object, second) for parts, second in ((both, moment.second), (alone, None))]
    np.testing.assert_array_equal(arranged[0].mesh.vertices[: len(alone.rest)], arranged[1].mesh.vertices)
    np.testing.assert_array_equal(arranged[0].normals[: len(alone.rest)], arranged[1].normals)


def test_where_no_second_grasp_is_found_the_error_says_how_near_it_came(holding_scene: ClipScene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_grasp, "REFINED", 1)
    monkeypatch.setattr(second_grasp, "SMALLEST_GAP", 0.5)
    with pytest.raises(RefusedInput, match="HF-SYN-011.*fingers touch, and -?\\d+ mm are left"):
        second_grasp.find_second_grasp(holding_scene.parts, holding_scene.grasp, 1)


@pytest.mark.parametrize("wrong", [{"second_hand": "some"}, {"second_hand": "holding", "motion": "release"}, {"second_hand": "holding", "motion_from": "x"}])
def test_impossible_second_hands_are_usage_errors(wrong: dict) -> None:
    with pytest.raises(UsageError, match="HF-SYN-009"):
        ClipRecipe(**wrong)


def test_the_command_line_offers_every_second_hand() -> None:
    assert get_args(get_type_hints(SynthCommand)["second_hand"]) == SECOND_HAND_NAMES


def test_a_relaxed_hand_is_bent_within_its_limits() -> None:
    actor = load_actor("anny", "left")
    pose = relaxed_pose(actor, np.random.default_rng(0))
    assert limit_excess(actor, torch.from_numpy(pose)[None].float()).abs().max() < 1e-5 and np.abs(pose).max() > 0.1
