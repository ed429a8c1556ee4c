"""Few sides, completed: the volume lies about what is seen, what a network imagines bounds the hull, and the kept one knows better than none."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from hoifield.geometry.cameras import Camera
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.geometry.rotations import matrix_from_axis_angle
from hoifield.observations.complete_hull import imagine_shape
from hoifield.observations.evidence_volume import choose_volume, gather_channels
from hoifield.observations.visual_hull import CarveConfig, HullGrid, SilhouetteEvidence, carve_hull, gather_evidence, hull_mesh
from hoifield.priors.completion_network import CHANNELS, VOLUME_SHAPE
from tests.observations.drawn_box import draw_box

CAMERA = Camera.from_focal(180.0, 120, 120)
CONFIG = CarveConfig(background_share=0.03, resolution=40)
RADIUS = 0.11
BLOCK = (0.05, 0.1, 0.05)
"""Sides of a block whose longer one stands upright, metres."""


def seen_from(angles_deg: np.ndarray) -> tuple[SilhouetteEvidence, np.ndarray]:
    """The block drawn under turns about the vertical axis."""
    poses = np.tile(np.eye(4), (len(angles_deg), 1, 1))
    turns = np.stack([0 * angles_deg, np.radians(angles_deg), 0 * angles_deg], 1)
    poses[:, :3, :3] = matrix_from_axis_angle(torch.tensor(turns, dtype=torch.float64)).numpy()
    poses[:, 2, 3] = 0.5
    return draw_box(BLOCK, poses, CAMERA), poses


@pytest.fixture(scope="module")
def few_sides() -> tuple[SilhouetteEvidence, np.ndarray]:
    return seen_from(np.linspace(-25.0, 25.0, 10))


def carved_size(evidence: SilhouetteEvidence, poses: np.ndarray) -> np.ndarray:
    hull = carve_hull(evidence, poses, RADIUS, CONFIG)
    assert hull is not None
    return np.ptp(hull_mesh(hull).vertices, axis=0)


def ball(radius: float) -> HullGrid:
    nodes = np.indices((41, 41, 41)).reshape(3, -1).T * 0.005 - 0.1
    return HullGrid((np.linalg.norm(nodes, axis=1) - radius).reshape(41, 41, 41).astype(np.float32), np.full(3, -0.1), 0.005)


def test_the_volume_looks_along_the_mean_view_with_the_longer_side_first(few_sides: tuple[SilhouetteEvidence, np.ndarray]) -> None:
    volume = choose_volume(*few_sides)
    assert volume is not None
    axes = volume.T_object_volume[:3, :3]
    assert np.allclose(axes.T @ axes, np.eye(3), atol=1e-9) and np.linalg.det(axes) == pytest.approx(1)
    assert axes[:, 2] == pytest.approx([0, 0, 1], abs=0.01), "away from the camera"
    assert abs(axes[1, 0]) > 0.999, "upright"
    assert volume.T_object_volume[:3, 3] == pytest.approx([0, 0, 0], abs=0.003)
    assert volume.spacing * (VOLUME_SHAPE[0] - 1) > BLOCK[1]


def test_a_clip_that_shows_no_object_has_no_volume(few_sides: tuple[SilhouetteEvidence, np.ndarray]) -> None:
    evidence, poses = few_sides
    assert choose_volume(replace(evidence, labels=np.zeros_like(evidence.labels)), poses) is None
    assert choose_volume(evidence, np.full_like(poses, np.nan)) is None
    assert imagine_shape(evidence, np.full_like(poses, np.nan), None, CONFIG) is None


def test_the_network_is_shown_what_is_carved_where_nothing_is_known_and_the_hand(few_sides: tuple[SilhouetteEvidence, np.ndarray]) -> None:
    evidence, poses = few_sides
    volume = choose_volume(evidence, poses)
    assert volume is not None
    alone, held = (gather_channels(evidence, poses, volume, hand, CONFIG) for hand in (None, ball(0.02)))
    assert alone.shape == (CHANNELS, *VOLUME_SHAPE) and np.abs(alone).max() <= 1
    middle = tuple(side // 2 for side in VOLUME_SHAPE)
    assert alone[(0, *middle)] == -1 and alone[(2, *middle)] == 1, "deep inside, and seen as the object by all"
    assert alone[0, 0, 0, 20] == 1 and alone[2, 0, 0, 20] == -1
    assert (alone[3] == 1).all() and held[(3, *middle)] == -1
    # what hand pixels cover in every frame is not known
    labels = np.where(evidence.labels == 1, 2, evidence.labels).astype(np.uint8)
    labels[:, 55:65, 55:65] = 1
    covered = gather_channels(replace(evidence, labels=labels), poses, volume, None, CONFIG)
    assert covered[1].mean() > 0.05 and (alone[1] == 0).all()


def test_what_is_imagined_bounds_the_hull_and_nothing_imagined_bounds_nothing(few_sides: tuple[SilhouetteEvidence, np.ndarray]) -> None:
    evidence, poses = few_sides
    assert evidence.imagined is None
    open_size = carved_size(evidence, poses)
    assert carved_size(replace(evidence, imagined=ball(0.5)), poses) == pytest.approx(open_size, abs=0.003)
    bounded = carved_size(replace(evidence, imagined=ball(0.035)), poses)
    assert bounded == pytest.approx([0.062, 0.07, 0.07], abs=0.012)
    assert carved_size(replace(evidence, imagined=ball(0.035).let_out(-0.01)), poses) == pytest.approx(np.full(3, 0.05), abs=0.006)


def bottle(poses: np.ndarray) -> SilhouetteEvidence:
    """The silhouettes of a bottle about y that nobody taught."""
    profile = np.array([[0, -0.08], [0.031, -0.08], [0.031, 0.03], [0.012, 0.055], [0.012, 0.08], [0, 0.08]])
    solid = trimesh.creation.revolve(profile, sections=48)
    solid.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, [1, 0, 0]))
    drawn = [solid.vertices @ T[:3, :3].T + T[:3, 3] for T in poses]
    labels = np.stack([rasterise_mesh(points, np.asarray(solid.faces), CAMERA.K, 120, 120)[1] >= 0 for points in drawn]).astype(np.uint8)
    return gather_evidence(labels, np.arange(len(labels)), np.ones(len(labels)), CAMERA)


def test_an_untaught_bottle_is_as_deep_as_it_is_thick() -> None:
    poses = seen_from(np.linspace(-20.0, 20.0, 10))[1]
    evidence = bottle(poses)
    open_depth = carved_size(evidence, poses)[2]
    imagined = imagine_shape(evidence, poses, None, CONFIG)
    depth = carved_size(replace(evidence, imagined=imagined), poses)[2]
    print(f"depth of a bottle of 62 mm: {1000 * open_depth:.0f} mm open, {1000 * depth:.0f} mm imagined")
    assert open_depth > 0.12
    assert 0.045 < depth < 0.085
