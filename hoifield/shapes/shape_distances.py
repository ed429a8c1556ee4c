"""Signed distances of simple solids and ways to join them, metres, negative inside: what the object families are built from."""

import numpy as np
from jaxtyping import Float
from numba import njit, prange

Points = Float[np.ndarray, "*grid 3"]
Distances = Float[np.ndarray, "*grid"]
Path2 = Float[np.ndarray, "corner 2"]
Path3 = Float[np.ndarray, "corner 3"]


def rounded_cylinder(p: Points, radius: float, half_height: float, rounding: float) -> Distances:
    """Cylinder about z with rounded rims; exact."""
    side = np.hypot(p[..., 0], p[..., 1]) - radius + rounding
    cap = np.abs(p[..., 2]) - half_height + rounding
    return np.minimum(np.maximum(side, cap), 0) + np.hypot(np.maximum(side, 0), np.maximum(cap, 0)) - rounding


def rounded_box(p: Points, half: tuple[float, float, float], rounding: float) -> Distances:
    """Box about the origin with rounded edges; exact."""
    q = np.abs(p) - np.asarray(half) + rounding
    return np.linalg.norm(np.maximum(q, 0), axis=-1) + np.minimum(q.max(-1), 0) - rounding


def torus(p: Points, radius: float, tube: float) -> Distances:
    """Torus about z; exact."""
    return np.hypot(np.hypot(p[..., 0], p[..., 1]) - radius, p[..., 2]) - tube


def smooth_union(a: Distances, b: Distances, width: float) -> Distances:
    """Union with a fillet of about `width` (polynomial minimum, Quilez)."""
    blend = np.clip(0.5 + 0.5 * (b - a) / width, 0, 1)
    return b + (a - b) * blend - width * blend * (1 - blend)


def carved(solid: Distances, cavity: Distances) -> Distances:
    """The solid without the cavity; a bound where both are near."""
    return np.maximum(solid, -cavity)


def extruded(flat: Distances, across: Distances, half: float, rounding: float = 0.0) -> Distances:
    """A flat figure (its signed distance in its plane) given a thickness of 2 `half` along `across`, edges rounded; exact."""
    inward, cap = flat + rounding, np.abs(across) - half + rounding
    return np.minimum(np.maximum(inward, cap), 0) + np.hypot(np.maximum(inward, 0), np.maximum(cap, 0)) - rounding


def outline_distance(u: Distances, v: Distances, corners: Path2) -> Distances:
    """Signed distance to a closed polygon in the plane (u, v), in either sense of rotation; exact."""
    return _plane_distance(u, v, corners, True)


def path_distance(u: Distances, v: Distances, corners: Path2) -> Distances:
    """Unsigned distance to an open chain of segments in the plane (u, v); exact."""
    return _plane_distance(u, v, corners, False)


def revolved(radius: Distances, z: Distances, corners: Path2) -> Distances:
    """The solid that a chain of (radius, z) corners from axis to axis sweeps about z; exact where `radius` is the distance to z."""
    mirrored = np.concatenate([corners, (corners * [-1.0, 1.0])[::-1]])
    return outline_distance(radius, z, mirrored)


def tube(p: Points, path: Path3, radii: Float[np.ndarray, "corner"]) -> Distances:
    """Round bar along a chain of segments, its radius linear along each; a bound, exact where the radius is constant."""
    values = np.empty(p.size // 3)
    _fill_tube(_contiguous(p.reshape(-1, 3)), _contiguous(path), _contiguous(radii), values)
    return values.reshape(p.shape[:-1])


def rounded_path(corners: Float[np.ndarray, "corner axis"], rounds: int = 3, closed: bool = False) -> Float[np.ndarray, "finer axis"]:
    """A smooth chain drawn towards its corners: each corner is cut at a quarter of its sides, `rounds` times (Chaikin); ends stay."""
    path = np.asarray(corners, dtype=np.float64)
    for _ in range(rounds):
        following = np.roll(path, -1, axis=0) if closed else path[1:]
        start = path if closed else path[:-1]
        cut = np.stack([0.75 * start + 0.25 * following, 0.25 * start + 0.75 * following], axis=1).reshape(-1, path.shape[1])
        path = cut if closed else np.concatenate([path[:1], cut[1:-1], path[-1:]])
    return path


def _contiguous(values: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
    """The values as the kernels take them."""
    return np.ascontiguousarray(values, dtype=np.float64)


def _plane_distance(u: Distances, v: Distances, corners: Path2, closed: bool) -> Distances:
    """Distance to a chain of segments; negative inside where it is closed."""
    u, v = np.broadcast_arrays(u, v)
    values = np.empty(u.size)
    _fill_plane(_contiguous(np.stack([u.ravel(), v.ravel()], axis=1)), _contiguous(corners), closed, values)
    return values.reshape(u.shape)


@njit(cache=True, parallel=True, error_model="numpy")
def _fill_plane(points, corners, closed, values):  # type: ignore[no-untyped-def]
    count = len(corners)
    for p in prange(len(points)):
        u, v = points[p, 0], points[p, 1]
        nearest, sign = 1e30, 1.0
        for k in range(count if closed else count - 1):
            au, av = corners[k, 0], corners[k, 1]
            bu, bv = corners[(k + 1) % count, 0] - au, corners[(k + 1) % count, 1] - av
            du, dv = u - au, v - av
            share = min(max((du * bu + dv * bv) / max(bu * bu + bv * bv, 1e-30), 0.0), 1.0)
            nearest = min(nearest, (du - share * bu) ** 2 + (dv - share * bv) ** 2)
            above_start, below_end, left = dv >= 0, v < corners[(k + 1) % count, 1], bu * dv > bv * du
            if closed and above_start == below_end and below_end == left:
                sign = -sign
        values[p] = sign * np.sqrt(nearest)


@njit(cache=True, parallel=True, error_model="numpy")
def _fill_tube(points, path, radii, values):  # type: ignore[no-untyped-def]
    for p in prange(len(points)):
        nearest = 1e30
        for k in range(len(path) - 1):
            along, length, distance = 0.0, 1e-30, 0.0
            for axis in range(3):
                along += (points[p, axis] - path[k, axis]) * (path[k + 1, axis] - path[k, axis])
                length += (path[k + 1, axis] - path[k, axis]) ** 2
            share = min(max(along / length, 0.0), 1.0)
            for axis in range(3):
                distance += (points[p, axis] - path[k, axis] - share * (path[k + 1, axis] - path[k, axis])) ** 2
            nearest = min(nearest, np.sqrt(distance) - radii[k] - share * (radii[k + 1] - radii[k]))
        values[p] = nearest
