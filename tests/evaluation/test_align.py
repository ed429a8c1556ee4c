"""Registration recovers what was applied, refuses mirrors, and one wrong frame does not tilt the rest."""

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from hoifield.evaluation.align import align_frames, align_surfaces
from hoifield.evaluation.shape_metrics import compare_surfaces
from hoifield.geometry.mesh import Mesh


def chiral_shape() -> Mesh:
    """Three bars along x, y, z of different length, placed so that the mirror image cannot be turned onto it."""
    bars = [
        trimesh.creation.box(extents=(0.12, 0.02, 0.02)),
        trimesh.creation.box(extents=(0.02, 0.08, 0.02)).apply_translation((0.05, 0.04, 0)),
        trimesh.creation.box(extents=(0.02, 0.02, 0.06)).apply_translation((-0.05, 0, 0.03)),
    ]
    whole = trimesh.util.concatenate(bars)
    return Mesh(np.asarray(whole.vertices), np.asarray(whole.faces))


def error_after(source: Mesh, target: Mesh, with_scale: bool) -> float:
    moved = align_surfaces(source, target, with_scale).apply_to_mesh(source)
    return compare_surfaces(moved, target, np.random.default_rng(0), 5_000).chamfer_squared_cm2


@pytest.mark.parametrize("seed", [0, 1])
def test_rotation_and_scale_are_recovered(seed: int) -> None:
    shape = chiral_shape()
    rotation = Rotation.random(random_state=seed).as_matrix()
    changed = Mesh(1.3 * shape.vertices @ rotation.T + [0.1, -0.3, 0.5], shape.faces)
    similarity = align_surfaces(shape, changed, with_scale=True)
    assert similarity.scale == pytest.approx(1.3, rel=0.01)
    turn = Rotation.from_matrix(similarity.T[:3, :3] @ rotation.T).magnitude()
    assert np.degrees(turn) < 1
    np.testing.assert_allclose(similarity.apply(shape.vertices), changed.vertices, atol=0.002)
    np.testing.assert_allclose(similarity.apply_inverse(similarity.apply(shape.vertices)), shape.vertices, atol=1e-12)


def test_a_mirrored_shape_is_not_matched() -> None:
    shape = chiral_shape()
    mirrored = Mesh(shape.vertices * [-1, 1, 1], shape.faces[:, ::-1])
    assert error_after(mirrored, shape, True) > 10 * error_after(shape, shape, True)


def test_a_wrong_size_stays_wrong_without_scale() -> None:
    shape = chiral_shape()
    larger = Mesh(1.2 * shape.vertices, shape.faces)
    assert align_surfaces(larger, shape, with_scale=False).scale == 1.0
    assert error_after(larger, shape, False) > 5 * error_after(larger, shape, True)


def test_the_registration_repeats_bit_for_bit() -> None:
    shape = chiral_shape()
    turned = Mesh(shape.vertices @ Rotation.random(random_state=5).as_matrix().T, shape.faces)
    np.testing.assert_array_equal(align_surfaces(shape, turned, True).T, align_surfaces(shape, turned, True).T)


def test_one_constant_offset_is_found_among_wrong_frames() -> None:
    generator = np.random.default_rng(0)
    T_camera_a = np.tile(np.eye(4), (30, 1, 1))
    T_camera_a[:, :3, :3] = Rotation.random(30, random_state=1).as_matrix()
    T_camera_a[:, :3, 3] = generator.normal(size=(30, 3))
    T_a_b = np.eye(4)
    T_a_b[:3, :3], T_a_b[:3, 3] = Rotation.from_rotvec([0.3, -2.0, 0.5]).as_matrix(), [0.1, 0.2, -0.3]
    T_camera_b = T_camera_a @ T_a_b
    T_camera_b[::10, :3, :3] = Rotation.random(3, random_state=2).as_matrix()
    T_camera_b[::10, :3, 3] += 0.5
    np.testing.assert_allclose(align_frames(T_camera_a, T_camera_b, rounds=40), T_a_b, atol=2e-3)
