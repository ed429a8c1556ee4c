"""Distances, signs and rays against brute force."""

import numpy as np
import pytest
import trimesh
from closed_shapes import distance_slowly, spiky_box, torus, winding_number_slowly
from hypothesis import given, settings
from hypothesis import strategies as st

from hoifield.errors import RefusedInput
from hoifield.geometry.mesh_distance import MeshDistance

MESHES = {"torus": torus(), "dented 1": spiky_box(1), "dented 2": spiky_box(2), "dented 3": spiky_box(3)}


def points_around(vertices: np.ndarray, faces: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Points in the box around the mesh, near its faces, and straight off its vertices."""
    generator = np.random.default_rng(seed)
    free = generator.uniform(vertices.min(0) - 0.02, vertices.max(0) + 0.02, (count // 2, 3))
    near = vertices[faces[generator.integers(0, len(faces), count - count // 2)]]
    weights = generator.dirichlet(np.full(3, 0.3), len(near))
    return np.concatenate([free, (near * weights[..., None]).sum(1) + 0.003 * generator.normal(size=(len(near), 3))])


def surface_points(vertices: np.ndarray, faces: np.ndarray, face: np.ndarray, barycentric: np.ndarray) -> np.ndarray:
    return (vertices[faces[face]] * barycentric[..., None]).sum(1)


@pytest.mark.parametrize("name", MESHES)
def test_closest_points_equal_brute_force_with_sign(name: str) -> None:
    vertices, faces = MESHES[name]
    points = points_around(vertices, faces, 400, seed=4)
    found = MeshDistance(vertices, faces).closest(points)
    for k, point in enumerate(points):
        assert abs(found.signed_distance[k]) == pytest.approx(distance_slowly(point, vertices, faces), abs=1e-12)
        assert (found.signed_distance[k] < 0) == (winding_number_slowly(point, vertices, faces) > 0.5)
    feet = surface_points(vertices, faces, found.face, found.barycentric)
    np.testing.assert_allclose(np.linalg.norm(points - feet, axis=1), np.abs(found.signed_distance), atol=1e-12)
    assert found.barycentric.min() >= -1e-12
    np.testing.assert_allclose(found.barycentric.sum(1), 1.0)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_distance_changes_no_faster_than_the_point(seed: int) -> None:
    vertices, faces = spiky_box(seed)
    distance = MeshDistance(vertices, faces)
    points = points_around(vertices, faces, 200, seed)
    steps = 0.002 * np.random.default_rng(seed).normal(size=points.shape)
    change = distance.closest(points + steps).signed_distance - distance.closest(points).signed_distance
    assert (np.abs(change) <= np.linalg.norm(steps, axis=1) + 1e-12).all()


def test_a_sphere_has_its_closed_form() -> None:
    sphere = trimesh.creation.icosphere(subdivisions=4, radius=0.05)
    points = np.random.default_rng(0).normal(size=(500, 3)) * 0.05
    found = MeshDistance(sphere.vertices, sphere.faces).closest(points)
    np.testing.assert_allclose(found.signed_distance, np.linalg.norm(points, axis=1) - 0.05, atol=2.5e-4)


def test_refitting_equals_building_anew() -> None:
    vertices, faces = torus()
    moved = vertices * [1.3, 0.8, 1.0] + 0.01 * np.sin(40 * vertices[:, [1, 2, 0]])
    refitted = MeshDistance(vertices, faces)
    refitted.refit(moved)
    points = points_around(moved, faces, 2000, seed=1)
    found, expected = refitted.closest(points), MeshDistance(moved, faces).closest(points)
    np.testing.assert_allclose(found.signed_distance, expected.signed_distance, atol=1e-12)
    with pytest.raises(RefusedInput):
        refitted.refit(moved[:-1])


def test_queries_repeat_bit_for_bit() -> None:
    vertices, faces = torus()
    points = points_around(vertices, faces, 3000, seed=2)
    first, second = (MeshDistance(vertices, faces).closest(points) for _ in range(2))
    assert np.array_equal(first.signed_distance, second.signed_distance) and np.array_equal(first.face, second.face)


@pytest.mark.parametrize("name", MESHES)
def test_rays_equal_brute_force(name: str) -> None:
    vertices, faces = MESHES[name]
    generator = np.random.default_rng(3)
    origins = 0.12 * generator.normal(size=(300, 3))
    directions = vertices[generator.integers(0, len(vertices), 300)] * 0.7 - origins
    directions[:3] = np.eye(3)
    origins[:3] = -0.2 * np.eye(3) + 1e-4
    hits = MeshDistance(vertices, faces).cast_rays(origins, directions)
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    for k in range(300):
        system = np.stack([b - a, c - a, np.broadcast_to(-unit[k], a.shape)], axis=-1)
        crossed = np.abs(np.linalg.det(system)) > 1e-12
        v, w, t = np.linalg.solve(system[crossed], (origins[k] - a)[crossed, :, None])[..., 0].T
        valid = (v >= 0) & (w >= 0) & (v + w <= 1) & (t >= 0)
        expected = t[valid].min() if valid.any() else np.inf
        assert hits.distance[k] == pytest.approx(expected, abs=1e-9)
        assert (hits.face[k] >= 0) == valid.any()
    hit = hits.face >= 0
    assert 50 < hit.sum()
    feet = surface_points(vertices, faces, hits.face[hit], hits.barycentric[hit])
    np.testing.assert_allclose(feet, origins[hit] + unit[hit] * hits.distance[hit, None], atol=1e-9)


def test_degenerate_faces_do_no_harm() -> None:
    vertices, faces = torus()
    faces = np.concatenate([faces, [[0, 0, 1], [5, 5, 5]]])
    found = MeshDistance(vertices, faces).closest(points_around(vertices, faces[:-2], 500, seed=6))
    assert np.isfinite(found.signed_distance).all() and np.isfinite(found.barycentric).all()


def test_values_that_are_not_finite_are_refused() -> None:
    vertices, faces = torus()
    distance = MeshDistance(vertices, faces)
    bad = np.array([[0.0, 0.0, np.nan]])
    for call in (
        lambda: distance.closest(bad),
        lambda: distance.cast_rays(bad, np.ones((1, 3))),
        lambda: distance.cast_rays(np.ones((1, 3)), np.zeros((1, 3))),
        lambda: MeshDistance(np.full_like(vertices, np.inf), faces),
        lambda: MeshDistance(vertices, faces + 1),
        lambda: MeshDistance(vertices, faces[:0]),
    ):
        with pytest.raises(RefusedInput) as raised:
            call()
        assert raised.value.code == "HF-GEO-001"


def test_no_points_give_no_answers() -> None:
    found = MeshDistance(*torus()).closest(np.zeros((0, 3)))
    assert found.signed_distance.shape == (0,) and found.barycentric.shape == (0, 3)
