"""Folders of images as clips."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from video_writer import draw_frame

from hoifield.clip.open_clip import open_clip
from hoifield.errors import RefusedInput


def write_images(folder: Path, count: int = 10, suffix: str = "png", size: tuple[int, int] = (64, 48), exif: PIL.Image.Exif | None = None) -> Path:
    folder.mkdir()
    for number in range(count):
        options = {"exif": exif} if exif is not None else {}
        PIL.Image.fromarray(draw_frame(number, *size)).save(folder / f"frame{number}.{suffix}", **options)
    return folder


def test_images_come_in_natural_order_at_thirty_per_second(tmp_path: Path) -> None:
    clip = open_clip(write_images(tmp_path / "My Mug", count=12))
    assert (clip.kind, clip.name, clip.width, clip.height, clip.frame_count) == ("images", "my-mug", 64, 48, 12)
    assert [int(image[-1, -1, 0]) for _, image in clip.read_frames()] == [4 * number for number in range(12)]
    np.testing.assert_allclose(clip.time_s, np.arange(12) / 30.0)
    assert clip.focal_from_metadata is None


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    clip = open_clip(write_images(tmp_path / "turned", suffix="jpg", exif=exif))
    assert (clip.width, clip.height) == (48, 64)
    ((_, image),) = clip.read_frames([0])
    assert image[4, -5].argmax() == 0, "orientation 6 turns the red top left corner to the top right"
    assert image[4, 4].argmax() == 2


def test_the_focal_length_comes_from_exif_only_where_it_is_named(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 26
    clip = open_clip(write_images(tmp_path / "phone", suffix="jpg", exif=exif, size=(72, 48)))
    assert clip.focal_from_metadata == pytest.approx(26.0 / 36.0 * 72.0)


def test_a_truncated_image_is_refused(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "a", suffix="jpg")
    path = folder / "frame4.jpg"
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(RefusedInput, match="HF-VID-003.*frame4"):
        open_clip(folder)


def test_images_of_different_sizes_are_refused(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "a")
    PIL.Image.new("RGB", (65, 48)).save(folder / "frame5.png")
    with pytest.raises(RefusedInput, match="HF-VID-012.*65x48"):
        open_clip(folder)


def test_too_few_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedInput, match="HF-VID-009"):
        open_clip(write_images(tmp_path / "a", count=7))


@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "I;16", "1", "LA", "CMYK"])
def test_every_kind_of_pixel_becomes_rgb(tmp_path: Path, mode: str) -> None:
    folder = write_images(tmp_path / "a")
    for path in folder.iterdir():
        grey = PIL.Image.fromarray(np.full((48, 64), 255, np.uint8))
        image = PIL.Image.fromarray(np.full((48, 64), 65535, np.uint16)) if mode == "I;16" else grey.convert("RGB").convert(mode)
        path.unlink()
        image.save(path.with_suffix(".tif"))
    ((_, image),) = open_clip(folder).read_frames([3])
    assert image.shape == (48, 64, 3)
    assert image.min() == 255


def test_the_digest_covers_names_and_contents(tmp_path: Path) -> None:
    first = open_clip(write_images(tmp_path / "a"))
    second = write_images(tmp_path / "b")
    assert open_clip(second).sha256 == first.sha256
    (second / "frame0.png").rename(second / "frame10.png")
    assert open_clip(second).sha256 != first.sha256


def test_hidden_and_other_files_do_not_count(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "a")
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "._frame0.png").write_bytes(b"x")
    (folder / "notes.txt").write_text("x")
    assert open_clip(folder).frame_count == 10
