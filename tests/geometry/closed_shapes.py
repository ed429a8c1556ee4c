"""Closed meshes for the tests of geometry, and slow readable references."""

import numpy as np


def torus(large: float = 0.05, small: float = 0.02, around: int = 40, across: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """A closed mesh that is not convex, faces outward."""
    u, v = np.meshgrid(2 * np.pi * np.arange(around) / around, 2 * np.pi * np.arange(across) / across, indexing="ij")
    ring = large + small * np.cos(v)
    vertices = np.stack([ring * np.cos(u), ring * np.sin(u), small * np.sin(v)], axis=-1).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(around), np.arange(across), indexing="ij")
    a, b = i * across + j, (i + 1) % around * across + j
    c, d = (i + 1) % around * across + (j + 1) % across, i * across + (j + 1) % across
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    return vertices, faces


def spiky_box(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A box with sharp dents: the tetrahedra raised or sunk on each side make edges and vertices of every kind."""
    generator = np.random.default_rng(seed)
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=float)
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    vertices, faces = list(corners), []
    for side in sides:
        middle = corners[list(side)].mean(0)
        vertices.append(middle * generator.uniform(0.3, 2.0))
        faces += [(side[k], side[(k + 1) % 4], len(vertices) - 1) for k in range(4)]
    return 0.03 * np.array(vertices), np.array(faces)


def distance_slowly(point: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> float:
    """Smallest distance over all triangles: to the plane's foot point where it lies in the triangle, and to the three sides."""
    corners = vertices[faces]
    ends = np.roll(corners, -1, axis=1)
    sides = ends - corners
    normal = np.cross(sides[:, 0], sides[:, 1])
    height = ((point - corners[:, 0]) * normal).sum(1) / (normal * normal).sum(1)
    foot = point - normal * height[:, None]
    inside = (np.cross(sides, foot[:, None] - corners) * normal[:, None]).sum(2).min(1) >= 0
    along = ((point - corners) * sides).sum(2) / (sides * sides).sum(2)
    on_sides = corners + sides * np.clip(along, 0, 1)[..., None]
    to_plane = np.where(inside, np.linalg.norm(point - foot, axis=1), np.inf)
    return float(min(to_plane.min(), np.linalg.norm(point - on_sides, axis=2).min()))


def winding_number_slowly(point: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> float:
    """Sum of signed solid angles over 4 pi."""
    a, b, c = (vertices[faces[:, k]] - point for k in range(3))
    la, lb, lc = (np.linalg.norm(side, axis=1) for side in (a, b, c))
    top = (a * np.cross(b, c)).sum(1)
    bottom = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
    return float(2 * np.arctan2(top, bottom).sum() / (4 * np.pi))
