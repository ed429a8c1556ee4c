"""Is a surface closed."""

import numpy as np

from hoifield.geometry.mesh import Mesh, signed_volume


def is_watertight(mesh: Mesh) -> bool:
    """Whether the faces close a volume: each directed edge once, its reverse once, and outward faces; not so for an empty mesh."""
    if len(mesh.faces) == 0:
        return False
    edges = mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2).astype(np.int64)
    forward = edges[:, 0] * len(mesh.vertices) + edges[:, 1]
    backward = edges[:, 1] * len(mesh.vertices) + edges[:, 0]
    unique = np.unique(forward)
    closed = len(unique) == len(forward) and np.array_equal(unique, np.unique(backward))
    return bool(closed and signed_volume(mesh) > 0)
