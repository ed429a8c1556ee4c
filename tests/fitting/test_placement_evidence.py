"""Evidence for placement: keypoints and silhouette pixels of the fitted frames, in pixels of the working camera."""

from dataclasses import replace

import cv2
import numpy as np
import torch
from tiny_scene import FIT_FRAMES, ball_on_hand, tiny_pixels

from hoifield.fitting.frame_pixels import load_frame_pixels
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


def test_blurred_colours_of_the_object_hold_nothing_of_what_is_beside_it():
    evidence = gather_placement_evidence(ball_on_hand().observations, tiny_pixels(), seed=0)
    sharp, pixels = evidence.pictures[-1], tiny_pixels()
    for row, (colour, entity) in enumerate(zip(pixels.colours, pixels.entities)):
        seen = colour[entity == 0] / 255.0
        height, width = entity.shape
        blurred = sharp[row, :, :height, :width].numpy().transpose(1, 2, 0)[entity == 0]
        assert (blurred >= seen.min(0) - 1e-4).all() and (blurred <= seen.max(0) + 1e-4).all()
        assert np.allclose(blurred.mean(0), seen.mean(0), atol=0.05)


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
