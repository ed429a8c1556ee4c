"""nerfstudio's own formulas see the object where the result has it, and learn from the pixels that say something about it."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from handmade_result import bowl, handmade_result

from hoifield.result.mesh_files import read_mesh
from hoifield.result.nerfstudio_folder import write_nerfstudio
from hoifield.result.object_cameras import object_cameras

PLACED = [0, 1, 2, 3, 6, 7, 8, 9, 10, 11]


def labels_of(frame: int) -> np.ndarray:
    labels = np.zeros((240, 320), dtype=np.uint8)
    labels[:40], labels[40:80], labels[80:120] = 1, 2, 3
    return labels


@pytest.fixture
def data_set(tmp_path: Path) -> Path:
    cameras = object_cameras(handmade_result())
    pictures = ((frame, np.full((240, 320, 3), [200, 10 * frame, 0], dtype=np.uint8)) for frame in PLACED)
    write_nerfstudio(tmp_path, cameras, bowl(), pictures, labels_of)
    return tmp_path


@pytest.fixture
def transforms(data_set: Path) -> dict[str, Any]:
    return json.loads((data_set / "transforms.json").read_text())


def project(frame: dict[str, Any], points: np.ndarray) -> np.ndarray:
    """Pixels of world points by nerfstudio's conventions: camera-to-world, x right, y up, looking along -z, centres at +0.5."""
    T_camera_world = np.linalg.inv(np.array(frame["transform_matrix"]))
    x, y, z = T_camera_world[:3, :3] @ points.T + T_camera_world[:3, 3:]
    assert (z < 0).all()
    return np.stack([frame["cx"] + frame["fl_x"] * x / -z, frame["cy"] - frame["fl_y"] * y / -z], axis=1)


def test_nerfstudios_formulas_project_the_object_as_the_result_does(transforms: dict[str, Any]) -> None:
    result = handmade_result()
    assert [Path(frame["file_path"]).stem for frame in transforms["frames"]] == [f"{frame:06d}" for frame in PLACED]
    for number, frame in zip(PLACED, transforms["frames"], strict=True):
        moved = bowl().moved(result.T_camera_object[number]).vertices @ result.K[number].T
        np.testing.assert_allclose(project(frame, bowl().vertices), moved[:, :2] / moved[:, 2:], atol=1e-6)


def test_the_camera_moves_and_the_object_stands_still(transforms: dict[str, Any], data_set: Path) -> None:
    centres = np.array([frame["transform_matrix"] for frame in transforms["frames"]])[:, :3, 3]
    assert np.ptp(centres, axis=0).max() > 0.2 and transforms["orientation_override"] == "none"
    np.testing.assert_allclose(read_mesh(data_set / transforms["ply_file_path"]).vertices, bowl().vertices, atol=1e-7)


def test_pictures_are_opaque_on_the_object_and_hands_are_masked_out(transforms: dict[str, Any], data_set: Path) -> None:
    frame = transforms["frames"][4]
    picture = cv2.imread(str(data_set / frame["file_path"]), cv2.IMREAD_UNCHANGED)
    mask = cv2.imread(str(data_set / frame["mask_path"]), cv2.IMREAD_UNCHANGED)
    assert picture[20, 5].tolist() == [0, 60, 200, 255] and picture[200, 5].tolist() == [0, 60, 200, 0]
    assert mask.ndim == 2 and [mask[row, 5] for row in (20, 60, 100, 200)] == [255, 0, 0, 255]
    assert picture.shape[:2] == mask.shape == (transforms["h"], transforms["w"])


def test_frames_without_the_object_are_named_as_left_out(transforms: dict[str, Any], data_set: Path) -> None:
    assert transforms["frames_left_out"] == [4, 5]
    assert len(list((data_set / "images").iterdir())) == len(list((data_set / "masks").iterdir())) == 10
