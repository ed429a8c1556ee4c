"""Is a surface closed, and which part of it is the object."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from hoifield.geometry.mesh import Mesh, face_normals, signed_volume


@dataclass(frozen=True)
class SurfaceQuality:
    """What a closed, printable object mesh is judged by."""

    watertight: bool
    """Every edge has exactly two faces, which run through it in opposite directions, and the volume is positive."""
    components: int
    boundary_edges: int
    """Edges of one face only."""
    degenerate_faces: int
    """Faces below 1e-14 m^2."""
    volume_m3: float
    extent_m: tuple[float, float, float]


def measure_surface(mesh: Mesh) -> SurfaceQuality:
    """The quality of a mesh; an empty mesh is not watertight and has no component."""
    if len(mesh.faces) == 0:
        return SurfaceQuality(False, 0, 0, 0, 0.0, (0.0, 0.0, 0.0))
    _, areas = face_normals(mesh)
    x, y, z = (float(side) for side in mesh.extent)
    return SurfaceQuality(
        watertight=is_watertight(mesh),
        components=int(len(np.unique(label_components(mesh)[mesh.faces[:, 0]]))),
        boundary_edges=int((_edge_counts(mesh) == 1).sum()),
        degenerate_faces=int((areas < 1e-14).sum()),
        volume_m3=signed_volume(mesh),
        extent_m=(x, y, z),
    )


def is_watertight(mesh: Mesh) -> bool:
    """Whether the faces close a volume: each directed edge once, its reverse once, and outward faces."""
    if len(mesh.faces) == 0:
        return False
    edges = _directed_edges(mesh)
    forward = edges[:, 0] * len(mesh.vertices) + edges[:, 1]
    backward = edges[:, 1] * len(mesh.vertices) + edges[:, 0]
    unique = np.unique(forward)
    closed = len(unique) == len(forward) and np.array_equal(unique, np.unique(backward))
    return bool(closed and signed_volume(mesh) > 0)


def label_components(mesh: Mesh) -> Int[np.ndarray, "vertex"]:
    """Number of the connected part of each vertex (parts joined by faces)."""
    edges = _directed_edges(mesh)
    count = len(mesh.vertices)
    graph = coo_matrix((np.ones(len(edges), dtype=np.int8), (edges[:, 0], edges[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def largest_component(mesh: Mesh) -> Mesh:
    """The connected part with the largest area, without unused vertices."""
    if len(mesh.faces) == 0:
        return mesh
    labels = label_components(mesh)[mesh.faces[:, 0]]
    _, areas = face_normals(mesh)
    kept = mesh.faces[labels == np.bincount(labels, weights=areas).argmax()]
    used, faces = np.unique(kept, return_inverse=True)
    colours = None if mesh.colours is None else mesh.colours[used]
    return Mesh(mesh.vertices[used], faces.reshape(-1, 3), colours)


def _directed_edges(mesh: Mesh) -> Int[np.ndarray, "edge 2"]:
    return mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2).astype(np.int64)


def _edge_counts(mesh: Mesh) -> Int[np.ndarray, "edge"]:
    edges = np.sort(_directed_edges(mesh), axis=1)
    return np.unique(edges, axis=0, return_counts=True)[1]
