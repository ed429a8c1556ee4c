"""Cut-outs and the lessons made of them: labels, keypoints and pictures say the same, and a seed says everything."""

from pathlib import Path

import numpy as np
import pytest

from hoifield.actors.choose_actor import load_actor
from hoifield.synthetic.held_pictures import ARM, HELD_OBJECT, HOLDING_HAND, HeldPictures, SceneSettings, make_held_pictures
from hoifield.synthetic.lessons import Hardness, Lesson, LessonMaker
from hoifield.synthetic.photographs import Photographs

SIZE = 96
USUAL = Hardness()


@pytest.fixture(scope="module")
def photographs() -> Photographs:
    return Photographs.of_packages()


@pytest.fixture(scope="module")
def scene(photographs: Photographs) -> HeldPictures:
    return make_held_pictures((load_actor("anny", "right"),), photographs, 7, SceneSettings(views=6, size=128))


@pytest.fixture(scope="module")
def maker(scene: HeldPictures, photographs: Photographs, tmp_path_factory: pytest.TempPathFactory) -> LessonMaker:
    folder: Path = tmp_path_factory.mktemp("scenes")
    np.savez(folder / "000007.npz", **vars(scene))
    return LessonMaker.of(folder, photographs, SIZE)


def lesson(maker: LessonMaker, seed: int, hardness: Hardness = USUAL) -> Lesson:
    return maker.make(np.random.default_rng(seed), hardness)


def test_labels_lie_where_something_covers(scene: HeldPictures) -> None:
    assert (scene.labels[scene.cover == 0] == 0).all()
    assert (scene.labels[scene.cover == 255] > 0).mean() > 0.999
    assert {HOLDING_HAND, ARM} <= set(np.unique(scene.labels).tolist())


def test_visible_keypoints_lie_on_the_hand_or_what_hides_it(scene: HeldPictures) -> None:
    for points, labels in zip(scene.keypoints, scene.labels, strict=True):
        columns, rows = np.clip(np.floor(points).astype(int), 0, labels.shape[0] - 1).T
        assert np.isin(labels[rows, columns], (HELD_OBJECT, HOLDING_HAND, ARM)).mean() > 0.9


def test_a_hand_that_holds_nothing_touches_nothing(scene: HeldPictures) -> None:
    empty = ~(scene.labels == HELD_OBJECT).any((1, 2))
    assert not scene.touching[empty].any()
    assert empty.all() or scene.touching[~empty].sum(1).min() >= 2


def test_the_same_seed_gives_the_same_scene_and_lesson(scene: HeldPictures, maker: LessonMaker, photographs: Photographs) -> None:
    again = make_held_pictures((load_actor("anny", "right"),), photographs, 7, SceneSettings(views=6, size=128))
    assert np.array_equal(again.picture, scene.picture) and np.array_equal(again.labels, scene.labels)
    first, second, other = lesson(maker, 3), lesson(maker, 3), lesson(maker, 4)
    assert np.array_equal(first.picture, second.picture) and np.array_equal(first.labels, second.labels)
    assert not np.array_equal(first.picture, other.picture)


def test_the_hand_of_a_lesson_is_where_its_keypoints_are(maker: LessonMaker) -> None:
    exact = Hardness(keypoints_missing=0.0, keypoint_error=0.0, clutter=0.0)
    shares = []
    for seed in range(20):
        made = lesson(maker, seed, exact)
        assert made.keypoints is not None
        points = made.keypoints[(made.keypoints > 0).all(1) & (made.keypoints < SIZE - 1).all(1)]
        columns, rows = np.floor(points).astype(int).T
        shares.append(float((made.labels[rows, columns] > 0).mean()))
    assert np.median(shares) > 0.85


def test_clicks_lie_on_the_object(maker: LessonMaker) -> None:
    clicked = [made for made in (lesson(maker, seed, Hardness(clicked=1.0)) for seed in range(20)) if made.click is not None]
    assert len(clicked) > 5
    for made in clicked:
        assert made.click is not None
        column, row = np.floor(made.click).astype(int)
        assert made.labels[row, column] == HELD_OBJECT


def test_keypoints_can_be_missing_or_wrong(maker: LessonMaker) -> None:
    assert all(lesson(maker, seed, Hardness(keypoints_missing=1.0)).keypoints is None for seed in range(5))
    right, wrong = lesson(maker, 5, Hardness(keypoints_missing=0.0, keypoint_error=0.0)), lesson(maker, 5, Hardness(keypoints_missing=0.0))
    assert right.keypoints is not None and wrong.keypoints is not None
    error = np.linalg.norm(right.keypoints - wrong.keypoints, axis=1).mean() / np.ptp(right.keypoints, axis=0).max()
    assert 0.005 < error < 0.2
