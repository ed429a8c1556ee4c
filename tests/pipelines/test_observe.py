"""What identifies a run (the content of what the user gave, not its name), and which way the masks are made."""

import zipfile
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np

from hoifield.clip.open_clip import open_clip
from hoifield.pipelines.observe import ObserveConfig, digest_folder, observe_clip


def masks(folder: Path, content: bytes) -> Path:
    folder.mkdir()
    (folder / "000000.png").write_bytes(content)
    return folder


def test_masks_are_known_by_content_wherever_they_lie(tmp_path: Path):
    first, same, other = masks(tmp_path / "a", b"one"), masks(tmp_path / "b", b"one"), masks(tmp_path / "c", b"two")
    assert digest_folder(first) == digest_folder(same) != digest_folder(other)
    assert ObserveConfig(masks=first).identity() == ObserveConfig(masks=same).identity() != ObserveConfig(masks=other).identity()
    (same / "000000.png").rename(same / "000001.png")
    assert digest_folder(first) != digest_folder(same)


def test_a_camera_file_is_known_by_content_and_numbers_by_themselves(tmp_path: Path):
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text("[1]")
    first, second = (ObserveConfig(intrinsics=str(tmp_path / name)).identity() for name in ("a.json", "b.json"))
    assert first == second
    assert ObserveConfig(intrinsics="500,500,320,240").identity()["intrinsics"] == "500,500,320,240"


def test_every_choice_changes_the_identity():
    plain = ObserveConfig().identity()
    for changed in (ObserveConfig(hand="left"), ObserveConfig(actor="mano"), ObserveConfig(object_point=(1.0, 2.0, 0)), ObserveConfig(seed=1)):
        assert changed.identity() != plain


def test_a_folder_that_is_not_there_is_like_an_empty_one(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    assert digest_folder(tmp_path / "absent") == digest_folder(tmp_path / "empty")


def sam2_weights(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "sam2.1_hiera_small.pt", "w") as archive:
        archive.writestr("sam2.1_hiera_s", "")
    return folder / "sam2.1_hiera_small.pt"


def test_weights_of_sam2_are_part_of_the_identity_by_content(tmp_path: Path):
    weights = sam2_weights(tmp_path)
    first = ObserveConfig(sam2_weights=weights).identity()
    assert first == ObserveConfig(sam2_weights=weights.rename(tmp_path / "renamed.pt")).identity() != ObserveConfig().identity()


def test_named_weights_of_sam2_make_the_masks(tmp_path: Path, sam2_stand_in: ModuleType):
    generator = np.random.default_rng(0)
    (tmp_path / "clip").mkdir()
    for frame in range(12):
        cv2.imwrite(str(tmp_path / "clip" / f"{frame:03d}.png"), generator.integers(0, 256, (120, 160, 3), dtype=np.uint8))
    config = ObserveConfig(object_point=(80.0, 60.0, 4), sam2_weights=sam2_weights(tmp_path))
    found = observe_clip(open_clip(tmp_path / "clip"), config, 12, lambda line: None)
    assert len(sam2_stand_in.built) == 1
    assert set(found.masks.source) == {"carried"} and (found.masks.labels[:, 60, 80] == 1).all() and (found.masks.labels == 1).mean() < 0.05
    assert found.readiness.verdict == "refuse", "no hand"
