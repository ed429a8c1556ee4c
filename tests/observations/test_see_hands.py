"""What the eyes see comes back to the place where it is in the picture, for both hands."""

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from hoifield.actors.skinned_model import Side
from hoifield.observations.hand_region import HandRegion
from hoifield.observations.see_hands import see_hand

WIDTH, HEIGHT = 320, 240


class ByColour(nn.Module):
    """Calls blue the object, red the hand, green another limb and everything else background; half the size, as the eyes answer."""

    def forward(self, picture: Tensor, keypoints: Tensor) -> Tensor:
        red, green, blue = picture[:, 0], picture[:, 1], picture[:, 2]
        scores = 20 * torch.stack([torch.zeros_like(red), blue - 0.5, red - 0.5, green - 0.5], 1)
        return functional.avg_pool2d(scores, 2)


def hand_at(x: float, y: float, size: float, side: Side) -> HandRegion:
    angles = np.radians([-150, -115, -95, -75, -55])
    fingers = [np.outer([0.5, 0.72, 0.86, 1.0], [np.cos(a), np.sin(a)]) for a in angles]
    return HandRegion(side, np.concatenate([[[0.0, 0.0]], *fingers]) * size + (x, y), size / 2)


def drawn() -> tuple[np.ndarray, np.ndarray]:
    """A picture and its labels: 1 object, 2 hand, 3 arm."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(labels, (150, 110), 21, 1, -1)
    cv2.rectangle(labels, (165, 120), (190, 170), 2, -1)
    cv2.rectangle(labels, (168, 171), (186, 239), 3, -1)
    picture = np.array([[0, 0, 0], [0, 0, 255], [255, 0, 0], [0, 255, 0]], np.uint8)[labels]
    return picture, labels


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("size", [45.0, 70.0])
def test_what_is_seen_is_where_it_is(side: Side, size: float) -> None:
    picture, labels = drawn()
    sight = see_hand(ByColour(), picture, hand_at(165.0, 150.0, size, side))
    share, known = sight.lifted(0, 0, WIDTH, HEIGHT)
    assert share.sum(-1) == pytest.approx(1.0, abs=0.02)
    seen = share.argmax(-1)
    for label in (1, 2, 3):
        ours, true = (seen == label) & known, (labels == label) & known
        assert (ours & true).sum() / (ours | true).sum() > 0.85
    box = sight.lifted(100, 60, 120, 130)[0]
    assert box == pytest.approx(share[60:190, 100:220], abs=0.02)


def test_beyond_the_crop_nothing_is_known() -> None:
    picture, _ = drawn()
    _, known = see_hand(ByColour(), picture, hand_at(165.0, 150.0, 20.0, "right")).lifted(0, 0, WIDTH, HEIGHT)
    assert known[140, 165] and not known[5, 5] and not known[235, 310]


class WantsKeypoints(nn.Module):
    """Calls everything left of the wrist an object, everything right of it a hand: shows what the network is told."""

    def forward(self, picture: Tensor, keypoints: Tensor) -> Tensor:
        columns = torch.arange(picture.shape[-1] // 2, dtype=torch.float32)
        wrist = keypoints[:, 0].amax(1).argmax(1) * 2.0
        left = (columns < wrist[:, None]).float()[:, None].expand(-1, picture.shape[2] // 2, -1)
        return 20 * torch.stack([torch.zeros_like(left), left, 1 - left, torch.zeros_like(left)], 1)


def test_a_left_hand_is_shown_as_a_right_one() -> None:
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for side, left_is in (("right", 1), ("left", 2)):
        share, _ = see_hand(WantsKeypoints(), picture, hand_at(160.0, 150.0, 60.0, side)).lifted(0, 0, WIDTH, HEIGHT)
        assert share[130, 120].argmax() == left_is and share[130, 200].argmax() == 3 - left_is
