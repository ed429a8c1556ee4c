"""Objects that are thinner than the poses are rough: carving loses them, unless their silhouettes are fattened at first."""

import numpy as np
import pytest
import torch

from hoifield.geometry.cameras import Camera
from hoifield.geometry.rotations import matrix_from_axis_angle
from hoifield.observations import refine_poses as refinement
from hoifield.observations.frame_masks import BACKGROUND, OBJECT, RIGHT_HAND
from hoifield.observations.pose_offsets import compose_offset
from hoifield.observations.refine_poses import refine_poses
from hoifield.observations.refine_silhouettes import RefineConfig
from hoifield.observations.visual_hull import DISTANCE_UNIT, SilhouetteEvidence, fatten, gather_evidence, hull_mesh
from tests.observations.drawn_box import draw_box

CAMERA = Camera.from_focal(240.0, 160, 160)
BLADE = (0.20, 0.03, 0.004)
RADIUS = 0.12
FRAMES = 24


def turned(turns: np.ndarray) -> np.ndarray:
    poses = np.tile(np.eye(4), (len(turns), 1, 1))
    poses[:, :3, :3] = matrix_from_axis_angle(torch.tensor(turns, dtype=torch.float64)).numpy()
    poses[:, 2, 3] = 0.5
    return poses


@pytest.fixture(scope="module")
def blade() -> tuple[SilhouetteEvidence, np.ndarray]:
    """A blade of 20 cm that turns about all axes, and poses of it that sway by 6 degrees."""
    time = np.linspace(0, 1, FRAMES)
    poses = turned(np.stack([2.4 * time, 1.0 * np.sin(5 * time), 1.5 * time], 1))
    sway = 0.1 * np.stack([np.sin(9 * time), np.cos(11 * time), np.sin(7 * time + 1), 0 * time, 0 * time, 0 * time], 1)
    return draw_box(BLADE, poses, CAMERA), compose_offset(poses, sway)


def refined(blade: tuple[SilhouetteEvidence, np.ndarray]) -> tuple[float, float]:
    """Median agreement with frames held out, and how long the hull is."""
    found = refine_poses(*blade, RADIUS, RefineConfig(rounds=3, thin=True))
    assert found is not None
    return float(np.nanmedian(found.silhouette_iou)), float(np.ptp(hull_mesh(found.hull).vertices[:, 0]))


def test_a_blade_is_carved_under_rough_poses_and_without_the_fat_its_ends_are_lost(
    blade: tuple[SilhouetteEvidence, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    agreement, length = refined(blade)
    monkeypatch.setattr(refinement, "FATTENED", ())
    without, shorter = refined(blade)
    print(f"agreement {agreement:.2f} (without {without:.2f}), length {1000 * length:.0f} mm ({1000 * shorter:.0f})")
    assert agreement > 0.75
    assert without < agreement - 0.07
    assert length > 0.85 * BLADE[0]
    assert shorter < 0.75 * BLADE[0]


def test_fat_covers_background_by_so_many_pixels_and_never_a_hand() -> None:
    labels = np.zeros((1, 60, 60), np.uint8)
    labels[0, 25:35, 25:35] = OBJECT
    labels[0, 25:35, 35:45] = RIGHT_HAND
    fat = fatten(gather_evidence(labels, np.zeros(1, np.int16), np.ones(1), CAMERA.resized(60, 60)), 4.0)
    assert (fat.labels[0, 30, 21:25] == OBJECT).all() and fat.labels[0, 30, 20] == BACKGROUND
    assert (fat.labels[labels == RIGHT_HAND] == RIGHT_HAND).all()
    assert fat.distance[0, 30, 20] == 0.5 * DISTANCE_UNIT
