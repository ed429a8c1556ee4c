"""COLMAP itself reads the text model, and sees the object where the result has it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from handmade_result import bowl, handmade_result

from hoifield.errors import RefusedInput
from hoifield.result.colmap_model import encode_colmap_model
from hoifield.result.fit_result import FitResult
from hoifield.result.object_cameras import object_cameras

PLACED = [0, 1, 2, 3, 6, 7, 8, 9, 10, 11]


def read_model(folder: Path, result: FitResult) -> Any:
    """The model as pycolmap reads it."""
    pycolmap = pytest.importorskip("pycolmap", reason="pycolmap is not installed")
    for name, content in encode_colmap_model(object_cameras(result), result.object_mesh).items():
        (folder / name).write_bytes(content)
    return pycolmap.Reconstruction(str(folder))


def project(points: np.ndarray, result: FitResult, frame: int) -> np.ndarray:
    T = result.T_camera_object[frame]
    pixels = (points @ T[:3, :3].T + T[:3, 3]) @ result.K[frame].T
    return pixels[:, :2] / pixels[:, 2:]


def test_colmap_reads_the_poses_and_projects_the_object_as_the_result_does(tmp_path: Path) -> None:
    result = handmade_result()
    model = read_model(tmp_path, result)
    assert sorted(image.name for image in model.images.values()) == [f"{frame:06d}.png" for frame in PLACED]
    for image in model.images.values():
        frame = image.image_id - 1
        np.testing.assert_allclose(image.cam_from_world().matrix(), result.T_camera_object[frame][:3], atol=1e-6)
        seen = np.array([image.project_point(vertex) for vertex in bowl().vertices])
        np.testing.assert_allclose(seen, project(bowl().vertices, result, frame), atol=1e-6)
        other = PLACED[PLACED.index(frame) - 1]
        assert np.abs(seen - project(bowl().vertices, result, other)).max() > 1, "poses of other frames would pass as well"


def test_colmaps_points_are_the_coloured_vertices(tmp_path: Path) -> None:
    points = read_model(tmp_path, handmade_result()).points3D
    numbers = sorted(points)
    np.testing.assert_allclose([points[number].xyz for number in numbers], bowl().vertices, atol=1e-9)
    np.testing.assert_array_equal([points[number].color for number in numbers], np.round(255 * bowl().colours))


def test_frames_of_another_zoom_have_a_camera_of_their_own(tmp_path: Path) -> None:
    result = handmade_result()
    K = result.K.copy()
    K[6:, 0, 0] = 500.0
    model = read_model(tmp_path, replace(result, K=K))
    assert {image.name: model.cameras[image.camera_id].params[0] for image in model.images.values()} == {
        f"{frame:06d}.png": 400.0 if frame < 6 else 500.0 for frame in PLACED
    }


def test_frames_without_the_object_are_named_as_left_out() -> None:
    cameras = object_cameras(handmade_result())
    assert cameras.left_out == (4, 5)
    assert b"left out, without a pose of the object: frames 4 5" in encode_colmap_model(cameras, bowl())["images.txt"]


def test_a_result_without_any_pose_of_the_object_is_refused() -> None:
    with pytest.raises(RefusedInput) as raised:
        object_cameras(handmade_result(gap=tuple(range(12))))
    assert raised.value.code == "HF-EXP-004"
