"""What is accepted as a mask folder, and what each refusal says."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from hoifield.errors import HoifieldError, MissingInput, RefusedInput
from hoifield.observations.read_given_masks import read_given_masks


def mask(height: int = 64, width: int = 36) -> np.ndarray:
    labels = np.zeros((height, width), np.uint8)
    labels[10:20, 5:15] = 1
    return labels


def read(folder: Path) -> dict[int, np.ndarray]:
    return read_given_masks(folder, frame_count=30, clip_size=(720, 1280), size=(360, 640))


def test_labels_keep_their_values_at_the_working_size(tmp_path: Path) -> None:
    labels = mask()
    labels[40:, :] = 254
    labels[:4, :] = 255
    cv2.imwrite(str(tmp_path / "000007.png"), labels)
    (tmp_path / "notes.txt").write_text("left alone")
    masks = read(tmp_path)
    assert list(masks) == [7]
    assert masks[7].shape == (640, 360)
    assert set(np.unique(masks[7])) == {0, 1, 254, 255}
    assert (masks[7] == 1).mean() == pytest.approx((labels == 1).mean())


def refusal(folder: Path) -> HoifieldError:
    with pytest.raises(HoifieldError) as caught:
        read(folder)
    return caught.value


def test_a_missing_or_empty_folder_is_a_missing_input(tmp_path: Path) -> None:
    assert refusal(tmp_path / "absent").code == "HF-MSK-001"
    error = refusal(tmp_path)
    assert error.code == "HF-MSK-002" and isinstance(error, MissingInput)


@pytest.mark.parametrize("name", ["mask_3.png", "000030.png", "7.png"])
def test_a_name_that_is_no_frame_is_refused(tmp_path: Path, name: str) -> None:
    cv2.imwrite(str(tmp_path / name), mask())
    assert refusal(tmp_path).code == "HF-MSK-003"


def test_colours_wide_types_and_broken_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "000000.png"
    cv2.imwrite(str(path), np.dstack([mask(), mask() * 2, mask()]))
    assert refusal(tmp_path).code == "HF-MSK-004"
    cv2.imwrite(str(path), mask().astype(np.uint16))
    assert refusal(tmp_path).code == "HF-MSK-004"
    path.write_bytes(b"not a picture")
    assert refusal(tmp_path).code == "HF-MSK-004"
    path.write_bytes(b"")
    assert refusal(tmp_path).code == "HF-MSK-004"


def test_unknown_labels_other_aspects_and_no_object_are_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "000000.png")
    cv2.imwrite(path, mask() * 128)
    error = refusal(tmp_path)
    assert error.code == "HF-MSK-005" and "128" in str(error) and isinstance(error, RefusedInput)
    cv2.imwrite(path, mask(36, 64))
    assert refusal(tmp_path).code == "HF-MSK-006"
    cv2.imwrite(path, 0 * mask())
    assert refusal(tmp_path).code == "HF-MSK-007"
