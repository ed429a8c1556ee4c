"""Rooms, exposures and full truth: what moves in the picture moves as geometry says, and the pictures of the truth agree."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from hoifield.errors import UsageError
from hoifield.evaluation.contact_metrics import CONTACT_DISTANCE
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.result.mesh_files import write_mesh
from hoifield.result.result_folder import read_result
from hoifield.synthetic.clip_recipe import ClipRecipe
from hoifield.synthetic.clip_scene import ClipScene, build_clip_scene
from hoifield.synthetic.hand_object_motion import HandObjectMotion
from hoifield.synthetic.make_clip import make_clip, write_video
from hoifield.synthetic.render_clip import NOISE, Exposure, RenderedFrame, render_frames
from hoifield.synthetic.room import WALL_DISTANCE, Room, make_room
from hoifield.synthetic.scene_sequence import SceneSequence
from hoifield.synthetic.truth_files import prepare_folder

SIZE, CAN_RADIUS, CAN_HEIGHT = 96, 0.033, 0.116
RECIPE = ClipRecipe(frames=3, size=SIZE, side="left", seed=1, truth="full", stated_focal=1.25)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> ClipScene:
    """A can in a hand that turns for two frames and is 5 cm off the resting can in the third."""
    path = tmp_path_factory.mktemp("mesh") / "can.ply"
    shape = trimesh.creation.cylinder(CAN_RADIUS, CAN_HEIGHT, sections=40)
    write_mesh(path, Mesh(np.asarray(shape.vertices), np.asarray(shape.faces)))
    held = build_clip_scene(replace(RECIPE, object=str(path), motion="turn"))
    T_hand, T_in_hand = held.motion.T_camera_hand.copy(), held.motion.T_hand_object.copy()
    T_hand[2] = T_hand[1]
    T_hand[2, :3, 3] += 0.05 * T_hand[1, :3, 1]
    T_in_hand[2] = np.linalg.inv(T_hand[2]) @ T_hand[1] @ T_in_hand[1]
    return replace(held, motion=replace(held.motion, T_camera_hand=T_hand, T_hand_object=T_in_hand))


@pytest.fixture(scope="module")
def full(scene: ClipScene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("full")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hoifield.synthetic.make_clip.build_clip_scene", lambda recipe: scene)
        make_clip(RECIPE, folder)
    return folder


def _render(scene: ClipScene, exposure: Exposure, poses: list[int]) -> list[RenderedFrame]:
    """The held can in the poses of those frames."""
    motion = HandObjectMotion.held(scene.motion.T_camera_hand[poses], scene.grasp)
    room = make_room(2 * SIZE, np.diag([2.0, 2.0, 1.0]) @ scene.K, 0, camera_moves=False)
    return list(render_frames(SceneSequence(scene.parts, motion, 0), scene.K, SIZE, room, scene.look, "left", exposure))


def _read(folder: Path, name: str, frame: int) -> np.ndarray:
    return cv2.imread(str(folder / name / f"{frame:06d}.png"), cv2.IMREAD_UNCHANGED)


def test_a_spot_on_the_wall_is_seen_where_a_moved_camera_projects_it() -> None:
    K, half_K = (np.array([[f, 0, f / 2], [0, f, f / 2], [0, 0, 1]]) for f in (300.0, 150.0))
    spot = np.array([0.24, -0.17, WALL_DISTANCE])
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = Rotation.from_rotvec([0.06, -0.08, 0.2]).as_matrix(), [0.09, -0.05, 0.12]

    def picture_of_spot(place: np.ndarray) -> np.ndarray:
        y, x = np.mgrid[0:300, 0:300] + 0.5
        return np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / 50)[..., None].repeat(3, axis=2)

    drawn, expected = K @ spot / spot[2], half_K @ (T[:3, :3] @ spot + T[:3, 3])
    seen = Room(picture_of_spot(drawn), K).seen(T, half_K, 150, 150)[..., 0]
    y, x = np.mgrid[0:150, 0:150] + 0.5
    np.testing.assert_allclose([(seen * x).sum() / seen.sum(), (seen * y).sum() / seen.sum()], expected[:2] / expected[2], atol=0.05)


def test_a_camera_that_does_not_move_sees_the_room_as_it_was_drawn() -> None:
    K = np.array([[64.0, 0, 32], [0, 64, 32], [0, 0, 1]])
    room = make_room(64, K, 3, camera_moves=False)
    assert room.seen(np.eye(4), K, 64, 64) is room.light
    np.testing.assert_allclose(room.seen(np.eye(4), K, 32, 32)[3, 5], room.light[6:8, 10:12].mean((0, 1)))
    wide = make_room(64, K, 3, camera_moves=True)
    assert wide.light.shape[0] > 100 and wide.K[0, 2] == wide.light.shape[1] / 2


def test_the_exposure_rises_by_the_stops_asked_for() -> None:
    gains = [Exposure(drift=2.0).gain(share) for share in (0, 0.5, 1)]
    np.testing.assert_allclose(gains, [0.5, 1.0, 2.0])
    assert Exposure().gain(0.3) == 1.0


def test_an_open_shutter_smears_what_moves_and_leaves_what_rests(scene: ClipScene) -> None:
    sharp, smeared = (_render(scene, Exposure(shutter=shutter), [0, 1, 1])[1] for shutter in (0.0, 0.6))
    np.testing.assert_array_equal(sharp.labels, smeared.labels)
    far = cv2.dilate(np.isfinite(sharp.depth).astype(np.uint8), np.ones((35, 35))) == 0
    change = np.abs(sharp.picture.astype(float) - smeared.picture).mean(2)
    assert change[far].mean() < 2 and change[sharp.labels == 1].mean() > 15
    still = [frame.picture.astype(float) for frame in (_render(scene, Exposure(shutter=shutter), [0, 0])[0] for shutter in (0.0, 0.6))]
    assert np.abs(still[0] - still[1])[sharp.labels == 0].mean() < 3


def test_noise_and_drift_do_what_they_say(scene: ClipScene) -> None:
    plain, noisy, brighter = (_render(scene, exposure, [0, 0, 0]) for exposure in (Exposure(), Exposure(noise=0.06), Exposure(drift=1.0)))
    far = ~np.isfinite(plain[0].depth)
    added = noisy[1].picture.astype(float) - plain[1].picture
    assert added[far].std() == pytest.approx(255 * (np.hypot(0.06, NOISE) - NOISE), rel=0.1)
    ratios = [frame.picture[far].mean() / plain[0].picture[far].mean() for frame in brighter]
    np.testing.assert_allclose(ratios, 2.0 ** (np.array([-0.5, 0, 0.5]) / 2.2), rtol=0.02)


def test_stronger_compression_makes_a_smaller_file(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, size=(3, 64, 64, 3), dtype=np.uint8)
    for quality in (17, 45):
        write_video(tmp_path / f"{quality}.mp4", pictures, (64, 64), 30.0, quality)
    assert (tmp_path / "45.mp4").stat().st_size < 0.5 * (tmp_path / "17.mp4").stat().st_size


def test_whole_outlines_cover_what_is_seen_and_go_on_behind(full: Path) -> None:
    hidden = 0
    for frame in range(3):
        labels, outlines = _read(full, "masks", frame), _read(full, "masks_amodal", frame)
        assert (outlines[labels == 1] & 1).all() and (outlines[labels == 3] & 4).all()
        assert not (outlines & 2).any()
        hidden += int((outlines == 5).sum())
    assert hidden > 20


def test_normals_are_those_of_the_can_in_the_axes_of_the_camera(full: Path) -> None:
    truth = read_result(full)
    labels, depth, stored = _read(full, "masks", 0), _read(full, "depth", 0) / 1000, _read(full, "normals", 0)[..., ::-1]
    assert not stored[labels == 0].any() and (stored[labels > 0] > 0).any(1).all()
    y, x = np.nonzero(labels == 1)
    rays = np.stack([x + 0.5, y + 0.5, np.ones(len(x))], 1) @ np.linalg.inv(truth.K[0]).T
    T = truth.T_camera_object[0]
    points, normals = (rays * depth[y, x, None] - T[:3, 3]) @ T[:3, :3], ((stored[y, x].astype(float) - 128) / 127) @ T[:3, :3]
    assert ((stored[y, x].astype(float) - 128) * rays).sum(1).max() < 0.02 * 127
    side, cap = np.abs(points[:, 2]) < CAN_HEIGHT / 2 - 0.004, np.hypot(points[:, 0], points[:, 1]) < CAN_RADIUS - 0.004
    assert side.sum() > 50 and cap.sum() > 50
    assert (normals[side] * points[side] * [1, 1, 0] / CAN_RADIUS).sum(1).min() > 0.95
    assert (normals[cap, 2] * np.sign(points[cap, 2])).min() > 0.98


def test_contacts_and_penetration_are_those_of_the_meshes(full: Path) -> None:
    truth = read_result(full)
    hand, T = truth.hands[0], truth.T_camera_object
    with np.load(full / "truth.npz") as arrays:
        contact, penetration = arrays["left_contact"], arrays["left_penetration"]
    surface = MeshDistance(truth.object_mesh.vertices, truth.object_mesh.faces)
    for frame in range(3):
        distance = surface.closest((hand.vertices[frame] - T[frame, :3, 3]) @ T[frame, :3, :3]).signed_distance
        assert penetration[frame] == pytest.approx(-distance.min(), abs=2e-6)
        sure = np.abs(np.abs(distance) - CONTACT_DISTANCE) > 1e-5
        np.testing.assert_array_equal(contact[frame][sure], (np.abs(distance) < CONTACT_DISTANCE)[sure])
    assert contact[0].any() and not contact[2].any()
    quality = json.loads((full / "result.json").read_text())["quality"]
    assert 0.2 < quality["contact_fraction"] < 1 and quality["penetration_mean_mm"] < 2


def test_the_stated_focal_length_is_off_by_the_factor_asked_for(full: Path) -> None:
    focal = read_result(full).K[0, 0, 0]
    numbers = [float(word) for word in (full / "intrinsics.txt").read_text().split(",")]
    np.testing.assert_allclose(numbers, [1.25 * focal, 1.25 * focal, SIZE / 2, SIZE / 2], rtol=1e-6)


def test_an_earlier_clip_leaves_nothing_behind(full: Path, tmp_path: Path) -> None:
    shutil.copytree(full, tmp_path / "again")
    prepare_folder(tmp_path / "again", replace(RECIPE, truth="basic"))
    left = {path.name for path in (tmp_path / "again").rglob("*") if path.is_file()}
    assert left == {"clip.mp4", "result.json", "object.ply", "poses.npz", "truth.json", "truth.npz"}


@pytest.mark.parametrize(
    "wrong", [{"camera": "drone"}, {"motion_blur": 1.5}, {"sensor_noise": -0.1}, {"compression": 60}, {"truth": "some"}, {"stated_focal": 0.0}]
)
def test_knobs_out_of_range_are_refused(wrong: dict) -> None:
    with pytest.raises(UsageError, match="HF-SYN-009"):
        ClipRecipe(**wrong)
