"""Masks of a small drawn clip: a skin-coloured hand moves a blue block over a textured table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
from colour_eyes import ColourEyes

from hoifield.clip.clip import Clip
from hoifield.errors import RefusedInput
from hoifield.geometry.cameras import Camera
from hoifield.observations.find_masks import find_masks
from hoifield.observations.frame_masks import LEFT_HAND, NOT_OBJECT, FrameMasks
from hoifield.observations.hand_region import HandRegion
from hoifield.observations.hand_track import HandTrack

WIDTH, HEIGHT, FRAMES = 200, 150, 12
_ANGLES = np.radians([-150, -115, -95, -75, -55])
_OPEN_HAND = np.concatenate([[[0.0, 0.0]]] + [np.outer([0.5, 0.72, 0.86, 1.0], [np.cos(a), np.sin(a)]) for a in _ANGLES])

SEEING, BLIND = ColourEyes(), ColourEyes(blue=9.0, certainty=0.0)
"""Eyes that know the block, and eyes that know nothing."""


@dataclass(frozen=True)
class DrawnClip(Clip):
    """Frames from memory."""

    pictures: tuple[np.ndarray, ...] = field(default=())

    def read_frames(self, frames: Sequence[int] | None = None, size: tuple[int, int] | None = None) -> Iterator[tuple[int, np.ndarray]]:
        for frame in range(len(self.pictures)) if frames is None else sorted(frames):
            yield frame, self.pictures[frame] if size is None else cv2.resize(self.pictures[frame], size)


@dataclass(frozen=True)
class Drawing:
    clip: DrawnClip
    hand: HandTrack
    truth: np.ndarray
    """0 background, 1 object, 3 left hand, per frame."""

    def find(
        self, masks: Path | None = None, point: tuple[float, float, int] | None = None, eyes: ColourEyes = SEEING
    ) -> FrameMasks:
        return find_masks(self.clip, Camera.from_focal(300, WIDTH, HEIGHT), (self.hand,), masks, point, seed=0, network=eyes)

    def overlap(self, found: FrameMasks, frame: int, label: int = 1) -> float:
        ours, true = found.labels[frame] == label, self.truth[frame] == label
        return float((ours & true).sum() / (ours | true).sum())


@pytest.fixture(scope="module")
def drawing() -> Drawing:
    rng = np.random.default_rng(0)
    table = cv2.GaussianBlur(rng.normal(size=(HEIGHT, WIDTH, 3)).astype(np.float32), (0, 0), 1.5) * 40 + (120, 125, 118)
    pictures, labels, keypoints = [], [], []
    for frame in range(FRAMES):
        points = _OPEN_HAND * 45 + (60 + 7 * frame, 110 + 4 * np.sin(frame))
        truth = np.zeros((HEIGHT, WIDTH), np.uint8)
        truth[HandRegion("left", points, 22.0).capsules(0, 0, WIDTH, HEIGHT, 0.14)] = LEFT_HAND
        x, y = (points[9] + (-14, -22)).astype(int)
        truth[y : y + 30, x : x + 30] = 1
        picture = table + rng.normal(size=table.shape) * 3
        picture[truth == LEFT_HAND] = (205, 150, 125) + rng.normal(size=((truth == LEFT_HAND).sum(), 3)) * 5
        picture[truth == 1] = (40, 60, 170) + rng.normal(size=((truth == 1).sum(), 3)) * 8
        pictures.append(np.clip(picture, 0, 255).astype(np.uint8))
        labels.append(truth)
        keypoints.append(points)
    clip = DrawnClip(Path("drawn"), "images", "drawn", "0" * 64, WIDTH, HEIGHT, np.arange(FRAMES) / 30, None, tuple(pictures))
    still = np.tile(np.eye(4), (FRAMES, 1, 1))
    ones, zeros = np.ones(FRAMES), np.zeros
    hand = HandTrack(
        "left", "anny", ones > 0, np.array(keypoints), zeros(FRAMES), ones, still, zeros((FRAMES, 16, 3)), zeros(10), zeros((21, 3))
    )
    return Drawing(clip, hand, np.array(labels))


def write_masks(folder: Path, masks: dict[int, np.ndarray]) -> Path:
    for frame, labels in masks.items():
        cv2.imwrite(str(folder / f"{frame:06d}.png"), labels)
    return folder


def test_masks_for_all_frames_are_taken_as_they_are(drawing: Drawing, tmp_path: Path) -> None:
    found = drawing.find(write_masks(tmp_path, dict(enumerate(drawing.truth))))
    assert (found.labels == drawing.truth).all()
    assert set(found.source) == {"given"} and (found.object_confidence == 1).all()


def test_two_labelled_frames_are_carried_on(drawing: Drawing, tmp_path: Path) -> None:
    found = drawing.find(write_masks(tmp_path, {2: drawing.truth[2], 9: drawing.truth[9]}))
    assert found.source[2] == "given" and found.source[5] == "carried"
    assert (found.labels[2] == drawing.truth[2]).all()
    assert min(drawing.overlap(found, frame) for frame in (0, 5, 11)) > 0.9
    assert min(drawing.overlap(found, frame, LEFT_HAND) for frame in (0, 5, 11)) > 0.8
    assert 0.7 < found.object_confidence[5] <= 0.95


def test_a_mask_that_names_only_the_object_leaves_the_hand_to_its_keypoints(drawing: Drawing, tmp_path: Path) -> None:
    labels = np.where(drawing.truth[4] == 1, 1, NOT_OBJECT).astype(np.uint8)
    found = drawing.find(write_masks(tmp_path, {4: labels}))
    assert drawing.overlap(found, 4) == 1.0
    assert drawing.overlap(found, 8) > 0.85 and drawing.overlap(found, 8, LEFT_HAND) > 0.7


@pytest.mark.parametrize("labelled", [(2, 9), (4,)])
def test_labels_are_carried_on_though_the_eyes_see_nothing(labelled: tuple[int, ...], drawing: Drawing, tmp_path: Path) -> None:
    found = drawing.find(write_masks(tmp_path, {frame: drawing.truth[frame] for frame in labelled}), eyes=BLIND)
    assert min(drawing.overlap(found, frame) for frame in (0, 5, 11)) > 0.9


def test_without_labels_nothing_is_found_that_the_eyes_do_not_see(drawing: Drawing) -> None:
    found = drawing.find(eyes=ColourEyes(blue=9.0))
    assert not (found.labels == 1).any() and not found.object_confidence.any()


def test_without_labels_what_the_eyes_see_is_found_and_not_overrated(drawing: Drawing) -> None:
    found = drawing.find()
    assert set(found.source) == {"automatic"}
    assert min(drawing.overlap(found, frame) for frame in (1, 6, 10)) > 0.7
    overlaps = np.array([drawing.overlap(found, frame) for frame in range(FRAMES)])
    assert (found.object_confidence <= overlaps + 0.1).all()


def test_one_point_on_the_object_starts_a_mask(drawing: Drawing) -> None:
    rows, columns = np.nonzero(drawing.truth[5] == 1)
    found = drawing.find(point=(float(columns.mean()), float(rows.mean()), 5))
    assert drawing.overlap(found, 9) > 0.8 and found.source[9] == "carried"
    with pytest.raises(RefusedInput, match="HF-MSK-008"):
        drawing.find(point=(5.0, 5.0, FRAMES))


def test_the_same_seed_gives_the_same_masks(drawing: Drawing) -> None:
    assert (drawing.find().labels == drawing.find().labels).all()


def test_without_hand_and_labels_nothing_is_invented(drawing: Drawing) -> None:
    found = find_masks(drawing.clip, Camera.from_focal(300, WIDTH, HEIGHT), (), None, None, seed=0)
    assert not found.labels.any() and not found.object_confidence.any()
