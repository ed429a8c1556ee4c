"""Pixels drawn from the clip: where they come from, what they are called, and which are not to be trusted."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_scene import FIT_FRAMES, ball_on_hand, tiny_pixels

from hoifield.benchmark.ball_on_hand import COLOURS
from hoifield.fitting.frame_pixels import FramePixels, entity_of_labels, load_frame_pixels, outline_of, rim_of
from hoifield.observations.frame_masks import FrameMasks


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_every_drawn_pixel_carries_the_label_and_the_colour_of_its_place_in_its_frame():
    batch = tiny_pixels().draw(np.arange(len(FIT_FRAMES)), 600, rng())
    labels, images = ball_on_hand().observations.masks.labels, ball_on_hand().clip.images
    frame = FIT_FRAMES[batch.row.numpy()]
    x, y = np.floor(batch.pixel.numpy()).astype(int).T
    assert np.allclose(batch.pixel.numpy() % 1, 0.5)
    assert np.array_equal(batch.label.numpy() + 1, labels[frame, y, x])
    assert np.allclose(batch.colour.numpy() * 255, images[frame, y, x], atol=1e-3)


def test_half_of_a_draw_lies_on_the_object_a_fifth_on_hands_and_every_row_gets_its_share():
    batch = tiny_pixels().draw(np.array([4, 1, 2]), 300, rng())
    assert len(batch.row) == 300
    for row in (4, 1, 2):
        label = batch.label[batch.row == row].numpy()
        assert [(label == 0).sum(), (label > 0).sum(), (label < 0).sum()] == [50, 20, 30]


def test_the_same_generator_draws_the_same_pixels_and_another_seed_others():
    first, second, other = (tiny_pixels().draw(np.array([0, 3]), 100, rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first.pixel.numpy(), second.pixel.numpy())
    assert not np.array_equal(first.pixel.numpy(), other.pixel.numpy())


def test_labels_become_entities_and_hands_that_are_not_fitted_are_no_background():
    labels = np.array([[0, 1, 2, 3]], np.uint8)
    assert entity_of_labels(labels, ("right",)).tolist() == [[-1, 0, 1, -2]]
    assert entity_of_labels(labels, ("left", "right")).tolist() == [[-1, 0, 2, 1]]


def test_rims_are_the_pixels_with_a_differently_labelled_neighbour():
    generator = rng(5)
    entity = np.repeat(np.repeat(generator.integers(-1, 3, (5, 6)), 4, 0), 4, 1).astype(np.int8)
    padded = np.pad(entity, 1, mode="edge")
    around = [padded[1 + dy : 21 + dy, 1 + dx : 25 + dx] != entity for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    assert np.array_equal(rim_of(entity), np.any(around, axis=0))
    assert 0.2 < rim_of(entity).mean() < 0.9


def test_rim_pixels_are_not_certain_and_others_as_certain_as_their_mask():
    pixels = tiny_pixels()
    for entity, certain in zip(pixels.entities, pixels.certain):
        assert (certain[rim_of(entity)] == 0).all()
        assert np.allclose(certain[~rim_of(entity)], 0.9, atol=1e-3)


def test_outlines_are_the_rims_between_object_and_background_and_never_beside_a_hand():
    labels = np.zeros((8, 12), np.uint8)
    labels[2:6, 2:6] = 1
    alone = outline_of(labels)
    assert alone[1, 1] and alone[2, 2] and not alone[3, 3] and not alone[0, 0]
    labels[2:6, 6:9] = 2
    beside = outline_of(labels)
    assert beside[2, 2] and not beside[2, 5] and not beside[1, 6] and not beside[3, 9]


def test_a_pixel_of_the_outline_is_marked_and_its_colour_is_not_trusted():
    batch = tiny_pixels().draw(np.arange(len(FIT_FRAMES)), 6000, rng())
    outline = batch.outline > 0
    assert outline.any() and (batch.certain[outline] == 0).all() and (batch.label[outline] < 1).all()
    assert np.allclose(batch.outline[outline].numpy(), 0.9, atol=1e-3)


def test_crops_hold_all_of_hand_and_object_and_some_background():
    labels, pixels = ball_on_hand().observations.masks.labels, tiny_pixels()
    for row, frame in enumerate(FIT_FRAMES):
        entity = pixels.entities[row]
        assert (entity >= 0).sum() == (labels[frame] > 0).sum()
        assert (entity < 0).any()
        left, top = pixels.corner[row]
        assert np.array_equal(pixels.colours[row], COLOURS[labels[frame]][top : top + entity.shape[0], left : left + entity.shape[1]])


def pixels_with(labels: np.ndarray, confidence: np.ndarray) -> FramePixels:
    masks = FrameMasks(labels, confidence, confidence, ("automatic",) * len(labels))
    return load_frame_pixels(ball_on_hand().clip, replace(ball_on_hand().observations, masks=masks))


def test_a_frame_without_any_label_gives_background_of_the_whole_picture():
    labels = ball_on_hand().observations.masks.labels.copy()
    labels[FIT_FRAMES[2]] = 0
    confidence = np.full(len(labels), 0.8)
    confidence[FIT_FRAMES[2]] = 0.0
    pixels = pixels_with(labels, confidence)
    batch = pixels.draw(np.array([2]), 50, rng())
    assert pixels.entities[2].shape == labels.shape[1:]
    assert len(batch.label) == 50 and (batch.label == -1).all()
    assert np.allclose(batch.certain.numpy(), 0.1, atol=1e-3)


@pytest.mark.parametrize("kept", [1, 2])
def test_a_frame_with_one_entity_alone_gives_it_the_share_of_the_missing_one(kept: int):
    labels = ball_on_hand().observations.masks.labels.copy()
    labels[(labels > 0) & (labels != kept)] = 0
    batch = pixels_with(labels, np.ones(len(labels))).draw(np.array([0]), 100, rng())
    foreground = (batch.label >= 0).numpy()
    assert len(foreground) == 100 and set(batch.label[foreground].tolist()) == {kept - 1}
    assert 35 <= foreground.sum() <= 70
