"""The papers' own protocols: what they forgive and what they see, on shapes whose answer is known."""

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from hoifield.evaluation.hold_protocol import compare_as_hold, hold_floor, placement_as_hold
from hoifield.evaluation.pose_metrics import placement_in_hand_frame
from hoifield.geometry.mesh import Mesh


def bars() -> Mesh:
    """Three bars of different length that no turn but one lays onto themselves."""
    parts = [
        trimesh.creation.box(extents=(0.12, 0.02, 0.02)),
        trimesh.creation.box(extents=(0.02, 0.08, 0.02)).apply_translation((0.05, 0.04, 0)),
        trimesh.creation.box(extents=(0.02, 0.02, 0.06)).apply_translation((-0.05, 0, 0.03)),
    ]
    whole = trimesh.util.concatenate([part.subdivide().subdivide().subdivide() for part in parts])
    return Mesh(np.asarray(whole.vertices), np.asarray(whole.faces))


def sphere(radius: float) -> Mesh:
    shape = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    return Mesh(np.asarray(shape.vertices), np.asarray(shape.faces))


def pose(seed: int) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3] = Rotation.random(random_state=seed).as_matrix()
    T[:3, 3] = [0.1 * seed, -0.2, 0.6]
    return T


def test_holds_registration_forgives_a_rigid_motion_and_a_scale() -> None:
    truth = bars()
    larger = Mesh(1.05 * truth.vertices, truth.faces)
    distances = compare_as_hold(larger, truth, pose(1), pose(2))
    assert distances.chamfer_squared_cm2 < 0.02 and distances.f_score_pct(0.005) > 99


def test_a_mirrored_shape_is_far_above_holds_floor() -> None:
    truth = bars()
    floor = hold_floor(truth).chamfer_squared_cm2
    assert 0 < floor < 0.02
    mirrored = Mesh(truth.vertices * [-1, 1, 1], truth.faces[:, ::-1])
    assert compare_as_hold(mirrored, truth, pose(1), pose(1)).chamfer_squared_cm2 > 10 * floor


def test_holds_distance_in_the_hand_is_that_of_a_known_shift() -> None:
    """Two like planes of points a gap apart: each point's nearest is its own copy."""
    x, y = np.meshgrid(np.linspace(0, 0.1, 21), np.linspace(0, 0.1, 21))
    grid = Mesh(np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], 1), np.array([[0, 1, 2]]))
    T = np.eye(4)[None].repeat(3, 0)
    moved, roots = T.copy(), np.zeros((3, 3))
    moved[1, 2, 3], moved[2] = 0.002, np.nan
    squared, plain = placement_as_hold((grid, moved, roots), (grid, T, roots), np.random.default_rng(0))
    np.testing.assert_allclose(squared[:2], [0, 2 * 0.2**2], atol=1e-12)
    np.testing.assert_allclose(plain[:2], [0, 2 * 0.2], atol=1e-12)
    assert np.isnan(squared[2]) and np.isnan(plain[2])


def test_a_common_shift_of_hand_and_object_is_free_in_the_hand() -> None:
    mesh, T = sphere(0.04), pose(1)[None]
    moved = T.copy()
    moved[:, :3, 3] += [0.3, 0, 0]
    root = np.zeros((1, 3))
    squared, _ = placement_as_hold((mesh, moved, root + [0.3, 0, 0]), (mesh, T, root), np.random.default_rng(0))
    np.testing.assert_allclose(squared, 0, atol=1e-9)


def test_concentric_spheres_in_the_hand_give_twice_the_squared_gap_and_f_jumps_at_it() -> None:
    T = pose(3)[None]
    side = (sphere(0.058), T), (sphere(0.040), T)
    for threshold, expected in ((0.017, 0.0), (0.0195, 100.0)):
        squared, share = placement_in_hand_frame(*side, threshold, 20_000, np.random.default_rng(0))
        assert squared[0] == pytest.approx(2 * 1.8**2, rel=0.02) and share[0] == pytest.approx(expected, abs=1)
