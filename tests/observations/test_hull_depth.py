"""The slab of a hull: an object seen from one side only is no deeper than allowed, and one seen from all sides is not cut."""

from dataclasses import replace

import numpy as np
import torch

from hoifield.geometry.cameras import Camera
from hoifield.geometry.rotations import matrix_from_axis_angle
from hoifield.observations.visual_hull import CarveConfig, SilhouetteEvidence, carve_hull, hull_mesh
from tests.observations.drawn_box import draw_box

CAMERA = Camera.from_focal(180.0, 120, 120)
CONFIG = CarveConfig(background_share=0.03, resolution=40)
RADIUS = 0.09
THICKNESS = 0.05
"""Shorter side of the block as the camera sees it, metres."""


def seen_from(angles_deg: np.ndarray) -> tuple[SilhouetteEvidence, np.ndarray]:
    """A block 5 x 8 x 5 cm drawn under turns about the vertical axis."""
    poses = np.tile(np.eye(4), (len(angles_deg), 1, 1))
    turns = np.stack([0 * angles_deg, np.radians(angles_deg), 0 * angles_deg], 1)
    poses[:, :3, :3] = matrix_from_axis_angle(torch.tensor(turns, dtype=torch.float64)).numpy()
    poses[:, 2, 3] = 0.5
    return draw_box((THICKNESS, 0.08, THICKNESS), poses, CAMERA), poses


def within(evidence: SilhouetteEvidence, half_depth: float) -> SilhouetteEvidence:
    return replace(evidence, half_depth=np.full(len(evidence.labels), half_depth))


def size_of(evidence: SilhouetteEvidence, poses: np.ndarray) -> np.ndarray:
    hull = carve_hull(evidence, poses, RADIUS, CONFIG)
    assert hull is not None
    return np.ptp(hull_mesh(hull).vertices, axis=0)


def test_an_object_seen_from_one_side_is_no_deeper_than_the_slab() -> None:
    evidence, poses = seen_from(np.linspace(-4.0, 4.0, 8))
    slab = size_of(within(evidence, THICKNESS / 2), poses)
    assert abs(slab[2] - THICKNESS) < 0.006
    assert np.allclose(slab[:2], [THICKNESS, 0.08], atol=0.008)


def test_without_a_slab_the_depth_is_left_to_the_silhouettes() -> None:
    evidence, poses = seen_from(np.linspace(-4.0, 4.0, 8))
    assert evidence.half_depth is None
    unbounded, wide = size_of(evidence, poses), size_of(within(evidence, 10.0), poses)
    assert unbounded[2] > 2 * THICKNESS
    assert np.array_equal(unbounded, wide)


def test_a_slab_wider_than_the_object_changes_nothing_where_all_sides_are_seen() -> None:
    evidence, poses = seen_from(np.linspace(0.0, 330.0, 12))
    assert np.allclose(size_of(within(evidence, 0.06), poses), size_of(evidence, poses), atol=1e-9)


def test_one_view_across_the_others_is_outvoted_and_does_not_open_the_slab() -> None:
    evidence, poses = seen_from(np.array([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 90.0]))
    slab = size_of(within(evidence, THICKNESS / 4), poses)
    assert abs(slab[2] - THICKNESS / 2) < 0.006
    assert slab[0] > 0.8 * THICKNESS
