"""What identifies a run: the content of what the user gave, not its name."""

from pathlib import Path

from hoifield.pipelines.observe import ObserveConfig, digest_folder


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
