"""Frames from memory are those from the file, decoded once, as long as they fit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from hoifield.clip import remember_frames as module
from hoifield.clip.clip import Clip
from hoifield.clip.remember_frames import remember_frames


@dataclass(frozen=True)
class CountingClip(Clip):
    """Frames whose brightness is their number; notes what it is asked."""

    asked: list[tuple[int, ...]] = field(default_factory=list)

    def read_frames(self, frames: Sequence[int] | None = None, size: tuple[int, int] | None = None) -> Iterator[tuple[int, np.ndarray]]:
        width, height = size or (self.width, self.height)
        wanted = tuple(range(self.frame_count) if frames is None else frames)
        self.asked.append(wanted)
        return ((frame, np.full((height, width, 3), frame, np.uint8)) for frame in wanted)


@pytest.fixture
def clip() -> CountingClip:
    return CountingClip(Path("drawn"), "images", "drawn", "0" * 64, 20, 10, np.arange(12) / 30, None)


def numbers(frames: Iterator[tuple[int, np.ndarray]], shape: tuple[int, int]) -> list[int]:
    found = list(frames)
    assert all(image.shape == (*shape, 3) and (image == number).all() for number, image in found)
    return [number for number, _ in found]


def test_each_frame_is_decoded_once_for_each_size(clip: CountingClip) -> None:
    remembering = remember_frames(clip)
    assert numbers(remembering.read_frames([2, 5], (8, 4)), (4, 8)) == [2, 5]
    assert numbers(remembering.read_frames(None, (8, 4)), (4, 8)) == list(range(12))
    assert numbers(remembering.read_frames([1, 5, 7], (8, 4)), (4, 8)) == [1, 5, 7]
    assert numbers(remembering.read_frames([5]), (10, 20)) == [5]
    assert clip.asked == [(2, 5), (0, 1, 3, 4, 6, 7, 8, 9, 10, 11), (), (5,)]


def test_a_reader_that_stops_early_leaves_the_rest_to_be_decoded(clip: CountingClip) -> None:
    remembering = remember_frames(clip)
    assert next(iter(remembering.read_frames()))[0] == 0
    assert numbers(remembering.read_frames(), (10, 20)) == list(range(12))
    assert clip.asked[-1] == tuple(range(1, 12))


def test_two_readers_at_once_do_not_take_each_others_frames(clip: CountingClip) -> None:
    remembering = remember_frames(clip)
    pairs = list(zip(remembering.read_frames([3, 4, 6]), remembering.read_frames([4, 6, 7]), strict=True))
    assert [(first[0], second[0]) for first, second in pairs] == [(3, 4), (4, 6), (6, 7)]
    assert all((image == number).all() for pair in pairs for number, image in pair)


def test_sizes_that_do_not_fit_beside_the_others_are_streamed(clip: CountingClip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMORY_LIMIT", 12 * 3 * (8 * 4 + 20 * 10) - 1)
    remembering = remember_frames(clip)
    for _ in range(2):
        list(remembering.read_frames(None, (8, 4)))
        list(remembering.read_frames())
    assert list(remembering.kept) == [(8, 4)]
    assert clip.asked == [tuple(range(12)), tuple(range(12)), (), tuple(range(12))]


def test_frames_cannot_be_drawn_on_and_a_memory_is_not_put_on_a_memory(clip: CountingClip) -> None:
    remembering = remember_frames(clip)
    (_, image) = next(iter(remembering.read_frames()))
    with pytest.raises(ValueError, match="read-only"):
        image[0] = 0
    assert remember_frames(remembering) is remembering
