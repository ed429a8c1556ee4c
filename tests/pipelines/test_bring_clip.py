"""A build folder of HOLD's brings its own masks and camera; what the user names goes before; any other path stays as it is."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from hoifield.clip.open_clip import open_clip
from hoifield.datasets.encode_pickle import encode_npy_dictionary
from hoifield.observations.guess_camera import guess_camera
from hoifield.pipelines.bring_clip import bring_clip


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten pictures of 64 x 48 with masks, seen by a camera of focal length 80."""
    monkeypatch.setenv("HOIFIELD_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "hold_mug1_itw" / "build"
    for name in ("image", "mask"):
        (folder / name).mkdir(parents=True)
    for frame in range(10):
        cv2.imwrite(str(folder / "image" / f"{frame:04d}.png"), np.full((48, 64, 3), 20 * frame, dtype=np.uint8))
        cv2.imwrite(str(folder / "mask" / f"{frame:04d}.png"), np.full((48, 64), 50, dtype=np.uint8))
    world = np.array([[80.0, 0.0, -31.5, 0.4], [0.0, -80.0, -23.5, 0.2], [0.0, 0.0, -1.0, 0.5], [0.0, 0.0, 0.0, 1.0]])
    cameras = {"world_mat_0": world, "scale_mat_0": np.diag([0.3, 0.3, 0.3, 1.0])}
    (folder / "data.npy").write_bytes(encode_npy_dictionary({"cameras": cameras}))
    return folder


def test_a_build_folder_brings_everything(build: Path) -> None:
    for path in (build, build.parent):
        named = bring_clip(path, None, None)
        clip = open_clip(named.video)
        assert named.name == "hold_mug1_itw" and clip.frame_count == 10
        np.testing.assert_allclose(guess_camera(clip, named.intrinsics)[0].K, [[80, 0, 32], [0, 80, 24], [0, 0, 1]], atol=1e-4)
        assert (cv2.imread(str(named.masks / "000009.png"), cv2.IMREAD_UNCHANGED) == 1).all()


def test_the_same_folder_brings_the_same_masks_and_an_edited_one_others(build: Path) -> None:
    first = bring_clip(build, None, None).masks
    assert bring_clip(build, None, None).masks == first
    cv2.imwrite(str(build / "mask" / "0003.png"), np.full((48, 64), 150, dtype=np.uint8))
    second = bring_clip(build, None, None).masks
    assert second != first and (cv2.imread(str(second / "000003.png"), cv2.IMREAD_UNCHANGED) == 2).all()


def test_what_the_user_names_goes_before(build: Path, tmp_path: Path) -> None:
    named = bring_clip(build, tmp_path, "1,2,3,4")
    assert (named.masks, named.intrinsics) == (tmp_path, "1,2,3,4")


def test_any_other_path_stays_as_it_is(build: Path, tmp_path: Path) -> None:
    for path in (build / "image", tmp_path / "Clip 1.mp4"):
        named = bring_clip(path, None, None)
        assert (named.video, named.masks, named.intrinsics) == (path, None, None)
    assert bring_clip(tmp_path / "Clip 1.mp4", None, None).name == "clip-1"
