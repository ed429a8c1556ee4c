"""Triangle meshes: normals, area-weighted samples, connected parts."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Mesh:
    """Triangles in metres; faces are counter-clockwise seen from outside. `colours` are RGB in [0, 1] per vertex."""

    vertices: Float[np.ndarray, "vertex 3"]
    faces: Int[np.ndarray, "face 3"]
    colours: Float[np.ndarray, "vertex 3"] | None = None

    def moved(self, T: Float[np.ndarray, "4 4"]) -> "Mesh":
        """The mesh with its vertices mapped by the rigid transform T."""
        return Mesh(self.vertices @ T[:3, :3].T + T[:3, 3], self.faces, self.colours)

    @property
    def extent(self) -> Float[np.ndarray, "3"]:
        """Side lengths of the axis-aligned box, metres."""
        return np.ptp(self.vertices, axis=0)


def face_normals(mesh: Mesh) -> tuple[Float[np.ndarray, "face 3"], Float[np.ndarray, "face"]]:
    """Unit outward normals and areas (m^2) of the faces."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    cross = np.cross(b - a, c - a)
    double_area = np.linalg.norm(cross, axis=1)
    return cross / np.maximum(double_area, 1e-30)[:, None], double_area / 2


def vertex_normals(mesh: Mesh) -> Float[np.ndarray, "vertex 3"]:
    """Unit vertex normals: the area-weighted mean of the faces around each vertex."""
    normals, areas = face_normals(mesh)
    total = np.zeros_like(mesh.vertices, dtype=np.float64)
    for k in range(3):
        np.add.at(total, mesh.faces[:, k], normals * areas[:, None])
    return total / np.maximum(np.linalg.norm(total, axis=1), 1e-30)[:, None]


def sample_surface(mesh: Mesh, count: int, generator: np.random.Generator) -> Float[np.ndarray, "count 3"]:
    """Points drawn uniformly by area."""
    _, areas = face_normals(mesh)
    faces = mesh.faces[generator.choice(len(areas), size=count, p=areas / areas.sum())]
    u, v = generator.random((2, count, 1))
    flip = u + v > 1
    u, v = np.where(flip, 1 - u, u), np.where(flip, 1 - v, v)
    a, b, c = (mesh.vertices[faces[:, k]] for k in range(3))
    return a + u * (b - a) + v * (c - a)


def signed_volume(mesh: Mesh) -> float:
    """Enclosed volume (m^3), positive for outward faces; exact for watertight meshes (divergence theorem)."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0)
