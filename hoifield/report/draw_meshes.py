"""Shaded pictures of meshes as a camera sees them, on their own or over a frame."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from hoifield.geometry.mesh import Mesh, vertex_normals
from hoifield.geometry.rasterise import rasterise_mesh

LIGHT = np.array([-0.35, -0.55, -0.76])
"""Unit direction to the lamp, camera frame: above the camera's left shoulder."""
AMBIENT = 0.38
CLAY = np.array([0.74, 0.74, 0.72])


@dataclass(frozen=True)
class Drawing:
    """Meshes drawn by one camera."""

    colour: Float[np.ndarray, "height width 3"]
    """Shaded RGB in [0, 1]; black where nothing is drawn."""
    entity: Int[np.ndarray, "height width"]
    """Number of the mesh that is in front at each pixel; -1 where there is none."""
    depth: Float[np.ndarray, "height width"]
    """Metres along the viewing axis; inf where nothing is drawn."""


def draw_meshes(meshes: Sequence[Mesh], K: Float[np.ndarray, "3 3"], width: int, height: int) -> Drawing:
    """The meshes (camera frame) with Lambert shading, smooth normals and their vertex colours (grey where they have none)."""
    colour = np.zeros((height, width, 3))
    entity = np.full((height, width), -1)
    nearest = np.full((height, width), np.inf)
    for number, mesh in enumerate(meshes):
        depth, face, barycentric = rasterise_mesh(mesh.vertices, mesh.faces, K, width, height)
        front = depth < nearest
        nearest[front] = depth[front]
        entity[front] = number
        corners, weights = mesh.faces[face[front]], barycentric[front][..., None]
        albedo = (mesh.colours[corners] * weights).sum(1) if mesh.colours is not None else CLAY
        normals = (vertex_normals(mesh)[corners] * weights).sum(1)
        colour[front] = np.clip(albedo * _lambert(normals, mesh.vertices[corners][:, 0])[:, None], 0.0, 1.0)
    return Drawing(colour, entity, nearest)


def blend_drawing(
    frame: UInt8[np.ndarray, "height width 3"], drawing: Drawing, opacity: float = 0.82
) -> UInt8[np.ndarray, "height width 3"]:
    """The drawing over a frame of the same size, with a light line along the inside of each outline."""
    drawn = drawing.entity >= 0
    picture = frame.astype(np.float64) / 255.0
    picture[drawn] = (1.0 - opacity) * picture[drawn] + opacity * drawing.colour[drawn]
    edge = find_outline(drawing.entity) & drawn
    picture[edge] = 0.35 * picture[edge] + 0.65
    return np.round(picture * 255.0).astype(np.uint8)


def find_outline(entity: Int[np.ndarray, "height width"]) -> np.ndarray:
    """Pixels whose right or lower neighbour, or that of which they are it, shows another mesh or none."""
    edge = np.zeros(entity.shape, dtype=bool)
    across = entity[:, 1:] != entity[:, :-1]
    down = entity[1:] != entity[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge


def _lambert(normals: Float[np.ndarray, "pixel 3"], points: Float[np.ndarray, "pixel 3"]) -> Float[np.ndarray, "pixel"]:
    """Brightness; normals that point away from the camera are turned, so that the inside of an open surface is lit too."""
    normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    normals = np.where(((normals * points).sum(1) > 0)[:, None], -normals, normals)
    return AMBIENT + (1.0 - AMBIENT) * np.clip(normals @ LIGHT, 0.0, 1.0) + 0.12 * np.clip(-normals[:, 2], 0.0, 1.0)
