"""Pictures of the prior's views against closed forms: a ball, parallel rays, one scale."""

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from hoifield.priors.geometry_view import REST_SCALE, VIEW_EXTENT, VIEW_SIZE, GeometryView, draw_hand, draw_surface, pixel_places

RADIUS = 0.05


def ball(middle: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mesh = trimesh.creation.icosphere(5, RADIUS)
    return np.asarray(mesh.vertices) + middle, np.asarray(mesh.vertices) / RADIUS, np.asarray(mesh.faces)


def test_a_ball_has_the_depth_and_normals_of_a_ball() -> None:
    middle = np.array([0.02, -0.01, 0.03])
    seen = draw_surface(*ball(tuple(middle)))
    x, y = np.meshgrid(pixel_places() - middle[0], pixel_places() - middle[1])
    across = np.hypot(x, y)
    well_inside = across < RADIUS - 0.004
    z = middle[2] - np.sqrt(np.maximum(RADIUS**2 - across**2, 0))
    assert seen.cover[well_inside].all() and not seen.cover[across > RADIUS + 0.0005].any()
    assert np.allclose(seen.depth[well_inside], z[well_inside] / (VIEW_EXTENT / 2), atol=1e-3)
    normal = np.stack([x, y, z - middle[2]], axis=-1) / RADIUS
    assert np.allclose(seen.normal[well_inside], normal[well_inside], atol=5e-3)
    assert (seen.depth[~seen.cover] == 1).all() and (seen.normal[~seen.cover] == 0).all()


@pytest.mark.parametrize("depth", [-0.07, 0.0, 0.07])
def test_size_does_not_depend_on_depth(depth: float) -> None:
    covered = draw_surface(*ball((0.0, 0.0, depth))).cover.sum() * (VIEW_EXTENT / VIEW_SIZE) ** 2
    assert covered == pytest.approx(np.pi * RADIUS**2, rel=0.02)


def test_what_is_deeper_than_the_view_is_left_out() -> None:
    assert not draw_surface(*ball((0.0, 0.0, VIEW_EXTENT))).cover.any()


def test_turning_view_and_thing_together_changes_nothing() -> None:
    R = Rotation.from_rotvec([0.3, -0.5, 0.9]).as_matrix()
    centre = np.array([0.1, 0.2, -0.1])
    vertices, normals, faces = ball((0.02, -0.01, 0.03))
    turned = draw_surface(GeometryView(R, centre).points(vertices @ R + centre), normals, faces)
    plain = draw_surface(vertices, normals, faces)
    assert np.allclose(turned.depth, plain.depth, atol=1e-6)


def test_a_hand_carries_where_its_points_lie_at_rest() -> None:
    vertices, normals, faces = ball((0.0, 0.0, 0.0))
    rest = np.tile([0.02, 0.05, -0.03], (len(vertices), 1))
    seen = draw_hand(vertices, normals, faces, rest)
    covered = seen[0] > 0
    assert np.allclose(seen[5:, covered].T, [0.02 / REST_SCALE, 0.05 / REST_SCALE, -0.03 / REST_SCALE], atol=1e-5)
    assert (seen[5:, ~covered] == 0).all()
