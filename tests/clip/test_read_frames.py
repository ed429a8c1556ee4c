"""Streaming: the asked frames, at the asked size, without holding the clip."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from video_writer import write_video

from hoifield.clip.open_clip import open_clip
from hoifield.errors import InternalError, RefusedInput


def test_the_asked_frames_equal_those_of_a_full_pass(tmp_path: Path) -> None:
    clip = open_clip(write_video(tmp_path / "a.mp4", frames=30, codec_options={"bf": "3"}))
    everything = {number: image for number, image in clip.read_frames()}
    asked = list(clip.read_frames([0, 3, 4, 17, 29]))
    assert [number for number, _ in asked] == [0, 3, 4, 17, 29]
    for number, image in asked:
        np.testing.assert_array_equal(image, everything[number])


def test_shrinking_averages_areas(tmp_path: Path) -> None:
    clip = open_clip(write_video(tmp_path / "a.mp4", frames=8))
    ((_, whole),) = clip.read_frames([2])
    ((_, half),) = clip.read_frames([2], size=(32, 24))
    expected = whole.reshape(24, 2, 32, 2, 3).astype(float).mean(axis=(1, 3))
    np.testing.assert_allclose(half, expected, atol=0.51)
    assert next(iter(clip.read_frames([2], size=(100, 80))))[1].shape == (80, 100, 3)


def test_no_frames_asked_gives_none(tmp_path: Path) -> None:
    assert list(open_clip(write_video(tmp_path / "a.mp4", frames=8)).read_frames([])) == []


@pytest.mark.parametrize("frames", [[8], [-1], [3, 2], [2, 2]])
def test_frames_that_cannot_be_given_are_an_error(tmp_path: Path, frames: list[int]) -> None:
    clip = open_clip(write_video(tmp_path / "a.mp4", frames=8))
    with pytest.raises(InternalError, match="HF-VID-014"):
        list(clip.read_frames(frames))


def test_a_file_that_changed_since_it_was_opened_is_noticed(tmp_path: Path) -> None:
    clip = open_clip(write_video(tmp_path / "a.mp4", frames=20))
    write_video(tmp_path / "a.mp4", frames=12)
    with pytest.raises(RefusedInput, match="had 20"):
        list(clip.read_frames())


def test_memory_does_not_grow_with_the_clip(tmp_path: Path) -> None:
    program = (
        "import pathlib, resource, sys\n"
        "from hoifield.clip.open_clip import open_clip\n"
        "for path in sys.argv[1:]:\n"
        "    count = sum(1 for _ in open_clip(pathlib.Path(path)).read_frames())\n"
        "    print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)\n"
    )
    options = {"preset": "ultrafast", "g": "30"}
    paths = [write_video(tmp_path / f"{frames}.mp4", frames=frames, size=(640, 480), codec_options=options) for frames in (40, 400)]
    finished = subprocess.run([sys.executable, "-c", program, *map(str, paths)], capture_output=True, text=True, check=True)
    (short, short_peak), (long, long_peak) = [tuple(map(int, line.split())) for line in finished.stdout.splitlines()]
    assert (short, long) == (40, 400)
    assert long_peak - short_peak < 360 * 640 * 480 * 3 / 15, "a fifteenth of the frames in between"


def test_real_frames_are_upright_and_in_colour(real_data: Path) -> None:
    clip = open_clip(real_data / "forehoi-wild1" / "wild1.mp4")
    frames = dict(clip.read_frames([0, 85, 169], size=(360, 640)))
    assert list(frames) == [0, 85, 169]
    assert all(image.shape == (640, 360, 3) and image.std() > 10 for image in frames.values())
    difference = cv2.absdiff(frames[0], frames[85])
    assert difference.mean() > 1.0, "the hand moves"
