"""A build folder written here means to HOLD's own formulas what the result says, and one written by HOLD is read back."""

import io
import pickle
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from tiny_sets import FRAMES, GL, SIZE, K, TinyHand, mano_forward, write_dexycb

from hoifield.datasets.hold_build import bring_hold_build, find_hold_build, write_hold_build
from hoifield.datasets.read_truth import read_truth
from hoifield.errors import MissingInput, RefusedInput
from hoifield.observations.read_given_masks import read_given_masks
from hoifield.result.fit_result import FitResult

PICTURES = [(frame, np.full((SIZE[1], SIZE[0], 3), [200, 10 * frame, 0], dtype=np.uint8)) for frame in range(FRAMES)]


def labels_of(frame: int) -> np.ndarray:
    labels = np.zeros((SIZE[1], SIZE[0]), dtype=np.uint8)
    labels[10:20, frame : frame + 10], labels[20:30], labels[30:35] = 1, 2, 3
    return labels


@pytest.fixture
def result(right_hand: TinyHand, with_mano: None, tmp_path: Path) -> FitResult:
    """The scene with everything placed but frame 0."""
    return read_truth(write_dexycb(tmp_path / "set", right_hand)).result


@pytest.fixture
def build(result: FitResult, tmp_path: Path) -> Path:
    folder = tmp_path / "hold_scene" / "build"
    assert write_hold_build(folder, result, iter(PICTURES), labels_of, "hold_scene") == FRAMES - 1
    return folder


@pytest.fixture
def data(build: Path) -> dict:
    return np.load(build / "data.npy", allow_pickle=True).item()


def to_camera(points: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """HOLD's map_deform2eval for a scene of scale 1: its frame to OpenCV's camera, as its evaluation writes it."""
    return points @ np.diag(GL) + shift * [-1, 1, 1]


def test_holds_hand_is_the_results_hand(data: dict, result: FitResult, right_hand: TinyHand) -> None:
    hand, arrays = data["entities"]["right"], right_hand.arrays
    for number in range(FRAMES - 1):
        rotation, offsets = hand["hand_poses"][number, :3], hand["hand_poses"][number, 3:]
        vertices, _ = mano_forward(arrays, hand["mean_shape"], rotation, offsets + arrays["hands_mean"], np.zeros(3))
        placed = to_camera(vertices + hand["hand_trans"][number], data["normalize_shift"])
        np.testing.assert_allclose(placed, result.hands[0].vertices[number + 1, :778], atol=2e-5)


def test_holds_object_is_the_results_object(data: dict, result: FitResult) -> None:
    entity = data["entities"]["object"]
    denormalise = np.linalg.inv(entity["norm_mat"])
    cloud = (entity["pts.cano"] @ denormalise[:3, :3].T + denormalise[:3, 3]) * entity["obj_scale"]
    np.testing.assert_allclose(cloud, result.object_mesh.vertices, atol=1e-6)
    assert np.linalg.norm(entity["pts.cano"], axis=1).max() == pytest.approx(1, abs=1e-6)
    for number, pose in enumerate(entity["object_poses"]):
        placed = to_camera(cloud @ Rotation.from_rotvec(pose[:3]).as_matrix().T + pose[3:], data["normalize_shift"])
        T = result.T_camera_object[number + 1]
        np.testing.assert_allclose(placed, result.object_mesh.vertices @ T[:3, :3].T + T[:3, 3], atol=1e-5)


def test_holds_cameras_project_the_scene_into_the_pictures(data: dict, result: FitResult) -> None:
    pose, T = data["entities"]["object"]["object_poses"][2], result.T_camera_object[3]
    camera = K @ T[:3, 3]
    expected = camera[:2] / camera[2] - 0.5
    projected = data["cameras"]["world_mat_2"] @ np.append(pose[3:], 1.0)
    np.testing.assert_allclose(projected[:2] / projected[2], expected, atol=1e-3)


def test_the_scene_lies_well_inside_holds_sphere_at_every_depth(result: FitResult, tmp_path: Path) -> None:
    """HOLD's own shift divides by zero for an object at one metre."""
    for number, depth in enumerate((0.3, 1.0, 2.0)):
        T = result.T_camera_object.copy()
        T[:, 2, 3] = depth
        folder = tmp_path / f"depth{number}"
        write_hold_build(folder, replace(result, T_camera_object=T), iter(PICTURES), labels_of, "x")
        data = np.load(folder / "data.npy", allow_pickle=True).item()
        scale = 1 / data["cameras"]["scale_mat_0"][0, 0]
        assert np.linalg.norm(scale * data["entities"]["object"]["object_poses"][:, 3:], axis=1).max() < 1
        assert scale * np.linalg.norm(data["normalize_shift"]) == pytest.approx(2)


def test_pictures_masks_and_names_are_those_of_the_placed_frames(build: Path) -> None:
    names = [f"{number:04d}.png" for number in range(FRAMES - 1)]
    assert sorted(path.name for path in (build / "image").iterdir()) == sorted(path.name for path in (build / "mask").iterdir()) == names
    assert (build / "corres.txt").read_text().split() == [f"{frame:06d}.png" for frame in range(1, FRAMES)]
    assert cv2.imread(str(build / "image" / "0000.png"))[0, 0].tolist() == [0, 10, 200]
    mask = cv2.imread(str(build / "mask" / "0001.png"), cv2.IMREAD_GRAYSCALE)
    assert [mask[row, 5] for row in (5, 15, 25, 32)] == [0, 50, 150, 250]


def test_a_build_folder_gives_clip_masks_and_camera_back(build: Path) -> None:
    assert find_hold_build(build.parent) == find_hold_build(build) == build
    brought = bring_hold_build(build)
    assert brought.video == build / "image"
    np.testing.assert_allclose([float(word) for word in brought.intrinsics.split(",")], [80, 81, 32, 24], atol=1e-3)
    masks = read_given_masks(brought.masks, FRAMES - 1, SIZE, SIZE)
    np.testing.assert_array_equal(masks[2], labels_of(3))


def test_a_build_folder_as_hold_pickles_it_is_read(build: Path, data: dict) -> None:
    """Written by numpy itself, with a tensor among the arrays, as HOLD's script does."""
    data["entities"]["object"]["norm_mat"] = torch.from_numpy(np.array(data["entities"]["object"]["norm_mat"]))
    stream = io.BytesIO()
    np.save(stream, data)
    (build / "data.npy").write_bytes(stream.getvalue())
    np.testing.assert_allclose([float(word) for word in bring_hold_build(build).intrinsics.split(",")], [80, 81, 32, 24], atol=1e-3)


def test_a_build_folder_that_would_execute_is_refused(build: Path, tmp_path: Path) -> None:
    header = (build / "data.npy").read_bytes()[:128]
    (build / "data.npy").write_bytes(header + pickle.dumps({"cameras": 1})[:-1] + b"0cos\nmkdir\n(V" + str(tmp_path / "canary").encode() + b"\ntR.")
    with pytest.raises(RefusedInput, match=r"os\.mkdir"):
        bring_hold_build(build)
    assert not (tmp_path / "canary").exists()


def test_masks_with_other_values_are_refused(build: Path) -> None:
    cv2.imwrite(str(build / "mask" / "0001.png"), np.full((4, 4), 100, dtype=np.uint8))
    with pytest.raises(RefusedInput) as raised:
        bring_hold_build(build)
    assert raised.value.code == "HF-SET-021"


def test_a_hand_that_is_not_manos_cannot_be_given_to_hold(result: FitResult, tmp_path: Path) -> None:
    foreign = replace(result, hands=(replace(result.hands[0], actor="anny"),))
    with pytest.raises(MissingInput) as raised:
        write_hold_build(tmp_path / "x", foreign, iter(PICTURES), labels_of, "x")
    assert raised.value.code == "HF-SET-023" and not (tmp_path / "x").exists()


def test_a_folder_of_pictures_is_no_build_folder(build: Path) -> None:
    assert find_hold_build(build / "image") is None
