"""Evidence for placement: keypoints and silhouette pixels of the fitted frames, in pixels of the working camera."""

import numpy as np
import torch
from tiny_scene import FIT_FRAMES, ball_on_hand, tiny_pixels

from hoifield.fitting.placement_evidence import SILHOUETTE_PIXELS, gather_placement_evidence


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


def test_keypoints_are_those_of_the_fitted_frames():
    evidence = gather_placement_evidence(ball_on_hand().observations, tiny_pixels(), seed=0)
    expected = torch.tensor(ball_on_hand().observations.hands[0].keypoints[FIT_FRAMES]).float()
    assert torch.equal(evidence.hands[0].keypoints, expected) and bool(torch.isfinite(expected).all())


def test_the_same_seed_gathers_the_same_pixels():
    first, second, other = (gather_placement_evidence(ball_on_hand().observations, tiny_pixels(), seed) for seed in (1, 1, 2))
    assert torch.equal(first.silhouette_pixels, second.silhouette_pixels)
    assert not torch.equal(first.silhouette_pixels, other.silhouette_pixels)


def test_outline_points_lie_on_the_hand_beside_the_background():
    evidence = gather_placement_evidence(ball_on_hand().observations, tiny_pixels(), seed=0)
    labels = ball_on_hand().observations.masks.labels
    hand = evidence.hands[0]
    assert float(hand.outline_weight.min()) == 1.0
    for row, frame in enumerate(FIT_FRAMES):
        for x, y in hand.outline[row].floor().long().tolist():
            around = labels[frame][max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
            assert labels[frame][y, x] == 2 and (around == 0).any()


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
