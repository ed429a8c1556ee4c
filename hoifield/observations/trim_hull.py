"""A hull without what nobody ever saw and nothing suggests: matter that hides behind the hand, outside of all that was seen."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import ConvexHull, QhullError

from hoifield.geometry.mesh import Mesh
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.observations.frame_masks import OBJECT
from hoifield.observations.visual_hull import HullGrid, SilhouetteEvidence, hull_mesh, keep_largest_part

LEAST_SIGHTS = 0.04
"""Share of the frames in which a point must lie open to the camera, on a pixel of the object, to count as seen."""
BEYOND = 0.003
"""Metres by which the hull may reach beyond the convex hull of what was seen."""


def seen_vertices(mesh: Mesh, evidence: SilhouetteEvidence, poses: Float[np.ndarray, "frame 4 4"], skin: float) -> Bool[np.ndarray, "vertex"]:
    """Vertices that lie in front, to within `skin` metres, on pixels labelled as the object in enough of the frames that have a pose."""
    height, width = evidence.labels.shape[1:]
    sights, frames = np.zeros(len(mesh.vertices)), 0
    for label, pose in zip(evidence.labels, poses, strict=True):
        if not np.isfinite(pose).all():
            continue
        frames += 1
        placed = mesh.moved(pose).vertices
        depth = rasterise_mesh(placed, mesh.faces, evidence.camera.K, width, height)[0]
        pixel = placed @ evidence.camera.K.T
        column, row = np.floor(pixel[:, :2] / np.maximum(pixel[:, 2:], 1e-6)).astype(int).T
        inside = (column >= 0) & (row >= 0) & (column < width) & (row < height) & (placed[:, 2] > 0)
        column, row = np.clip(column, 0, width - 1), np.clip(row, 0, height - 1)
        sights += inside & (label[row, column] == OBJECT) & (placed[:, 2] < depth[row, column] + skin)
    return sights >= max(LEAST_SIGHTS * frames, 1)


def trim_unseen(hull: HullGrid, evidence: SilhouetteEvidence, poses: Float[np.ndarray, "frame 4 4"]) -> HullGrid:
    """The hull inside the convex hull of its seen surface; as it was where hardly anything was seen.

    Silhouettes leave whatever hides behind hand and object in every frame. What a grasp hides between seen parts stays.
    """
    mesh = hull_mesh(hull)
    seen = mesh.vertices[seen_vertices(mesh, evidence, poses, 1.5 * hull.spacing)]
    try:
        planes = ConvexHull(seen).equations if len(seen) >= 8 else None
    except QhullError:
        planes = None
    if planes is None:
        return hull
    nodes = np.indices(hull.signed_distance.shape).reshape(3, -1).T * hull.spacing + hull.lower
    outside = np.full(len(nodes), -np.inf)
    for plane in planes:
        np.maximum(outside, nodes @ plane[:3] + plane[3], out=outside)
    trimmed = np.maximum(hull.signed_distance, outside.reshape(hull.signed_distance.shape).astype(np.float32) - BEYOND)
    return keep_largest_part(replace(hull, signed_distance=trimmed)) or hull
