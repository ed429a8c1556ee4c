"""A hand moves a patterned disc before a wall with a coloured poster; the camera stands still."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from colour_eyes import ColourEyes
from torch import Tensor
from torch.nn import functional

from hoifield.clip.clip import Clip
from hoifield.geometry.cameras import Camera
from hoifield.observations import clip_appearance
from hoifield.observations.colour_models import to_lab
from hoifield.observations.find_masks import find_masks
from hoifield.observations.hand_region import HandRegion
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.still_background import DIFFERS, EQUALS, StillBackground, learn_still_background, weigh_background
from hoifield.observations.working_frames import WorkingFrames

WIDTH, HEIGHT, FRAMES = 200, 150, 20
_ANGLES = np.radians([-150, -115, -95, -75, -55])
_OPEN_HAND = np.concatenate([[[0.0, 0.0]]] + [np.outer([0.5, 0.72, 0.86, 1.0], [np.cos(a), np.sin(a)]) for a in _ANGLES])


@dataclass(frozen=True)
class DrawnClip(Clip):
    """Frames from memory."""

    pictures: tuple[np.ndarray, ...] = field(default=())

    def read_frames(self, frames: Sequence[int] | None = None, size: tuple[int, int] | None = None) -> Iterator[tuple[int, np.ndarray]]:
        for frame in range(len(self.pictures)) if frames is None else sorted(frames):
            yield frame, self.pictures[frame] if size is None else cv2.resize(self.pictures[frame], size)


def wall_with_poster(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    wall = np.full((HEIGHT, WIDTH + 40, 3), (150.0, 148.0, 140.0))
    for _ in range(25):
        x, y = rng.integers(0, WIDTH), rng.integers(0, HEIGHT - 40)
        wall[y : y + 25, x : x + 30] = rng.uniform(20, 230, 3)
    return cv2.GaussianBlur(wall, (0, 0), 0.8)


def draw(moving_camera: bool) -> tuple[DrawnClip, tuple[tuple[HandRegion, ...], ...], np.ndarray, np.ndarray]:
    """Clip, hands, the truth (1 object, 2 hand) and the bare wall."""
    rng, wall = np.random.default_rng(3), wall_with_poster(0)
    pictures, truths, regions = [], [], []
    for frame in range(FRAMES):
        left = 2 * frame if moving_camera else 0
        picture = wall[:, left : left + WIDTH].copy()
        points = _OPEN_HAND * 35 + (20 + 8 * frame, 140)
        region = HandRegion("right", points, 18.0)
        truth = np.where(region.capsules(0, 0, WIDTH, HEIGHT, 0.14), 2, 0).astype(np.uint8)
        disc = cv2.circle(np.zeros_like(truth), tuple((points[9] + (0, -18)).astype(int).tolist()), 16, 1, cv2.FILLED) > 0
        truth[disc] = 1
        picture[truth == 2] = (205, 150, 125)
        picture[disc] = cv2.resize(rng.uniform(0, 255, (HEIGHT // 5, WIDTH // 5, 3)), (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)[disc]
        pictures.append(np.clip(picture + rng.normal(size=picture.shape) * 2, 0, 255).astype(np.uint8))
        truths.append(truth)
        regions.append((region,))
    clip = DrawnClip(Path("drawn"), "images", "drawn", "0" * 64, WIDTH, HEIGHT, np.arange(FRAMES) / 30, None, tuple(pictures))
    return clip, tuple(regions), np.array(truths), wall[:, :WIDTH]


@pytest.fixture(scope="module")
def still() -> tuple[WorkingFrames, StillBackground, np.ndarray, np.ndarray]:
    clip, regions, truth, wall = draw(moving_camera=False)
    frames = WorkingFrames(clip)
    found = learn_still_background(frames, regions)
    assert found is not None
    return frames, found, truth, wall


def test_the_distance_is_taken_to_the_background_in_its_best_light() -> None:
    rng = np.random.default_rng(4)
    wall, spread = rng.uniform(0, 255, (30, 40, 3)).astype(np.float32), rng.uniform(1.2, 5, (30, 40)).astype(np.float32)
    wall[:5, :9] = np.nan
    lab = np.clip(np.nan_to_num(wall)[2:22, 4:34] * 0.9 + rng.normal(size=(20, 30, 3)) * 9, 0, 255).astype(np.uint8)
    black = np.array([-16 * 255 / 100, 128, 128])
    seen, bare = cv2.GaussianBlur(lab, (0, 0), 0.8) - black, wall[2:22, 4:34] - black
    light = np.linspace(0.82, 1.03, 211)[:, None, None, None]
    nearest = np.linalg.norm(seen - light * bare, axis=-1).min(0) / spread[2:22, 4:34]
    found = StillBackground(wall, spread).distance(lab, left=4, top=2)
    unknown = np.isnan(bare[..., 0])
    assert unknown.any() and (found[unknown] == -1).all()
    assert np.abs(found - np.minimum(nearest, 30))[~unknown].max() < 0.1


def test_the_wall_behind_a_moving_hand_is_found(still: tuple[WorkingFrames, StillBackground, np.ndarray, np.ndarray]) -> None:
    _, found, _, wall = still
    known = np.isfinite(found.lab[..., 0])
    true = cv2.GaussianBlur(to_lab(np.clip(wall, 0, 255).astype(np.uint8)), (0, 0), 0.8).astype(float)
    assert known.mean() > 0.7
    assert np.quantile(np.linalg.norm(found.lab - true, axis=-1)[known], 0.98) < 6.0


def test_the_object_differs_from_its_background_and_the_poster_does_not(
    still: tuple[WorkingFrames, StillBackground, np.ndarray, np.ndarray],
) -> None:
    frames, found, truth, _ = still
    for frame, picture in frames.read([4, 10, 16]):
        distance = found.distance(to_lab(picture), 0, 0)
        inside = cv2.erode((truth[frame] == 1).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        assert (distance[inside & (distance >= 0)] > DIFFERS).mean() > 0.8
        outside = cv2.dilate((truth[frame] > 0).astype(np.uint8), np.ones((7, 7), np.uint8)) == 0
        assert (distance[outside] < DIFFERS).mean() > 0.97


def test_a_moving_camera_has_no_still_background() -> None:
    clip, regions, _, _ = draw(moving_camera=True)
    assert learn_still_background(WorkingFrames(clip), regions) is None


def test_a_shadow_stays_background_and_another_hue_does_not() -> None:
    picture = np.full((20, 30, 3), (150, 120, 90), np.uint8)
    background = StillBackground(to_lab(picture).astype(np.float32), np.full((20, 30), 1.2, np.float32))
    linear = (picture / 255.0) ** 2.2
    shadowed = np.round(255 * (0.65 * linear) ** (1 / 2.2)).astype(np.uint8)
    assert np.abs(to_lab(shadowed).astype(float) - background.lab).max() > 15
    assert background.distance(to_lab(shadowed), 0, 0).max() < EQUALS
    assert background.distance(to_lab(np.full_like(picture, (120, 140, 90))), 0, 0).min() > DIFFERS


def test_evidence_moves_the_odds_only_where_the_background_is_known() -> None:
    probability = np.tile(np.array([0.4, 0.4, 0.2], np.float32), (1, 4, 1))
    distance = np.array([[0.5, 20.0, -1.0, 20.0]], np.float32)
    weighed = weigh_background(probability, distance, np.array([[False, False, False, True]]))[0]
    assert weighed[0, 0] > 0.85 and weighed[1, 0] < 0.1
    assert np.allclose(weighed[2:], probability[0, 2:], atol=0.01) and np.allclose(weighed.sum(-1), 1, atol=1e-5)


class SureNearTheHand(ColourEyes):
    """Eyes that take every strong colour for the object, and believe it only near the keypoints."""

    def forward(self, picture: Tensor, keypoints: Tensor) -> Tensor:
        near = functional.max_pool2d(keypoints.amax(1, keepdim=True), 3, 1, 1) > 0.1
        return super().forward(picture, keypoints) * torch.where(functional.interpolate(near.float(), scale_factor=2) > 0, 1.0, 0.15)


def overlaps_without_help() -> np.ndarray:
    """Object IoU of every frame, nothing labelled."""
    clip, regions, truth, _ = draw(moving_camera=False)
    ones, zeros, poses = np.ones(FRAMES), np.zeros, np.tile(np.eye(4), (FRAMES, 1, 1))
    keypoints = np.stack([region.keypoints for (region,) in regions])
    hand = HandTrack("right", "anny", ones > 0, keypoints, zeros(FRAMES), ones, poses, zeros((FRAMES, 16, 3)), zeros(10), zeros((21, 3)))
    found = find_masks(clip, Camera.from_focal(300, WIDTH, HEIGHT), (hand,), None, None, 0, SureNearTheHand(blue=None))
    both, either = (found.labels == 1) & (truth == 1), (found.labels == 1) | (truth == 1)
    return both.sum((1, 2)) / np.maximum(either.sum((1, 2)), 1)


def test_a_poster_on_the_wall_is_not_taken_for_the_object(monkeypatch: pytest.MonkeyPatch) -> None:
    with_background = overlaps_without_help()
    monkeypatch.setattr(clip_appearance, "learn_still_background", lambda frames, regions: None)
    without = overlaps_without_help()
    assert np.median(with_background) > 0.75
    assert np.median(without) < np.median(with_background) - 0.1
