"""Sharp frames, spread over the motion."""

from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoifield.clip.choose_frames import choose_fit_frames, compare_with_neighbours, laplacian_contrast, measure_sharpness
from hoifield.clip.open_clip import open_clip


def write_textured_clip(folder: Path, blurred: dict[int, float], box: tuple[int, int, int, int]) -> Path:
    """Twenty images of one texture; in some the inside of a box is blurred, elsewhere always sharp."""
    folder.mkdir()
    texture = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    texture = cv2.resize(texture, (128, 96), interpolation=cv2.INTER_CUBIC)
    left, top, right, bottom = box
    for number in range(20):
        image = np.roll(texture, number, axis=1)
        if number in blurred:
            image[top:bottom, left:right] = cv2.GaussianBlur(image, (0, 0), blurred[number])[top:bottom, left:right]
        # Light that changes must not look like sharpness.
        PIL.Image.fromarray((image * (0.5 + 0.025 * number)).astype(np.uint8)).save(folder / f"{number}.png")
    return folder


def test_blurred_frames_score_low_within_their_boxes(tmp_path: Path) -> None:
    box = (32, 24, 96, 72)
    clip = open_clip(write_textured_clip(tmp_path / "a", {5: 2.0, 12: 4.0}, box))
    sharpness = measure_sharpness(clip, np.tile(np.array(box, float), (20, 1)))
    assert set(np.argsort(sharpness)[:2]) == {5, 12}
    assert sharpness[12] < sharpness[5] < 0.5
    assert np.delete(sharpness, [5, 12]).min() > 0.7


def test_boxes_are_in_pixels_of_the_clip_at_any_reading_size(tmp_path: Path) -> None:
    box = (32, 24, 96, 72)
    clip = open_clip(write_textured_clip(tmp_path / "a", {5: 3.0}, box))
    outside = measure_sharpness(clip, np.tile(np.array([0.0, 0.0, 30.0, 22.0]), (20, 1)), size=(96, 72))
    inside = measure_sharpness(clip, np.tile(np.array(box, float), (20, 1)), size=(96, 72))
    assert outside[5] > 0.7
    assert inside[5] < 0.5


def test_missing_boxes_mean_the_whole_frame(tmp_path: Path) -> None:
    clip = open_clip(write_textured_clip(tmp_path / "a", {5: 3.0}, (0, 0, 128, 96)))
    np.testing.assert_array_equal(measure_sharpness(clip, np.full((20, 4), np.nan)), measure_sharpness(clip))


def test_contrast_cancels() -> None:
    image = np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    assert laplacian_contrast((image // 2).astype(np.uint8)) == pytest.approx(laplacian_contrast(image), rel=0.05)
    assert laplacian_contrast(np.full((40, 40, 3), 7, np.uint8)) == 0.0


def test_a_change_of_scene_does_not_hide_blur() -> None:
    absolute = np.concatenate([np.full(40, 1.0), np.full(40, 50.0)])
    absolute[[10, 60]] *= 0.2
    relative = compare_with_neighbours(absolute)
    assert relative[10] == pytest.approx(0.2)
    assert relative[60] == pytest.approx(0.2)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(1, 60), st.integers(0, 40), st.integers(0, 2**31))
def test_the_choice_is_ascending_usable_and_complete(frames: int, count: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    usable = generator.random(frames) < 0.7
    motion = np.cumsum(generator.random(frames) * (generator.random(frames) < 0.5))
    chosen = choose_fit_frames(generator.random(frames), usable, motion, count)
    assert len(chosen) == min(count, int(usable.sum()))
    assert (np.diff(chosen) > 0).all()
    assert usable[chosen].all()


def test_frames_follow_the_motion_not_the_time() -> None:
    motion = np.concatenate([np.zeros(50), np.linspace(0.0, 1.0, 50)])
    chosen = choose_fit_frames(np.ones(100), np.ones(100, bool), motion, 20)
    assert (chosen >= 50).sum() >= 18
    assert np.diff(np.sort(motion[chosen])).max() < 0.11


def test_a_still_clip_is_spread_over_time() -> None:
    chosen = choose_fit_frames(np.ones(100), np.ones(100, bool), np.zeros(100), 10)
    assert np.diff(chosen).max() <= 12


def test_the_sharpest_of_each_share_is_taken() -> None:
    sharpness = np.full(100, 0.5)
    sharpness[[3, 17, 22, 38, 41, 55, 66, 77, 88, 99]] = 1.0
    chosen = choose_fit_frames(sharpness, np.ones(100, bool), np.linspace(0.0, 1.0, 100), 10)
    assert chosen.tolist() == [3, 17, 22, 38, 41, 55, 66, 77, 88, 99]
