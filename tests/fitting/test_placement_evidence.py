"""Evidence for placement: keypoints and silhouette pixels of the fitted frames, in pixels of the working camera."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import torch
from tiny_scene import FIT_FRAMES, ball_on_hand, tiny_pixels

from hoifield.fitting.frame_pixels import BACKGROUND_ENTITY, FramePixels, load_frame_pixels
from hoifield.fitting.placement_evidence import NEAR_OUTLINE, OUTLINE_POINTS, SILHOUETTE_PIXELS, gather_placement_evidence


def test_silhouette_pixels_are_labelled_as_the_masks_say_and_none_lies_on_a_hand():
    evidence = gather_placement_evidence(ball_on_hand().observations, tiny_pixels(), seed=0)
    labels = ball_on_hand().observations.masks.labels
    assert evidence.silhouette_pixels.shape == (len(FIT_FRAMES), SILHOUETTE_PIXELS, 2)
    for row, frame in enumerate(FIT_FRAMES):
        x, y = evidence.silhouette_pixels[row].floor().long().unbind(1)
        seen = labels[frame][y, x]
        assert np.array_equal(seen == 1, evidence.inside[row].numpy())
        assert not (seen >= 2).any()
        assert 0.1 < (seen == 1).mean() < 0.9


def test_what_a_hand_that_is_not_fitted_covers_is_no_background_of_the_object():
    """Its pixels say nothing of the object's silhouette, though no entity is fitted to them."""
    unfitted = replace(ball_on_hand().observations, hands=())
    evidence = gather_placement_evidence(unfitted, load_frame_pixels(ball_on_hand().clip, unfitted), seed=0)
    for row, frame in enumerate(FIT_FRAMES):
        x, y = evidence.silhouette_pixels[row].floor().long().unbind(1)
        assert not (ball_on_hand().observations.masks.labels[frame][y, x] >= 2).any()


def test_most_silhouette_pixels_lie_near_the_outline_on_both_sides_of_it():
    evidence = gather_placement_evidence(ball_on_hand().observations, tiny_pixels(), seed=0)
    for row, frame in enumerate(FIT_FRAMES):
        ball = (ball_on_hand().observations.masks.labels[frame] == 1).astype(np.uint8)
        x, y = evidence.silhouette_pixels[row].floor().long().unbind(1)
        across = np.where(ball > 0, cv2.distanceTransform(ball, cv2.DIST_L2, 5), cv2.distanceTransform(1 - ball, cv2.DIST_L2, 5))[y, x]
        inside = evidence.inside[row].numpy()
        assert (across < NEAR_OUTLINE + 2).mean() > 0.7
        assert (across[inside] < 2).any() and (across[~inside] < 2).any()


def pictures_of(pixels: FramePixels) -> tuple[torch.Tensor, ...]:
    return gather_placement_evidence(ball_on_hand().observations, pixels, seed=0).pictures


def repainted(change: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> FramePixels:
    """The pixels with every picture changed, which `change` is given beside its entities."""
    pixels = tiny_pixels()
    colours = [np.clip(change(colour.astype(np.float64), entity), 0, 255).astype(np.uint8) for colour, entity in zip(pixels.colours, pixels.entities)]
    return replace(pixels, colours=tuple(colours))


def largest_difference(first: FramePixels, second: FramePixels) -> float:
    """Of their pictures at pixels of the object, in shares of white."""
    changes = []
    for one, other in zip(pictures_of(first), pictures_of(second)):
        for row, entity in enumerate(first.entities):
            here = torch.from_numpy(entity == 0)
            changes.append(float((one - other)[row, :, : entity.shape[0], : entity.shape[1]][:, here].abs().max()))
    return max(changes)


def test_pictures_of_the_object_hold_nothing_of_what_is_beside_it():
    assert largest_difference(tiny_pixels(), repainted(lambda colour, entity: np.where((entity == 0)[..., None], colour, 255 - colour))) < 1e-6


def test_light_that_changes_slowly_over_the_object_leaves_its_pictures_and_a_spot_does_not():
    def lit(colour: np.ndarray, entity: np.ndarray) -> np.ndarray:
        return 0.5 * colour + 60 * np.linspace(0, 1, entity.shape[1])[None, :, None] + 20

    def dark(colour: np.ndarray, entity: np.ndarray) -> np.ndarray:
        return 0.5 * colour + 20

    def spotted(colour: np.ndarray, entity: np.ndarray) -> np.ndarray:
        rows, columns = np.nonzero(entity == 0)
        spot = np.hypot(*(np.indices(entity.shape) - np.array([rows.mean(), columns.mean()])[:, None, None])) < 2
        return dark(colour, entity) + 60 * spot[..., None]

    slope, spot = (largest_difference(repainted(dark), repainted(change)) for change in (lit, spotted))
    assert slope < 0.3 * spot and spot > 0.05


def test_no_entity_is_told_on_the_border_of_two():
    evidence = gather_placement_evidence(ball_on_hand().observations, tiny_pixels(), seed=0)
    for row, entity in enumerate(tiny_pixels().entities):
        told = evidence.entity[row, : entity.shape[0], : entity.shape[1]].numpy()
        around = np.lib.stride_tricks.sliding_window_view(entity, (3, 3)).reshape(*(side - 2 for side in entity.shape), 9)
        alike = (around == around[..., 4:5]).all(-1)
        assert np.array_equal(told[1:-1, 1:-1], np.where(alike, entity[1:-1, 1:-1], BACKGROUND_ENTITY))
        assert (told == 0).any() and (told == 1).any()


def test_keypoints_are_those_of_the_fitted_frames():
    evidence = gather_placement_evidence(ball_on_hand().observations, tiny_pixels(), seed=0)
    expected = torch.tensor(ball_on_hand().observations.hands[0].keypoints[FIT_FRAMES]).float()
    assert torch.equal(evidence.hands[0].keypoints, expected) and bool(torch.isfinite(expected).all())


def test_the_same_seed_gathers_the_same_pixels():
    first, second, other = (gather_placement_evidence(ball_on_hand().observations, tiny_pixels(), seed) for seed in (1, 1, 2))
    assert torch.equal(first.silhouette_pixels, second.silhouette_pixels)
    assert not torch.equal(first.silhouette_pixels, other.silhouette_pixels)


def test_outlines_of_hands_are_told_by_what_lies_beside_them_and_look_out_of_the_hand():
    evidence = gather_placement_evidence(ball_on_hand().observations, tiny_pixels(), seed=0)
    hand = evidence.hands[0]
    for row, frame in enumerate(FIT_FRAMES):
        label = ball_on_hand().observations.masks.labels[frame]
        for neighbour, part in ((0, slice(0, OUTLINE_POINTS)), (1, slice(OUTLINE_POINTS, None))):
            counts = hand.outline_weight[row, part] > 0
            x, y = hand.outline[row, part][counts].floor().long().unbind(1)
            beside = cv2.dilate((label == neighbour).astype(np.uint8), np.ones((3, 3), np.uint8))
            assert len(x) > 0 and (label[y, x] == 2).all() and (beside[y, x] == 1).all()
            dx, dy = (hand.outline_direction[row, part][counts] * 3).round().long().unbind(1)
            assert (label[y + dy, x + dx] != 2).mean() > 0.9


def test_the_distance_to_the_foreground_is_zero_on_it_and_a_pixel_beside_it():
    evidence = gather_placement_evidence(ball_on_hand().observations, tiny_pixels(), seed=0)
    labels = ball_on_hand().observations.masks.labels
    for row, frame in enumerate(FIT_FRAMES):
        left, top = evidence.corner[row].int().tolist()
        entity = tiny_pixels().entities[row]
        distance = evidence.foreground_distance[row, : entity.shape[0], : entity.shape[1]].numpy()
        seen = labels[frame][top : top + entity.shape[0], left : left + entity.shape[1]]
        assert (distance[seen > 0] == 0).all() and (distance[seen == 0] > 0.9).all()
        assert distance.max() <= 30.0
