"""The z-buffer against rays, closed forms and its conventions."""

import numpy as np
from closed_shapes import torus

from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.geometry.rasterise import rasterise_mesh

K = np.array([[180.0, 0.0, 61.0], [0.0, 170.0, 44.0], [0.0, 0.0, 1.0]])
WIDTH, HEIGHT = 120, 90


def pixel_rays() -> np.ndarray:
    """Directions with z = 1 through the pixel centres, row by row."""
    row, column = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    return np.stack([(column - K[0, 2]) / K[0, 0], (row - K[1, 2]) / K[1, 1], np.ones_like(row)], axis=-1).reshape(-1, 3)


def placed_torus() -> tuple[np.ndarray, np.ndarray]:
    vertices, faces = torus()
    turned = vertices @ np.array([[1.0, 0.0, 0.0], [0.0, 0.5, -np.sqrt(0.75)], [0.0, np.sqrt(0.75), 0.5]]).T
    return turned + [0.01, -0.005, 0.25], faces


def test_pictures_equal_ray_casting() -> None:
    vertices, faces = placed_torus()
    depth, face, barycentric = rasterise_mesh(vertices, faces, K, WIDTH, HEIGHT)
    rays = pixel_rays()
    hits = MeshDistance(vertices, faces).cast_rays(np.zeros_like(rays), rays)
    expected = hits.distance / np.linalg.norm(rays, axis=1)
    seen = np.isfinite(depth.ravel())
    assert seen.sum() > 500 and np.array_equal(seen, np.isfinite(expected)) and np.array_equal(seen, face.ravel() >= 0)
    np.testing.assert_allclose(depth.ravel()[seen], expected[seen], rtol=1e-9)
    assert (face.ravel()[seen] == hits.face[seen]).mean() > 0.999


def test_barycentric_coordinates_give_the_point_on_the_pixels_ray() -> None:
    vertices, faces = placed_torus()
    depth, face, barycentric = rasterise_mesh(vertices, faces, K, WIDTH, HEIGHT)
    seen = face >= 0
    points = (vertices[faces[face[seen]]] * barycentric[seen][..., None]).sum(1)
    np.testing.assert_allclose(points, pixel_rays().reshape(HEIGHT, WIDTH, 3)[seen] * depth[seen][:, None], atol=1e-9)


def test_two_triangles_tile_a_slanted_square_without_gap() -> None:
    square = np.array([[-1.0, -1.0, 1.0], [1.0, -1.0, 1.4], [1.0, 1.0, 1.4], [-1.0, 1.0, 1.0]])
    depth, _, _ = rasterise_mesh(square, np.array([[0, 1, 2], [0, 2, 3]]), K, WIDTH, HEIGHT)
    x = pixel_rays().reshape(HEIGHT, WIDTH, 3)[..., 0]
    np.testing.assert_allclose(depth, 1.2 / (1.0 - 0.2 * x), rtol=1e-12)


def test_pixel_centres_lie_at_half() -> None:
    plain = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    around = np.array([[2.4, 3.4, 1.0], [2.6, 3.4, 1.0], [2.5, 3.7, 1.0]])
    _, face, _ = rasterise_mesh(around, np.array([[0, 1, 2]]), plain, 8, 8)
    assert np.argwhere(face >= 0).tolist() == [[3, 2]]
    _, face, _ = rasterise_mesh(around + [0.3, 0.0, 0.0], np.array([[0, 1, 2]]), plain, 8, 8)
    assert (face < 0).all()


def test_the_nearest_face_wins_in_either_order_and_both_sides_are_drawn() -> None:
    near = np.array([[-9.0, -9.0, 1.0], [9.0, -9.0, 1.0], [0.0, 12.0, 1.0]])
    vertices = np.concatenate([near * 2, near])
    for faces, winner in (([[0, 1, 2], [3, 4, 5]], 1), ([[3, 5, 4], [0, 2, 1]], 0)):
        depth, face, _ = rasterise_mesh(vertices, np.array(faces), K, WIDTH, HEIGHT)
        assert depth[45, 60] == 1.0 and face[45, 60] == winner


def test_faces_behind_the_camera_or_not_finite_are_left_out() -> None:
    triangle = np.array([[-9.0, -9.0, 1.0], [9.0, -9.0, 1.0], [0.0, 12.0, 1.0]])
    for z in (-1.0, 0.0, 0.0009, np.nan, np.inf):
        moved = triangle.copy()
        moved[2, 2] = z
        depth, face, _ = rasterise_mesh(moved, np.array([[0, 1, 2]]), K, WIDTH, HEIGHT)
        assert np.isinf(depth).all() and (face == -1).all(), z


def test_an_empty_mesh_gives_an_empty_picture() -> None:
    depth, face, _ = rasterise_mesh(np.zeros((0, 3)), np.zeros((0, 3), dtype=int), K, 5, 4)
    assert depth.shape == (4, 5) and np.isinf(depth).all() and (face == -1).all()
