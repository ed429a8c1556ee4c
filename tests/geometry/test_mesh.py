"""Meshes: areas, volumes and normals of shapes with closed forms; samples uniform by area."""

import numpy as np
import pytest
import trimesh
from closed_shapes import torus

from hoifield.geometry.mesh import Mesh, face_normals, sample_surface, signed_volume, vertex_normals


def ball(radius: float = 0.04) -> Mesh:
    sphere = trimesh.creation.icosphere(4, radius)
    return Mesh(np.asarray(sphere.vertices), np.asarray(sphere.faces))


def box() -> Mesh:
    shape = trimesh.creation.box((0.1, 0.2, 0.3))
    return Mesh(np.asarray(shape.vertices), np.asarray(shape.faces))


def test_a_box_has_its_area_its_volume_and_its_extent():
    _, areas = face_normals(box())
    assert areas.sum() == pytest.approx(2 * (0.02 + 0.03 + 0.06))
    assert signed_volume(box()) == pytest.approx(0.006)
    assert np.allclose(box().extent, [0.1, 0.2, 0.3])


def test_a_torus_has_the_volume_of_its_polygons_and_inside_out_it_is_negative():
    vertices, faces = torus(0.05, 0.02, 200, 100)
    mesh = Mesh(vertices, faces)
    assert signed_volume(mesh) == pytest.approx(2 * np.pi**2 * 0.05 * 0.02**2, rel=2e-3)
    assert signed_volume(Mesh(vertices, faces[:, ::-1])) == pytest.approx(-signed_volume(mesh))


def test_volume_does_not_depend_on_the_place():
    T = np.eye(4)
    T[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    T[:3, 3] = [3.0, -2.0, 7.0]
    assert signed_volume(box().moved(T)) == pytest.approx(0.006, rel=1e-9)
    assert np.allclose(box().moved(T).extent, [0.2, 0.1, 0.3])


def test_vertex_normals_of_a_ball_point_away_from_its_centre():
    mesh = ball()
    normals = vertex_normals(mesh)
    assert np.allclose(np.linalg.norm(normals, axis=1), 1.0)
    assert ((normals * mesh.vertices).sum(1) / 0.04).min() > 0.999


def test_a_face_without_area_has_no_normal_but_breaks_nothing():
    mesh = Mesh(np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2], [0, 1, 1]]))
    normals, areas = face_normals(mesh)
    assert areas.tolist() == [0.5, 0.0]
    assert np.isfinite(normals).all() and np.isfinite(vertex_normals(mesh)).all()


def test_samples_lie_on_the_surface_uniformly_by_area():
    points = sample_surface(box(), 20_000, np.random.default_rng(0))
    sides = np.abs(points) / ([0.05, 0.1, 0.15])
    assert np.abs(sides.max(1) - 1.0).max() < 1e-9
    share = np.bincount(sides.argmax(1), minlength=3) / len(points)
    assert np.allclose(share, np.array([0.06, 0.03, 0.02]) / 0.11, atol=0.015)
    assert np.allclose(points.mean(0), 0.0, atol=0.003)


def test_samples_repeat_with_their_seed():
    first, second, other = (sample_surface(ball(), 50, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, second) and not np.array_equal(first, other)
