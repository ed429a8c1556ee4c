"""Pictures, labels and depth of a scene, frame by frame."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numba import njit, prange

from hoifield.actors.skinned_model import Side
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.synthetic.appearance import HAND, KEY_DIRECTION, OBJECT, Look, encoded, linear, lit_share, shade, surface_colours
from hoifield.synthetic.scene_mesh import SceneMesh

SUPERSAMPLING = 2
NOISE = 0.007
VISIBLE_DEPTH = 0.002
"""A vertex counts as seen where the picture's depth agrees with its own to 2 mm."""


@dataclass(frozen=True)
class RenderedFrame:
    """One frame with its exact truth, at the clip's size."""

    picture: UInt8[np.ndarray, "height width 3"]
    labels: UInt8[np.ndarray, "height width"]
    """0 background and forearm, 1 object, 2 right hand, 3 left hand."""
    depth: Float[np.ndarray, "height width"]
    """Metres; inf where nothing is near (the room has no depth)."""
    object_seen: Bool[np.ndarray, "vertex"]


@njit(cache=True, parallel=True, error_model="numpy")
def _interpolate(attributes, faces, face_index, barycentric, values):  # type: ignore[no-untyped-def]
    for p in prange(len(face_index)):
        a, b, c = faces[face_index[p], 0], faces[face_index[p], 1], faces[face_index[p], 2]
        for k in range(attributes.shape[1]):
            values[p, k] = (
                barycentric[p, 0] * attributes[a, k] + barycentric[p, 1] * attributes[b, k] + barycentric[p, 2] * attributes[c, k]
            )


def render_frames(
    scene: SceneMesh,
    T_camera_hand: Float[np.ndarray, "frame 4 4"],
    K: Float[np.ndarray, "3 3"],
    background: Float[np.ndarray, "fine_height fine_width 3"],
    look: Look,
    side: Side,
) -> Iterator[RenderedFrame]:
    """Every frame in turn; `background` has twice the clip's size. Repeats bit for bit for the same `look.seed`."""
    generator = np.random.default_rng(look.seed + 2000)
    height, width = background.shape[0] // SUPERSAMPLING, background.shape[1] // SUPERSAMPLING
    fine_K = np.diag([SUPERSAMPLING, SUPERSAMPLING, 1.0]) @ K
    room = linear(background)
    for T in T_camera_hand:
        vertices = scene.mesh.vertices @ T[:3, :3].T + T[:3, 3]
        light = _draw_light(scene, T, vertices, fine_K, room, look)
        coarse = light.reshape(height, SUPERSAMPLING, width, SUPERSAMPLING, 3).mean((1, 3))
        noisy = encoded(coarse) + NOISE * generator.normal(size=coarse.shape)
        labels, depth = _draw_truth(scene, vertices, K, width, height, side)
        yield RenderedFrame(
            picture=np.clip(255 * noisy + 0.5, 0, 255).astype(np.uint8),
            labels=labels,
            depth=depth,
            object_seen=_seen_vertices(scene, vertices, T, K, depth),
        )


def _draw_light(
    scene: SceneMesh,
    T: Float[np.ndarray, "4 4"],
    vertices: Float[np.ndarray, "vertex 3"],
    fine_K: Float[np.ndarray, "3 3"],
    room: Float[np.ndarray, "fine_height fine_width 3"],
    look: Look,
) -> Float[np.ndarray, "fine_height fine_width 3"]:
    """Linear light of one frame at the fine size."""
    _, face_index, barycentric = rasterise_mesh(vertices, scene.mesh.faces, fine_K, room.shape[1], room.shape[0])
    covered = face_index >= 0
    towards_key = T[:3, :3].T @ (KEY_DIRECTION / np.linalg.norm(KEY_DIRECTION))
    lit = lit_share(scene.tracer, scene.mesh, scene.normals, towards_key)
    attributes = np.concatenate(
        [scene.rest, scene.marks, scene.access[:, None], lit[:, None], scene.normals @ T[:3, :3].T],
        axis=1,
    )
    hit = face_index[covered]
    values = np.empty((len(hit), attributes.shape[1]))
    _interpolate(attributes, scene.mesh.faces, hit, barycentric[covered], values)
    part = scene.face_part[hit]
    normals = values[:, 7:] / np.maximum(np.linalg.norm(values[:, 7:], axis=1, keepdims=True), 1e-9)
    albedo = linear(surface_colours(part, values[:, :3], values[:, 3:5], look))
    light = room.copy()
    light[covered] = shade(albedo, normals, values[:, 5], values[:, 6], part)
    return light


def _draw_truth(
    scene: SceneMesh, vertices: Float[np.ndarray, "vertex 3"], K: Float[np.ndarray, "3 3"], width: int, height: int, side: Side
) -> tuple[UInt8[np.ndarray, "height width"], Float[np.ndarray, "height width"]]:
    """Labels and depth at the pixel centres."""
    depth, face_index, _ = rasterise_mesh(vertices, scene.mesh.faces, K, width, height)
    part = np.where(face_index >= 0, scene.face_part[face_index], -1)
    labels = np.zeros((height, width), dtype=np.uint8)
    labels[part == OBJECT] = 1
    labels[part == HAND] = 2 if side == "right" else 3
    return labels, depth


def _seen_vertices(
    scene: SceneMesh,
    vertices: Float[np.ndarray, "vertex 3"],
    T: Float[np.ndarray, "4 4"],
    K: Float[np.ndarray, "3 3"],
    depth: Float[np.ndarray, "height width"],
) -> Bool[np.ndarray, "vertex"]:
    """Which object vertices this frame shows: inside the picture, facing the camera, nothing in front."""
    held = slice(scene.hand_count, scene.hand_count + scene.object_count)
    points = vertices[held]
    pixels = np.floor((points @ K.T)[:, :2] / points[:, 2:]).astype(int)
    inside = ((pixels >= 0) & (pixels < [depth.shape[1], depth.shape[0]])).all(1)
    column, row = np.clip(pixels, 0, [depth.shape[1] - 1, depth.shape[0] - 1]).T
    normals: Float[np.ndarray, "vertex 3"] = scene.normals[held] @ T[:3, :3].T
    facing: Int[np.ndarray, "vertex"] = np.einsum("vi,vi->v", normals, points) < 0
    return inside & facing & (np.abs(depth[row, column] - points[:, 2]) < VISIBLE_DEPTH)


def object_colours(mesh: Mesh, look: Look) -> Mesh:
    """The object with the colour of its solid material at each vertex."""
    part = np.full(len(mesh.vertices), OBJECT)
    return Mesh(mesh.vertices, mesh.faces, surface_colours(part, mesh.vertices, np.zeros((len(part), 2)), look))
