"""Surfaces from grids of signed distances: right volume, closed, outward, one component."""

import numpy as np
import pytest
import trimesh

from hoifield.errors import RefusedInput
from hoifield.geometry.isosurface import extract_isosurface
from hoifield.geometry.mesh import Mesh, signed_volume


def grid(lower: np.ndarray, spacing: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    return lower + spacing * np.stack(np.meshgrid(*[np.arange(size) for size in shape], indexing="ij"), axis=-1)


def assert_closed(mesh: Mesh) -> None:
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    assert solid.is_watertight and solid.is_winding_consistent
    assert signed_volume(mesh) > 0
    assert len(np.unique(mesh.faces)) == len(mesh.vertices)


def test_a_sphere_has_its_volume_and_place() -> None:
    lower, spacing, centre = np.array([-0.06, -0.05, -0.055]), np.array([0.0025, 0.002, 0.003]), np.array([0.003, -0.002, 0.001])
    points = grid(lower, spacing, (50, 51, 39))
    mesh = extract_isosurface(np.linalg.norm(points - centre, axis=-1) - 0.04, lower, spacing)
    assert_closed(mesh)
    assert signed_volume(mesh) == pytest.approx(4 / 3 * np.pi * 0.04**3, rel=5e-3)
    np.testing.assert_allclose(np.linalg.norm(mesh.vertices - centre, axis=1), 0.04, atol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_noise_gives_a_closed_surface(seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(14, 15, 16))
    values[3:5, 4:8] = 0.0
    assert_closed(extract_isosurface(values, np.zeros(3), 0.01))


def test_a_surface_that_leaves_the_grid_is_closed_at_its_border() -> None:
    mesh = extract_isosurface(np.full((5, 6, 7), -1.0), np.zeros(3), 0.1)
    assert_closed(mesh)
    assert (mesh.vertices.min(0) < 0).all() and (mesh.vertices.max(0) > [0.4, 0.5, 0.6]).all()


def test_only_the_largest_component_is_kept() -> None:
    points = grid(np.full(3, -0.1), np.full(3, 0.004), (51, 51, 51))
    large = np.linalg.norm(points - [0.04, 0.0, 0.0], axis=-1) - 0.04
    small = np.linalg.norm(points + [0.05, 0.0, 0.0], axis=-1) - 0.02
    mesh = extract_isosurface(np.minimum(large, small), np.full(3, -0.1), 0.004)
    assert_closed(mesh)
    assert mesh.vertices[:, 0].min() > -0.005


def test_a_hollow_inside_is_filled() -> None:
    points = grid(np.full(3, -0.05), np.full(3, 0.0025), (41, 41, 41))
    mesh = extract_isosurface(np.abs(np.linalg.norm(points, axis=-1) - 0.03) - 0.01, np.full(3, -0.05), 0.0025)
    assert signed_volume(mesh) == pytest.approx(4 / 3 * np.pi * 0.04**3, rel=1e-2)


def test_a_grid_without_inside_or_with_nan_is_refused() -> None:
    for values in (np.ones((4, 4, 4)), np.full((4, 4, 4), np.nan)):
        with pytest.raises(RefusedInput) as raised:
            extract_isosurface(values, np.zeros(3), 0.1)
        assert raised.value.code == "HF-GEO-002"
