"""Generalised winding numbers over a tree of boxes: near faces by their solid angle, far groups of faces as one dipole."""

import math

import numpy as np
from numba import njit, prange

STACK_SIZE = 128
FAR_RATIO = 2.5
"""A group counts as far at this many of its radii (Barill et al. 2018 take 2)."""


@njit(cache=True, error_model="numpy")
def winding_moments(corners, boxes, child, first, count):
    """Per node (node 7): area-weighted centroid, sum of area normals, radius about the centroid; triangles in leaf order."""
    moments = np.zeros((len(child), 7))
    areas = np.zeros(len(child))
    for node in range(len(child) - 1, -1, -1):
        if child[node] >= 0:
            for part in range(child[node], child[node] + 2):
                areas[node] += areas[part]
                for k in range(3):
                    moments[node, k] += moments[part, k] * areas[part]
                    moments[node, k + 3] += moments[part, k + 3]
        else:
            for face in range(first[node], first[node] + count[node]):
                normal = np.cross(corners[face, 1] - corners[face, 0], corners[face, 2] - corners[face, 0]) / 2.0
                area = math.sqrt((normal * normal).sum())
                areas[node] += area
                for k in range(3):
                    moments[node, k] += area * (corners[face, 0, k] + corners[face, 1, k] + corners[face, 2, k]) / 3.0
                    moments[node, k + 3] += normal[k]
        squared = 0.0
        for k in range(3):
            moments[node, k] /= max(areas[node], 1e-300)
            reach = max(moments[node, k] - boxes[node, k], boxes[node, k + 3] - moments[node, k])
            squared += reach * reach
        moments[node, 6] = math.sqrt(squared)
    return moments


@njit(cache=True, error_model="numpy")
def _solid_angle(corners, face, x, y, z):
    """Signed solid angle of a triangle seen from a point (van Oosterom and Strackee 1983); positive from inside."""
    ax, ay, az = corners[face, 0, 0] - x, corners[face, 0, 1] - y, corners[face, 0, 2] - z
    bx, by, bz = corners[face, 1, 0] - x, corners[face, 1, 1] - y, corners[face, 1, 2] - z
    cx, cy, cz = corners[face, 2, 0] - x, corners[face, 2, 1] - y, corners[face, 2, 2] - z
    a, b, c = math.sqrt(ax * ax + ay * ay + az * az), math.sqrt(bx * bx + by * by + bz * bz), math.sqrt(cx * cx + cy * cy + cz * cz)
    determinant = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
    ab, bc, ca = ax * bx + ay * by + az * bz, bx * cx + by * cy + bz * cz, cx * ax + cy * ay + cz * az
    return 2.0 * math.atan2(determinant, a * b * c + ab * c + bc * a + ca * b)


@njit(cache=True, parallel=True, error_model="numpy")
def winding_sums(points, corners, child, first, count, moments, result):
    """Winding number of each point into `result`."""
    for i in prange(len(points)):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        stack = np.empty(STACK_SIZE, dtype=np.int32)
        stack[0] = 0
        size, total = 1, 0.0
        while size > 0:
            size -= 1
            node = stack[size]
            dx, dy, dz = moments[node, 0] - x, moments[node, 1] - y, moments[node, 2] - z
            distance = math.sqrt(dx * dx + dy * dy + dz * dz)
            if distance > FAR_RATIO * moments[node, 6]:
                dot = dx * moments[node, 3] + dy * moments[node, 4] + dz * moments[node, 5]
                total += dot / (distance * distance * distance)
            elif child[node] >= 0:
                stack[size], stack[size + 1] = child[node], child[node] + 1
                size += 2
            else:
                for face in range(first[node], first[node] + count[node]):
                    total += _solid_angle(corners, face, x, y, z)
        result[i] = total / (4.0 * math.pi)
