"""Parts of one object are joined where the first hull had its middle; crumbs are not, and nothing else changes."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from hoifield.result.joined_parts import join_parts
from hoifield.scene.hull_bound import HullBound

SPACING = 0.003
LOWER = torch.full((3,), -30 * SPACING)
NODES = np.stack(np.meshgrid(*[np.arange(-30, 31) * SPACING] * 3, indexing="ij"), axis=-1)


def ball(x: float, radius: float) -> np.ndarray:
    return np.linalg.norm(NODES - [x, 0.0, 0.0], axis=-1) - radius


def rod(radius: float) -> np.ndarray:
    """About the x axis, from -60 to 60 mm."""
    beyond = np.maximum(np.abs(NODES[..., 0]) - 0.06, 0.0)
    return np.hypot(beyond, np.linalg.norm(NODES[..., 1:], axis=-1)) - radius


def join(distances: np.ndarray, hull: np.ndarray) -> np.ndarray:
    return join_parts(distances, LOWER, SPACING, HullBound(torch.from_numpy(hull).float(), LOWER, SPACING))


def large_parts(distances: np.ndarray) -> int:
    parts, count = ndimage.label(distances < 0)
    return int((np.bincount(parts.ravel(), minlength=count + 1)[1:] > 200).sum())


def test_two_ends_become_one_object_and_keep_their_shape() -> None:
    ends, hull = np.minimum(ball(-0.05, 0.02), ball(0.05, 0.02)), rod(0.025)
    assert large_parts(ends) == 2
    whole = join(ends, hull)
    assert large_parts(whole) == 1 and (whole <= ends).all()
    middle = (whole < 0)[30]
    assert 0 < middle.sum() * SPACING**2 < np.pi * 0.012**2, "the thinnest core, not the hull"
    far = np.abs(NODES[..., 0]) > 0.055
    assert np.array_equal(whole[far], ends[far])


@pytest.mark.parametrize("hull", [np.minimum(ball(-0.05, 0.025), ball(0.05, 0.025)), np.full(NODES.shape[:3], 0.01)])
def test_parts_that_no_hull_joins_stay_as_they_are(hull: np.ndarray) -> None:
    ends = np.minimum(ball(-0.05, 0.02), ball(0.05, 0.02))
    assert join(ends, hull) is ends


def test_crumbs_and_single_parts_are_left_alone() -> None:
    crumb = np.minimum(ball(-0.05, 0.02), ball(0.05, 0.006))
    for distances in (crumb, ball(0.0, 0.02), np.full(NODES.shape[:3], 0.01)):
        assert join(distances, rod(0.025)) is distances
