"""What is accepted as a folder of depth pictures, and what each refusal says."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from hoifield.errors import HoifieldError, MissingInput, RefusedInput
from hoifield.observations.sensor_depth import SensorDepth, read_sensor_depth


def picture(height: int = 64, width: int = 36) -> np.ndarray:
    depth = np.full((height, width), 500, np.uint16)
    depth[:, : width // 2] = 0
    return depth


def read(folder: Path) -> SensorDepth:
    return read_sensor_depth(folder, frame_count=30, clip_size=(720, 1280), size=(360, 640))


def refusal(folder: Path) -> HoifieldError:
    with pytest.raises(HoifieldError) as caught:
        read(folder)
    assert caught.value.remedy
    return caught.value


def test_millimetres_keep_their_values_and_frames_without_a_picture_have_none(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "000007.png"), picture())
    (tmp_path / "notes.txt").write_text("left alone")
    depth = read(tmp_path)
    assert depth.millimetres.shape == (30, 640, 360) and depth.frames == 1
    assert set(np.unique(depth.millimetres[7])) == {0, 500}, "nothing floats between two surfaces"
    assert not depth.millimetres[np.arange(30) != 7].any()


def test_a_folder_without_pictures_is_a_missing_input(tmp_path: Path) -> None:
    error = refusal(tmp_path)
    assert error.code == "HF-DEP-001" and isinstance(error, MissingInput)


@pytest.mark.parametrize("name", ["depth_3.png", "000030.png", "7.png"])
def test_a_name_that_is_no_frame_is_refused(tmp_path: Path, name: str) -> None:
    cv2.imwrite(str(tmp_path / name), picture())
    assert refusal(tmp_path).code == "HF-DEP-002"


def test_eight_bits_colours_and_broken_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "000000.png"
    cv2.imwrite(str(path), picture().astype(np.uint8))
    assert refusal(tmp_path).code == "HF-DEP-003"
    cv2.imwrite(str(path), np.dstack([picture()] * 3))
    assert refusal(tmp_path).code == "HF-DEP-003"
    path.write_bytes(b"not a picture")
    assert refusal(tmp_path).code == "HF-DEP-003"
    path.write_bytes(b"")
    assert refusal(tmp_path).code == "HF-DEP-003"


def test_another_aspect_is_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "000000.png"), picture(36, 64))
    assert refusal(tmp_path).code == "HF-DEP-004"


@pytest.mark.parametrize("value", [0, 1, 60_000])
def test_what_cannot_be_millimetres_of_a_held_object_is_refused(tmp_path: Path, value: int) -> None:
    cv2.imwrite(str(tmp_path / "000000.png"), np.full((64, 36), value, np.uint16))
    error = refusal(tmp_path)
    assert error.code == "HF-DEP-005" and isinstance(error, RefusedInput) and "millimetres" in error.remedy
