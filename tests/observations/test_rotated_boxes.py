"""Boxes around hands and their crops: closed forms and behaviour under rotation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoifield.observations.rotated_boxes import (
    RotatedBox,
    are_same_hand,
    box_from_landmarks,
    box_from_palm,
    crop_picture,
    keypoint_box_side,
)


def upright_hand(scale: float = 100.0) -> np.ndarray:
    """A flat hand that points up (towards smaller y): wrist at the origin, middle finger along -y."""
    fingers = [
        (-0.5, -0.2, -0.15, -0.15),
        (-0.3, -1.0, -0.04, -0.3),
        (0.0, -1.0, 0.0, -0.35),
        (0.3, -1.0, 0.04, -0.3),
        (0.5, -0.9, 0.06, -0.2),
    ]
    points = [(0.0, 0.0)] + [(x + k * dx, y + k * dy) for x, y, dx, dy in fingers for k in range(4)]
    return np.array(points) * scale + 300.0


def turned(points: np.ndarray, angle: float) -> np.ndarray:
    cosine, sine = math.cos(angle), math.sin(angle)
    return (points - 300.0) @ np.array([[cosine, -sine], [sine, cosine]]).T + 300.0


def test_an_upright_hand_has_an_upright_box() -> None:
    assert box_from_landmarks(upright_hand()).angle == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(angle=st.floats(-3.0, 3.0))
def test_a_box_turns_with_its_hand(angle: float) -> None:
    still, moved = box_from_landmarks(upright_hand()), box_from_landmarks(turned(upright_hand(), angle))
    assert moved.angle == pytest.approx(angle, abs=1e-6)
    assert moved.side == pytest.approx(still.side, rel=1e-6)
    assert np.allclose((moved.x, moved.y), turned(np.array([still.x, still.y]), angle), atol=1e-6)


def test_a_palm_box_is_moved_half_a_palm_towards_the_fingers() -> None:
    keypoints = np.zeros((7, 2))
    keypoints[0], keypoints[2] = (200.0, 250.0), (200.0, 150.0)
    box = box_from_palm(np.array([150.0, 150.0, 250.0, 250.0]), keypoints)
    assert (box.x, box.y, box.side, box.angle) == pytest.approx((200.0, 150.0, 260.0, 0.0))


@pytest.mark.parametrize("angle", [0.0, 0.6, -2.2])
def test_a_mark_in_the_crop_maps_back_to_its_pixel(angle: float) -> None:
    picture = np.zeros((200, 300, 3), np.uint8)
    picture[80:83, 120:123] = 255
    crop, crop_to_picture = crop_picture(picture, RotatedBox(130.0, 90.0, 90.0, angle), 224)
    rows, columns = np.nonzero(crop[..., 0] > 127)
    mark = np.array([columns.mean() + 0.5, rows.mean() + 0.5])
    assert np.allclose(crop_to_picture[:, :2] @ mark + crop_to_picture[:, 2], (121.5, 81.5), atol=0.1)


def test_only_keypoints_on_one_hand_are_the_same_hand() -> None:
    hand = upright_hand()
    side = float(keypoint_box_side(hand))
    assert are_same_hand(hand, hand + 0.1 * side)
    assert not are_same_hand(hand, hand + (0.6 * side, 0.0))
    assert not are_same_hand(hand, turned(hand, math.pi))
