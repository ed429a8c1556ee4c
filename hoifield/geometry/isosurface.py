"""The closed surface at level zero of a grid of signed distances."""

import numpy as np
from jaxtyping import Float
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from skimage.measure import marching_cubes

from hoifield.errors import RefusedInput
from hoifield.geometry.mesh import Mesh


def extract_isosurface(
    values_grid: Float[np.ndarray, "x y z"], lower: Float[np.ndarray, "3"], spacing: float | Float[np.ndarray, "3"]
) -> Mesh:
    """The largest closed component (by volume) of the zero level, faces outward; metres.

    `values_grid[i, j, k]` is the signed distance (negative inside) at `lower + spacing * (i, j, k)`. A surface that leaves the grid
    is closed at its border. Raises RefusedInput (HF-GEO-002) where no value is negative or a value is not finite.
    """
    values = np.asarray(values_grid, dtype=np.float32)
    steps = np.broadcast_to(np.asarray(spacing, dtype=np.float64), 3)
    if not np.isfinite(values).all():
        raise RefusedInput(
            "HF-GEO-002",
            f"{int((~np.isfinite(values)).sum())} values of the distance grid are not finite",
            "look for the step that made them",
        )
    if not (values < 0).any():
        raise RefusedInput(
            "HF-GEO-002", f"the distance grid holds no inside (smallest value {values.min():.4g} m)", "enlarge the box, or fit for longer"
        )
    smallest = np.float32(1e-4 * steps.min())
    padded = np.pad(values, 1, constant_values=np.float32(steps.max()))
    padded = np.where(np.abs(padded) < smallest, smallest, padded)
    vertices, faces, _, _ = marching_cubes(padded, level=0.0, gradient_direction="descent")
    vertices = np.asarray(lower, dtype=np.float64) + (vertices.astype(np.float64) - 1.0) * steps
    return _largest_component(Mesh(vertices, faces.astype(np.int64)))


def _largest_component(mesh: Mesh) -> Mesh:
    """The component that encloses the largest volume, without the vertices of the others."""
    count = len(mesh.vertices)
    a, b, c = mesh.faces.T
    links = coo_matrix((np.ones(2 * len(a)), (np.concatenate([a, b]), np.concatenate([b, c]))), shape=(count, count))
    _, labels = connected_components(links, directed=False)
    corners = mesh.vertices[mesh.faces] - mesh.vertices.mean(0)
    volumes = np.bincount(labels[a], weights=np.linalg.det(corners) / 6.0)
    kept = mesh.faces[labels[a] == volumes.argmax()]
    used, inverse = np.unique(kept, return_inverse=True)
    return Mesh(mesh.vertices[used], inverse.reshape(-1, 3))
