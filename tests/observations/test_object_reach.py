"""How far an object reaches is counted from its frame's origin, wherever in it that lies."""

import numpy as np
import pytest

from hoifield.geometry.cameras import Camera
from hoifield.observations.hand_locked_poses import object_radius, object_reach
from hoifield.observations.visual_hull import gather_evidence

CAMERA = Camera.from_focal(100.0, 120, 120)
DEPTH = 0.5
ROD_PIXELS = 50
"""Length of the rod in the picture; it starts in the middle."""


def rod_evidence():
    labels = np.zeros((1, 120, 120), np.uint8)
    labels[0, 59:61, 60 : 60 + ROD_PIXELS] = 1
    return gather_evidence(labels, np.zeros(1, np.int16), np.ones(1), CAMERA)


def pose_at(pixel: float) -> np.ndarray:
    T = np.eye(4)[None]
    T[0, :3, 3] = (pixel - 60) / 100 * DEPTH, 0.0, DEPTH
    return T


@pytest.mark.parametrize("start, share", [(60, 1.0), (60 + ROD_PIXELS / 2, 0.5)])
def test_a_rod_reaches_its_length_from_its_end_and_half_from_its_middle(start: float, share: float) -> None:
    (reach,) = object_reach(rod_evidence(), pose_at(start))
    assert reach == pytest.approx(share * ROD_PIXELS / 100 * DEPTH, rel=0.05)


def test_the_radius_holds_the_rod_whose_origin_is_at_its_end() -> None:
    assert object_radius(rod_evidence(), pose_at(60)) > ROD_PIXELS / 100 * DEPTH


def test_frames_without_object_or_pose_say_nothing() -> None:
    assert len(object_reach(rod_evidence(), np.full((1, 4, 4), np.nan))) == 0
    assert object_radius(rod_evidence(), np.full((1, 4, 4), np.nan)) == 0.1
