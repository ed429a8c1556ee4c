"""Normals seen in crops and told of the whole picture; a stand-in for the network says what the test knows."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hoifield.actors.skinned_model import Side
from hoifield.geometry.cameras import pixel_directions
from hoifield.observations.hand_region import HandRegion
from hoifield.observations.see_normals import SeenNormals, see_normals

WIDTH, HEIGHT = 200, 160
K = np.array([[180.0, 0.0, 90.0], [0.0, 180.0, 85.0], [0.0, 0.0, 1.0]])


class Says(nn.Module):
    """The same normal of every pixel, in its ray frame, with the same concentration."""

    def __init__(self, normal: tuple[float, float, float]) -> None:
        super().__init__()
        self.normal = torch.tensor(normal)

    def forward(self, picture: Tensor, keypoints: Tensor) -> tuple[Tensor, Tensor]:
        batch, height, width = picture.shape[0], picture.shape[2] // 2, picture.shape[3] // 2
        return self.normal[:, None, None].expand(batch, 3, height, width), torch.full((batch, height, width), 9.0)


def hand_at(x: float, y: float, size: float, side: Side) -> HandRegion:
    generator = np.random.default_rng(0)
    return HandRegion(side, np.array([x, y]) + size * (generator.random((21, 2)) - 0.5), 0.5 * size)


def seen(network: nn.Module, side: Side = "right", size: float = 60.0) -> tuple[SeenNormals, np.ndarray]:
    held, hand = np.zeros((HEIGHT, WIDTH), bool), np.zeros((HEIGHT, WIDTH), bool)
    held[60:90, 70:100], hand[90:110, 70:100] = True, True
    return see_normals(network, np.zeros((HEIGHT, WIDTH, 3), np.uint8), held, hand, hand_at(90.0, 95.0, size, side), K), held | hand


def test_what_faces_the_camera_faces_along_each_sight_line() -> None:
    found, asked = seen(Says((0.0, 0.0, -1.0)))
    rows, columns = np.nonzero(asked)
    rays = pixel_directions(torch.from_numpy(np.column_stack([columns, rows]) + 0.5), torch.from_numpy(K)).numpy()
    assert found.normal[asked] == pytest.approx(-rays, abs=1e-5)


def test_only_object_and_hand_are_told_of() -> None:
    found, asked = seen(Says((0.0, 0.0, -1.0)))
    assert (np.linalg.norm(found.normal, axis=-1) > 0.99).tolist() == asked.tolist()
    assert (found.off[~asked] == np.float32(np.pi)).all() and (found.off[asked] < 0.3).all()


@pytest.mark.parametrize(("side", "sign"), [("right", 1.0), ("left", -1.0)])
def test_a_left_hand_is_shown_mirrored_and_what_is_told_is_mirrored_back(side: Side, sign: float) -> None:
    found, asked = seen(Says((0.6, 0.0, -0.8)), side)
    middle = found.normal[85, 90]
    assert middle == pytest.approx([sign * 0.6, 0.0, -0.8], abs=0.02)
    assert asked[85, 90]


def test_beyond_the_crop_nothing_is_told() -> None:
    found, asked = seen(Says((0.0, 0.0, -1.0)), size=8.0)
    told = found.off < math.pi - 1e-3
    assert told.any() and (asked & ~told).any()


def test_a_picture_without_object_and_hand_tells_nothing() -> None:
    nothing = np.zeros((HEIGHT, WIDTH), bool)
    found = see_normals(Says((0.0, 0.0, -1.0)), np.zeros((HEIGHT, WIDTH, 3), np.uint8), nothing, nothing, hand_at(90.0, 95.0, 60.0, "right"), K)
    assert not found.normal.any()
