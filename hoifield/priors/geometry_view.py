"""How the geometry prior looks at a hand and what it holds: one view, one scale, one frame, for teaching it and for asking it.

A view is orthographic, so that neither a distance nor a focal length can differ between teaching and use: 0.26 m wide, 64 pixels, its middle
on the mean of the hand's 21 keypoints. Its axes are those of a camera (x right, y down, z forward). Left hands are mirrored before they are
drawn. Object and hand are drawn apart, each as if the other were not there.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from hoifield.geometry.rasterise import rasterise_mesh

VIEW_SIZE = 64
VIEW_EXTENT = 0.26
"""Metres across a view; depth of half of it before or behind the middle is -1 or 1."""
OBJECT_CHANNELS, HAND_CHANNELS = 5, 8
"""Object: cover (-1 or 1), normal (view frame, 0 where nothing is), depth (1 where nothing is). Hand: these, and where the point lies at rest."""
REST_SCALE = 0.1
"""Metres of the rest pose that are 1."""
_STANDING_BACK = 1000.0
"""Metres from which the z-buffer's camera looks, so that its rays are parallel to 0.03 mm over the whole view."""


@dataclass(frozen=True)
class GeometryView:
    """Maps points of the hand frame into a view: p_view = R (p - centre), metres."""

    R_view_hand: Float[np.ndarray, "3 3"]
    centre: Float[np.ndarray, "3"]

    def points(self, points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, "point 3"]:
        """Points of the hand frame, in the view's."""
        return (points - self.centre) @ self.R_view_hand.T


@dataclass(frozen=True)
class SurfacePicture:
    """A mesh seen in a view."""

    cover: Bool[np.ndarray, "row column"]
    normal: Float[np.ndarray, "row column 3"]
    """View frame; zero where nothing is."""
    depth: Float[np.ndarray, "row column"]
    """Along the view from its middle, in halves of its extent, in [-1, 1]; 1 where nothing is."""
    face: Int[np.ndarray, "row column"]
    barycentric: Float[np.ndarray, "row column 3"]

    def channels(self) -> Float32[np.ndarray, "channel=5 row column"]:
        """As the network sees it."""
        return np.concatenate([np.where(self.cover, 1.0, -1.0)[None], self.normal.transpose(2, 0, 1), self.depth[None]]).astype(np.float32)


def pixel_places() -> Float[np.ndarray, "size"]:
    """Where the pixel centres of a row or a column lie, metres from the middle."""
    return ((np.arange(VIEW_SIZE) + 0.5) / VIEW_SIZE - 0.5) * VIEW_EXTENT


def draw_surface(
    vertices: Float[np.ndarray, "vertex 3"], normals: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"]
) -> SurfacePicture:
    """The picture of a mesh whose vertices and unit normals are given in the view's frame; what lies deeper than the view is left out."""
    focal = _STANDING_BACK * VIEW_SIZE / VIEW_EXTENT
    K = np.array([[focal, 0.0, VIEW_SIZE / 2], [0.0, focal, VIEW_SIZE / 2], [0.0, 0.0, 1.0]])
    z, face, barycentric = rasterise_mesh(vertices + [0.0, 0.0, _STANDING_BACK], faces, K, VIEW_SIZE, VIEW_SIZE)
    depth = (z - _STANDING_BACK) / (VIEW_EXTENT / 2)
    cover = (face >= 0) & (np.abs(depth) < 1)
    normal = interpolate(normals, faces, face, barycentric)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
    return SurfacePicture(cover, np.where(cover[..., None], normal, 0.0), np.where(cover, depth, 1.0), face, barycentric)


def interpolate(
    values: Float[np.ndarray, "vertex 3"],
    faces: Int[np.ndarray, "face 3"],
    face: Int[np.ndarray, "row column"],
    barycentric: Float[np.ndarray, "row column 3"],
) -> Float[np.ndarray, "row column 3"]:
    """Values of the vertices where pixels hit the mesh."""
    return np.einsum("rck,rckd->rcd", barycentric, values[faces[np.maximum(face, 0)]])


def draw_hand(
    vertices: Float[np.ndarray, "vertex 3"],
    normals: Float[np.ndarray, "vertex 3"],
    faces: Int[np.ndarray, "face 3"],
    rest: Float[np.ndarray, "vertex 3"],
) -> Float32[np.ndarray, "channel=8 row column"]:
    """The channels of a hand, vertices and normals in the view's frame; `rest` are its vertices in the flat rest pose, hand frame."""
    seen = draw_surface(vertices, normals, faces)
    place = np.where(seen.cover[..., None], interpolate(rest, faces, seen.face, seen.barycentric) / REST_SCALE, 0.0)
    return np.concatenate([seen.channels(), place.transpose(2, 0, 1).astype(np.float32)])
