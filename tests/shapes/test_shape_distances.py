"""The primitives of the object families agree with closed forms and with each other."""

import numpy as np
import pytest

from hoifield.shapes.shape_distances import (
    carved,
    extruded,
    outline_distance,
    path_distance,
    revolved,
    rounded_box,
    rounded_cylinder,
    rounded_path,
    smooth_union,
    torus,
    tube,
)

POINTS = np.random.default_rng(0).uniform(-0.06, 0.06, size=(2000, 3))
RADIUS = np.hypot(POINTS[:, 0], POINTS[:, 1])
SQUARE = np.array([(-0.02, -0.03), (0.02, -0.03), (0.02, 0.03), (-0.02, 0.03)])


@pytest.mark.parametrize("corners", [SQUARE, SQUARE[::-1]], ids=["counter-clockwise", "clockwise"])
def test_an_extruded_rectangle_is_a_box(corners: np.ndarray) -> None:
    flat = outline_distance(POINTS[:, 0], POINTS[:, 2], corners)
    np.testing.assert_allclose(extruded(flat, POINTS[:, 1], 0.015), rounded_box(POINTS, (0.02, 0.015, 0.03), 0.0), atol=1e-12)


def test_a_concave_outline_keeps_its_notch_outside() -> None:
    notched = np.array([(0, 0), (4, 0), (4, 3), (2, 1), (0, 3)], dtype=float)
    u, v = np.array([2.0, 2.0, 0.5, 5.0]), np.array([2.0, 0.5, 1.0, 1.0])
    np.testing.assert_allclose(outline_distance(u, v, notched), [np.sqrt(0.5), -0.5, -0.5, 1.0], atol=1e-12)


def test_a_revolved_rectangle_is_a_cylinder_and_a_revolved_circle_a_torus() -> None:
    section = np.array([(0, -0.03), (0.02, -0.03), (0.02, 0.03), (0, 0.03)])
    np.testing.assert_allclose(revolved(RADIUS, POINTS[:, 2], section), rounded_cylinder(POINTS, 0.02, 0.03, 0.0), atol=1e-12)
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    circle = np.stack([0.04 + 0.01 * np.cos(angle), 0.01 * np.sin(angle)], axis=1)
    np.testing.assert_allclose(outline_distance(RADIUS, POINTS[:, 2], circle), torus(POINTS, 0.04, 0.01), atol=1e-6)


def test_a_straight_tube_of_one_radius_is_a_capsule_and_a_cone_in_between_two() -> None:
    path = np.array([(0, 0, -0.02), (0, 0, 0.0), (0, 0, 0.02)])
    beyond = np.maximum(np.abs(POINTS[:, 2]) - 0.02, 0)
    np.testing.assert_allclose(tube(POINTS, path, np.full(3, 0.01)), np.hypot(RADIUS, beyond) - 0.01, atol=1e-12)
    between = tube(np.array([[0.02, 0, 0.01], [0.02, 0, -0.01]]), path, np.array([0.005, 0.010, 0.015]))
    np.testing.assert_allclose(between, [0.0075, np.hypot(0.02, 0.01) - 0.010], atol=1e-12)


def test_a_path_has_no_inside() -> None:
    assert path_distance(POINTS[:, 0], POINTS[:, 2], SQUARE).min() >= 0
    assert path_distance(np.array([-0.02]), np.array([0.0]), SQUARE)[0] == pytest.approx(0.03), "the last side is open"
    assert outline_distance(np.array([-0.02]), np.array([0.0]), SQUARE)[0] == pytest.approx(0.0, abs=1e-12)


def test_joins_are_where_set_operations_put_them() -> None:
    a, b = rounded_box(POINTS, (0.02, 0.02, 0.02), 0.0), torus(POINTS, 0.03, 0.01)
    np.testing.assert_array_equal(carved(a, b) < 0, (a < 0) & (b > 0))
    joined = smooth_union(a, b, 0.004)
    assert (joined <= np.minimum(a, b) + 1e-15).all() and (joined >= np.minimum(a, b) - 0.001 - 1e-12).all()
    apart = np.abs(a - b) > 0.004
    np.testing.assert_allclose(joined[apart], np.minimum(a, b)[apart], atol=1e-15)


def test_a_rounded_path_keeps_its_ends_and_stays_within_its_corners() -> None:
    path = rounded_path(SQUARE)
    np.testing.assert_array_equal(path[[0, -1]], SQUARE[[0, -1]])
    assert (np.abs(path) <= np.abs(SQUARE).max(0)).all() and len(path) > 15
    closed = rounded_path(SQUARE, closed=True)
    np.testing.assert_allclose(closed.mean(0), 0, atol=1e-12)
    assert np.linalg.norm(closed, axis=1).max() < 0.95 * np.linalg.norm(SQUARE[0])
