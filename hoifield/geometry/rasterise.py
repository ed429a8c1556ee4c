"""Depth, face and barycentric pictures of a triangle mesh: an exact z-buffer on the CPU."""

import math

import numpy as np
from jaxtyping import Float, Int
from numba import njit

NEAREST_DEPTH = 1e-3
"""Metres; faces that reach closer to the camera plane than this are left out."""
FARTHEST_DEPTH = 1e12


def rasterise_mesh(
    vertices_camera: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"], K: Float[np.ndarray, "3 3"], width: int, height: int
) -> tuple[Float[np.ndarray, "row column"], Int[np.ndarray, "row column"], Float[np.ndarray, "row column 3"]]:
    """Depth (z, metres; inf where nothing is hit), face index (-1 = none) and barycentric coordinates at every pixel centre.

    `vertices_camera` are in the camera frame (OpenCV axes); the sample of pixel (column, row) is its centre (column + 0.5,
    row + 0.5). Barycentric coordinates are perspective-correct: they weigh the three corners of the face in space. Both sides of
    a face are drawn; faces with a corner at z <= 1 mm, or a corner that is not finite, are left out.
    """
    depth = np.full((height, width), np.inf)
    face_index = np.full((height, width), -1, dtype=np.int32)
    barycentric = np.zeros((height, width, 3))
    points = np.ascontiguousarray(vertices_camera, dtype=np.float64)
    _fill(points, np.ascontiguousarray(faces, dtype=np.int64), np.ascontiguousarray(K, dtype=np.float64), depth, face_index, barycentric)
    return depth, face_index, barycentric


@njit(cache=True, error_model="numpy")
def _fill(vertices, faces, K, depth, face_index, barycentric):
    """Draw all faces into the pictures, nearest first kept."""
    height, width = depth.shape
    pixels = np.empty((len(vertices), 2))
    for v in range(len(vertices)):
        x, y, z = vertices[v]
        pixels[v, 0] = (K[0, 0] * x + K[0, 1] * y) / z + K[0, 2]
        pixels[v, 1] = K[1, 1] * y / z + K[1, 2]
    for f in range(len(faces)):
        a, b, c = faces[f]
        za, zb, zc = vertices[a, 2], vertices[b, 2], vertices[c, 2]
        if not (min(za, zb, zc) > NEAREST_DEPTH and za + zb + zc < FARTHEST_DEPTH):
            continue
        ax, ay, bx, by, cx, cy = pixels[a, 0], pixels[a, 1], pixels[b, 0], pixels[b, 1], pixels[c, 0], pixels[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if not (abs(area) > 1e-12 and abs(area) < 1e18):
            continue
        top = max(0, math.ceil(min(ay, by, cy) - 0.5))
        bottom = min(height - 1, math.floor(max(ay, by, cy) - 0.5))
        left = max(0, math.ceil(min(ax, bx, cx) - 0.5))
        right = min(width - 1, math.floor(max(ax, bx, cx) - 0.5))
        for row in range(top, bottom + 1):
            y = row + 0.5
            for column in range(left, right + 1):
                x = column + 0.5
                wa = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
                wb = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
                wc = 1.0 - wa - wb
                if wa < 0.0 or wb < 0.0 or wc < -1e-12:
                    continue
                pa, pb, pc = wa / za, wb / zb, max(wc, 0.0) / zc
                z = 1.0 / (pa + pb + pc)
                if z < depth[row, column]:
                    depth[row, column] = z
                    face_index[row, column] = f
                    barycentric[row, column, 0] = pa * z
                    barycentric[row, column, 1] = pb * z
                    barycentric[row, column, 2] = pc * z
