"""Exact signed distances to a triangle mesh, and rays against it, through a tree of boxes on the CPU."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numba import njit, prange

from hoifield.errors import RefusedInput
from hoifield.geometry.bounding_tree import build_tree, refit_boxes

STACK_SIZE = 64
REJECTED_CODE = "HF-GEO-001"


@dataclass(frozen=True)
class ClosestPoints:
    """The nearest surface point of each query point."""

    signed_distance: Float[np.ndarray, "point"]
    """Metres, negative inside."""
    face: Int[np.ndarray, "point"]
    barycentric: Float[np.ndarray, "point 3"]


@dataclass(frozen=True)
class RayHits:
    """The first hit of each ray."""

    distance: Float[np.ndarray, "ray"]
    """Metres along the ray; inf where nothing is hit."""
    face: Int[np.ndarray, "ray"]
    """-1 where nothing is hit."""
    barycentric: Float[np.ndarray, "ray 3"]


class MeshDistance:
    """Distance and ray queries of one closed mesh; `refit` follows a mesh that deforms.

    The sign is that of the angle-weighted pseudo-normal of the nearest face, edge or vertex (Baerentzen and Aanaes 2005): exact for
    watertight meshes without self-intersection, and wrong where parts overlap (a closed fist). Queries run in parallel over points and repeat bit for bit.
    """

    def __init__(self, vertices: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"]) -> None:
        """Raises RefusedInput for a mesh without faces, with indices out of range, or with vertices that are not finite."""
        self._faces = np.ascontiguousarray(faces, dtype=np.int64)
        if self._faces.ndim != 2 or len(self._faces) == 0 or self._faces.min() < 0 or self._faces.max() >= len(vertices):
            raise RefusedInput(
                REJECTED_CODE, f"a mesh of {len(vertices)} vertices with faces that are missing or out of range", "check the mesh file"
            )
        corners = _checked(vertices, "mesh vertices")[self._faces]
        self._tree = build_tree(corners)
        self._ordered = self._faces[self._tree.order]
        self._edges = _edge_numbers(self._ordered)
        self._vertex_count = len(vertices)
        self._set_vertices(vertices)

    def refit(self, vertices: Float[np.ndarray, "vertex 3"]) -> None:
        """Move the mesh to new vertices (same faces): boxes and normals are recomputed, the tree is kept."""
        if len(vertices) != self._vertex_count:
            raise RefusedInput(
                REJECTED_CODE, f"refit with {len(vertices)} vertices, the mesh has {self._vertex_count}", "build a new MeshDistance"
            )
        self._set_vertices(vertices)

    def closest(self, points: Float[np.ndarray, "point 3"]) -> ClosestPoints:
        """Signed distance, face and barycentric coordinates of the nearest surface point; points in the mesh's frame."""
        queries = _checked(points, "query points")
        tree = self._tree
        distance, face, barycentric = np.empty(len(queries)), np.empty(len(queries), dtype=np.int32), np.empty((len(queries), 3))
        _closest(queries, self._corners, tree.boxes, tree.child, tree.first, tree.count, self._normals, distance, face, barycentric)
        return ClosestPoints(distance, tree.order[face], barycentric)

    def on_grid(self, lower: Float[np.ndarray, "3"], spacing: float, count: int) -> Float[np.ndarray, "count count count"]:
        """Signed distances at the nodes of a cube: node (i, j, k) lies at lower + spacing * (i, j, k)."""
        axis = np.arange(count) * spacing
        nodes = lower + np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
        return self.closest(nodes).signed_distance.reshape((count,) * 3)

    def cast_rays(self, origins: Float[np.ndarray, "ray 3"], directions: Float[np.ndarray, "ray 3"]) -> RayHits:
        """First hit of each ray, from either side of the surface; directions need not have unit length."""
        starts, ways = _checked(origins, "ray origins"), _checked(directions, "ray directions")
        length = np.linalg.norm(ways, axis=1, keepdims=True)
        if len(ways) and length.min() <= 0.0:
            raise RefusedInput(REJECTED_CODE, "a ray direction of length zero", "give directions with a length")
        tree = self._tree
        distance, face, barycentric = np.empty(len(starts)), np.empty(len(starts), dtype=np.int32), np.zeros((len(starts), 3))
        _cast(starts, ways / length, self._corners, tree.boxes, tree.child, tree.first, tree.count, distance, face, barycentric)
        return RayHits(distance, np.where(face >= 0, tree.order[face], -1), barycentric)

    def _set_vertices(self, vertices: Float[np.ndarray, "vertex 3"]) -> None:
        self._corners = _checked(vertices, "mesh vertices")[self._ordered]
        tree = self._tree
        refit_boxes(self._corners, tree.child, tree.first, tree.count, tree.boxes)
        self._normals = _pseudo_normals(self._corners, self._ordered, self._edges, self._vertex_count)


def _checked(points: Float[np.ndarray, "point 3"], name: str) -> Float[np.ndarray, "point 3"]:
    """The points as contiguous float64; refuses wrong shapes and values that are not finite."""
    array = np.ascontiguousarray(points, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 3:
        raise RefusedInput(REJECTED_CODE, f"{name} of shape {array.shape}, not (n, 3)", "pass an array of points")
    bad = int((~np.isfinite(array).all(axis=1)).sum())
    if bad:
        raise RefusedInput(REJECTED_CODE, f"{bad} of {len(array)} {name} are not finite", "look for the step that made NaN or infinity")
    return array


def _edge_numbers(faces: Int[np.ndarray, "face 3"]) -> Int[np.ndarray, "face 3"]:
    """A number per undirected edge; column k is the edge from corner k to corner k + 1."""
    pairs = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1), axis=-1).reshape(-1, 2)
    keys = pairs[:, 0] * (faces.max() + 1) + pairs[:, 1]
    return np.unique(keys, return_inverse=True)[1].reshape(-1, 3)


def _pseudo_normals(
    corners: Float[np.ndarray, "face 3 3"], faces: Int[np.ndarray, "face 3"], edges: Int[np.ndarray, "face 3"], vertex_count: int
) -> Float[np.ndarray, "face region=7 3"]:
    """Per face: pseudo-normals of its three vertices (angle-weighted), its three edges (sum of both faces) and itself."""
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal = cross / np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), 1e-300)
    vertex_sum = np.zeros((vertex_count, 3))
    edge_sum = np.zeros((edges.max() + 1, 3))
    for k in range(3):
        one, other = corners[:, (k + 1) % 3] - corners[:, k], corners[:, (k + 2) % 3] - corners[:, k]
        angle = np.arctan2(np.linalg.norm(np.cross(one, other), axis=1), (one * other).sum(1))
        np.add.at(vertex_sum, faces[:, k], normal * angle[:, None])
        np.add.at(edge_sum, edges[:, k], normal)
    return np.ascontiguousarray(np.concatenate([vertex_sum[faces], edge_sum[edges], normal[:, None]], axis=1))


@njit(cache=True, error_model="numpy", inline="always")
def _box_distance(boxes, node, x, y, z):
    """Squared distance from a point to a node's box."""
    dx = max(boxes[node, 0] - x, 0.0, x - boxes[node, 3])
    dy = max(boxes[node, 1] - y, 0.0, y - boxes[node, 4])
    dz = max(boxes[node, 2] - z, 0.0, z - boxes[node, 5])
    return dx * dx + dy * dy + dz * dz


@njit(cache=True, error_model="numpy")
def _closest_on_triangle(corners, face, x, y, z):
    """(v, w, region) of the nearest point a + v ab + w ac (Ericson 2005, 5.1.5); regions 0-2 vertices, 3-5 edges, 6 the face."""
    ax, ay, az = corners[face, 0, 0], corners[face, 0, 1], corners[face, 0, 2]
    bx, by, bz = corners[face, 1, 0] - ax, corners[face, 1, 1] - ay, corners[face, 1, 2] - az
    cx, cy, cz = corners[face, 2, 0] - ax, corners[face, 2, 1] - ay, corners[face, 2, 2] - az
    px, py, pz = x - ax, y - ay, z - az
    d1, d2 = bx * px + by * py + bz * pz, cx * px + cy * py + cz * pz
    bb, bc, cc = bx * bx + by * by + bz * bz, bx * cx + by * cy + bz * cz, cx * cx + cy * cy + cz * cz
    if d1 <= 0.0 and d2 <= 0.0:
        return 0.0, 0.0, 0
    d3, d4 = d1 - bb, d2 - bc
    if d3 >= 0.0 and d4 <= d3:
        return 1.0, 0.0, 1
    vc = d1 * d4 - d3 * d2
    if vc <= 0.0 and d1 >= 0.0 and d3 <= 0.0 and bb > 0.0:
        return d1 / bb, 0.0, 3
    d5, d6 = d1 - bc, d2 - cc
    if d6 >= 0.0 and d5 <= d6:
        return 0.0, 1.0, 2
    vb = d5 * d2 - d1 * d6
    if vb <= 0.0 and d2 >= 0.0 and d6 <= 0.0 and cc > 0.0:
        return 0.0, d2 / cc, 5
    va = d3 * d6 - d5 * d4
    if va <= 0.0 and d4 >= d3 and d5 >= d6:
        w = (d4 - d3) / (bb + cc - 2.0 * bc)
        return 1.0 - w, w, 4
    scale = 1.0 / (va + vb + vc)
    return vb * scale, vc * scale, 6


@njit(cache=True, parallel=True, error_model="numpy")
def _closest(points, corners, boxes, child, first, count, normals, distance, nearest, barycentric):
    """Nearest point of each query: depth-first through the boxes, nearer child first, boxes beyond the best one skipped."""
    for i in prange(len(points)):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        stack = np.empty(STACK_SIZE, dtype=np.int32)
        bound = np.empty(STACK_SIZE)
        stack[0], bound[0] = 0, 0.0
        size, best, best_face, best_v, best_w, best_side = 1, np.inf, 0, 0.0, 0.0, 1.0
        while size > 0:
            size -= 1
            if bound[size] >= best:
                continue
            node = stack[size]
            left = child[node]
            if left < 0:
                for face in range(first[node], first[node] + count[node]):
                    v, w, region = _closest_on_triangle(corners, face, x, y, z)
                    u = 1.0 - v - w
                    dx = x - (u * corners[face, 0, 0] + v * corners[face, 1, 0] + w * corners[face, 2, 0])
                    dy = y - (u * corners[face, 0, 1] + v * corners[face, 1, 1] + w * corners[face, 2, 1])
                    dz = z - (u * corners[face, 0, 2] + v * corners[face, 1, 2] + w * corners[face, 2, 2])
                    squared = dx * dx + dy * dy + dz * dz
                    if squared < best:
                        best, best_face, best_v, best_w = squared, face, v, w
                        best_side = dx * normals[face, region, 0] + dy * normals[face, region, 1] + dz * normals[face, region, 2]
                continue
            near, far = left, left + 1
            near_bound, far_bound = _box_distance(boxes, near, x, y, z), _box_distance(boxes, far, x, y, z)
            if far_bound < near_bound:
                near, far, near_bound, far_bound = far, near, far_bound, near_bound
            if far_bound < best:
                stack[size], bound[size] = far, far_bound
                size += 1
            if near_bound < best:
                stack[size], bound[size] = near, near_bound
                size += 1
        distance[i] = math.copysign(math.sqrt(best), 1.0 if best_side >= 0.0 else -1.0)
        nearest[i] = best_face
        barycentric[i, 0], barycentric[i, 1], barycentric[i, 2] = 1.0 - best_v - best_w, best_v, best_w


@njit(cache=True, error_model="numpy")
def _enter_box(boxes, node, origin, inverse):
    """Ray parameter where a ray enters a node's box; inf where it misses."""
    start, end = 0.0, np.inf
    for k in range(3):
        one, other = (boxes[node, k] - origin[k]) * inverse[k], (boxes[node, k + 3] - origin[k]) * inverse[k]
        start, end = max(start, min(one, other)), min(end, max(one, other))
    return start if start <= end * (1.0 + 1e-12) else np.inf


@njit(cache=True, error_model="numpy")
def _ray_triangle(corners, face, origin, way):
    """(t, v, w) of a ray against a triangle from either side (Moeller and Trumbore 1997); t is inf where it misses."""
    a = corners[face, 0]
    bx, by, bz = corners[face, 1, 0] - a[0], corners[face, 1, 1] - a[1], corners[face, 1, 2] - a[2]
    cx, cy, cz = corners[face, 2, 0] - a[0], corners[face, 2, 1] - a[1], corners[face, 2, 2] - a[2]
    px, py, pz = way[1] * cz - way[2] * cy, way[2] * cx - way[0] * cz, way[0] * cy - way[1] * cx
    determinant = bx * px + by * py + bz * pz
    if determinant == 0.0:
        return np.inf, 0.0, 0.0
    sx, sy, sz = origin[0] - a[0], origin[1] - a[1], origin[2] - a[2]
    v = (sx * px + sy * py + sz * pz) / determinant
    qx, qy, qz = sy * bz - sz * by, sz * bx - sx * bz, sx * by - sy * bx
    w = (way[0] * qx + way[1] * qy + way[2] * qz) / determinant
    t = (cx * qx + cy * qy + cz * qz) / determinant
    if v < -1e-12 or w < -1e-12 or v + w > 1.0 + 1e-12 or t < 0.0:
        return np.inf, 0.0, 0.0
    return t, v, w


@njit(cache=True, parallel=True, error_model="numpy")
def _cast(origins, ways, corners, boxes, child, first, count, distance, hit, barycentric):
    """First hit of each ray; `hit` is -1 and `distance` inf where there is none."""
    for i in prange(len(origins)):
        origin, way = origins[i], ways[i]
        inverse = np.empty(3)
        for k in range(3):
            inverse[k] = 1.0 / way[k] if abs(way[k]) > 1e-30 else math.copysign(1e30, way[k])
        stack = np.empty(STACK_SIZE, dtype=np.int32)
        bound = np.empty(STACK_SIZE)
        stack[0], bound[0] = 0, _enter_box(boxes, 0, origin, inverse)
        size, best, best_face, best_v, best_w = 1, np.inf, -1, 0.0, 0.0
        while size > 0:
            size -= 1
            if bound[size] >= best:
                continue
            node = stack[size]
            left = child[node]
            if left < 0:
                for face in range(first[node], first[node] + count[node]):
                    t, v, w = _ray_triangle(corners, face, origin, way)
                    if t < best:
                        best, best_face, best_v, best_w = t, face, v, w
                continue
            near, far = left, left + 1
            near_bound, far_bound = _enter_box(boxes, near, origin, inverse), _enter_box(boxes, far, origin, inverse)
            if far_bound < near_bound:
                near, far, near_bound, far_bound = far, near, far_bound, near_bound
            if far_bound < best:
                stack[size], bound[size] = far, far_bound
                size += 1
            if near_bound < best:
                stack[size], bound[size] = near, near_bound
                size += 1
        distance[i], hit[i] = best, best_face
        if best_face >= 0:
            barycentric[i, 0], barycentric[i, 1], barycentric[i, 2] = 1.0 - best_v - best_w, best_v, best_w
