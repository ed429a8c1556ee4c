"""Pictures, labels and depth of a clip, frame by frame."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numba import njit, prange

from hoifield.actors.skinned_model import Side
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.synthetic.appearance import HAND, KEY_DIRECTION, OBJECT, SECOND_HAND, Look, encoded, linear, shade, surface_colours
from hoifield.synthetic.hand_object_motion import Moment
from hoifield.synthetic.room import Room
from hoifield.synthetic.scene_mesh import Arrangement, SceneParts
from hoifield.synthetic.scene_sequence import SceneSequence
from hoifield.synthetic.solid_texture import SkinName

SurfaceColours = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""sRGB of surface points from their parts, places at rest and marks."""
SUPERSAMPLING = 2
HAND_LABELS: dict[Side, int] = {"right": 2, "left": 3}
NOISE = 0.007
VISIBLE_DEPTH = 0.002
"""A vertex counts as seen where the picture's depth agrees with its own to 2 mm."""
FEWEST_SUBFRAMES, MOST_SUBFRAMES = 4, 16
"""Instants within one exposure; between the two, one per pixel of motion."""


@dataclass(frozen=True)
class Exposure:
    """What the camera adds to a picture."""

    shutter: float = 0.0
    """Share of the time between frames during which the shutter is open, in [0, 1]; 0 freezes every frame."""
    noise: float = 0.0
    """Standard deviation of noise on top of the camera's own 0.007, as a share of white (sRGB)."""
    drift: float = 0.0
    """Stops by which the exposure rises from the first to the last frame (smoothly, as much below as above the right one)."""

    def gain(self, share: float) -> float:
        """Factor on the light at a share of the clip's time."""
        return float(2.0 ** (-0.5 * self.drift * math.cos(math.pi * share)))


@dataclass(frozen=True)
class RenderedFrame:
    """One frame with its exact truth at the middle of the exposure, at the clip's size."""

    moment: Moment
    picture: UInt8[np.ndarray, "height width 3"]
    labels: UInt8[np.ndarray, "height width"]
    """0 background and forearms, 1 object, 2 right hand, 3 left hand."""
    depth: Float[np.ndarray, "height width"]
    """Metres; inf where nothing is near (the room has no depth)."""
    object_seen: Bool[np.ndarray, "vertex"]


def light_surfaces(
    vertices: Float[np.ndarray, "vertex 3"],
    faces: Int[np.ndarray, "face 3"],
    face_part: Int[np.ndarray, "face"],
    attributes: Float[np.ndarray, "vertex 10"],
    K: Float[np.ndarray, "3 3"],
    size: tuple[int, int],
    colours: SurfaceColours,
    object_skin: SkinName,
) -> tuple[Bool[np.ndarray, "height width"], Float[np.ndarray, "pixel 3"]]:
    """Which pixels of a picture of `size` (width, height) the surfaces cover, and their linear light there.

    `vertices` are in the camera; `attributes` are the place at rest (3), marks (2), ambient access, lit share, and the normal (3).
    """
    _, face_index, barycentric = rasterise_mesh(vertices, faces, K, *size)
    covered = face_index >= 0
    hit = face_index[covered]
    values = np.empty((len(hit), attributes.shape[1]))
    _interpolate(attributes, faces, hit, barycentric[covered], values)
    part = face_part[hit]
    normals = values[:, 7:] / np.maximum(np.linalg.norm(values[:, 7:], axis=1, keepdims=True), 1e-9)
    albedo = linear(colours(part, values[:, :3], values[:, 3:5]))
    return covered, shade(albedo, normals, values[:, 5], values[:, 6], part, object_skin)


@njit(cache=True, parallel=True, error_model="numpy")
def _interpolate(attributes, faces, face_index, barycentric, values):  # type: ignore[no-untyped-def]
    for p in prange(len(face_index)):
        a, b, c = faces[face_index[p], 0], faces[face_index[p], 1], faces[face_index[p], 2]
        for k in range(attributes.shape[1]):
            values[p, k] = (
                barycentric[p, 0] * attributes[a, k] + barycentric[p, 1] * attributes[b, k] + barycentric[p, 2] * attributes[c, k]
            )


def render_frames(
    sequence: SceneSequence, K: Float[np.ndarray, "3 3"], size: int, room: Room, look: Look, side: Side, exposure: Exposure
) -> Iterator[RenderedFrame]:
    """Every frame in turn, square pictures of `size` pixels. Repeats bit for bit for the same `look.seed`."""
    generator = np.random.default_rng(look.seed + 2000)
    parts, frames = sequence.parts, sequence.motion.frames
    for frame in range(frames):
        moment = sequence.motion.at(frame)
        T, arrangement = moment.T_camera_hand, sequence.arrangement(moment)
        light = _exposed(sequence, frame, K, size, room, look, exposure)
        bright = encoded(exposure.gain(frame / max(frames - 1, 1)) * light)
        noisy = bright + math.hypot(NOISE, exposure.noise) * generator.normal(size=light.shape)
        vertices = arrangement.mesh.vertices @ T[:3, :3].T + T[:3, 3]
        labels, depth = _draw_truth(parts, vertices, K, size, side)
        yield RenderedFrame(
            moment=moment,
            picture=np.clip(255 * noisy + 0.5, 0, 255).astype(np.uint8),
            labels=labels,
            depth=depth,
            object_seen=_seen_vertices(parts, vertices, arrangement.normals @ T[:3, :3].T, K, depth),
        )


def _exposed(
    sequence: SceneSequence, frame: int, K: Float[np.ndarray, "3 3"], size: int, room: Room, look: Look, exposure: Exposure
) -> Float[np.ndarray, "size size 3"]:
    """Linear light of one frame: one instant on a fine grid, or the mean of instants while the shutter is open, each off the grid a little.

    Light and shadow on the surfaces are those of the middle of the exposure.
    """
    moment = sequence.motion.at(frame)
    towards_key = moment.T_camera_hand[:3, :3].T @ (KEY_DIRECTION / np.linalg.norm(KEY_DIRECTION))
    shadows = np.stack([sequence.access(frame), sequence.lit(moment, towards_key)], axis=1)
    if exposure.shutter == 0:
        fine_K = np.diag([SUPERSAMPLING, SUPERSAMPLING, 1.0]) @ K
        fine = SUPERSAMPLING * size
        background = room.seen(moment.T_camera_room, fine_K, fine, fine)
        light = _draw_light(sequence.parts, sequence.arrangement(moment), moment.T_camera_hand, shadows, fine_K, background, look)
        return light.reshape(size, SUPERSAMPLING, size, SUPERSAMPLING, 3).mean((1, 3))
    count = _subframes(sequence, frame, exposure.shutter, K)
    total = np.zeros((size, size, 3))
    for k in range(count):
        instant = sequence.motion.at(frame + exposure.shutter * ((k + 0.5) / count - 0.5))
        shifted_K = K.copy()
        shifted_K[:2, 2] += (0.5 + np.array([0.7548776662, 0.5698402910]) * k) % 1 - 0.5
        background = room.seen(instant.T_camera_room, shifted_K, size, size)
        total += _draw_light(sequence.parts, sequence.arrangement(instant), instant.T_camera_hand, shadows, shifted_K, background, look)
    return total / count


def _subframes(sequence: SceneSequence, frame: int, shutter: float, K: Float[np.ndarray, "3 3"]) -> int:
    """How many instants the exposure needs: one per pixel of the fastest vertex's way."""
    pixels = []
    for moment in (sequence.motion.at(frame - shutter / 2), sequence.motion.at(frame + shutter / 2)):
        points = sequence.arrangement(moment).mesh.vertices
        points = sequence.parts.body(points, 29)
        seen = (points @ moment.T_camera_hand[:3, :3].T + moment.T_camera_hand[:3, 3]) @ K.T
        pixels.append(seen[:, :2] / np.maximum(seen[:, 2:], 1e-3))
    way = float(np.linalg.norm(pixels[1] - pixels[0], axis=1).max())
    return int(np.clip(math.ceil(way), FEWEST_SUBFRAMES, MOST_SUBFRAMES))


def _draw_light(
    parts: SceneParts,
    arrangement: Arrangement,
    T: Float[np.ndarray, "4 4"],
    shadows: Float[np.ndarray, "vertex 2"],
    K: Float[np.ndarray, "3 3"],
    room: Float[np.ndarray, "height width 3"],
    look: Look,
) -> Float[np.ndarray, "height width 3"]:
    """Linear light of one instant; `shadows` are ambient access and lit share per vertex, T is T_camera_hand."""
    vertices = arrangement.mesh.vertices @ T[:3, :3].T + T[:3, 3]
    attributes = np.concatenate([parts.rest, parts.marks, shadows, arrangement.normals @ T[:3, :3].T], axis=1)
    colours, size = partial(surface_colours, look=look), (room.shape[1], room.shape[0])
    covered, seen = light_surfaces(vertices, parts.faces, parts.face_part, attributes, K, size, colours, look.object_skin)
    light = room.copy()
    light[covered] = seen
    return light


def _draw_truth(
    parts: SceneParts, vertices: Float[np.ndarray, "vertex 3"], K: Float[np.ndarray, "3 3"], size: int, side: Side
) -> tuple[UInt8[np.ndarray, "size size"], Float[np.ndarray, "size size"]]:
    """Labels and depth at the pixel centres."""
    depth, face_index, _ = rasterise_mesh(vertices, parts.faces, K, size, size)
    part = np.where(face_index >= 0, parts.face_part[face_index], -1)
    labels = np.zeros((size, size), dtype=np.uint8)
    labels[part == OBJECT] = 1
    labels[part == HAND] = HAND_LABELS[side]
    if parts.second is not None:
        labels[part == SECOND_HAND] = HAND_LABELS[parts.second.side]
    return labels, depth


def _seen_vertices(
    parts: SceneParts,
    vertices: Float[np.ndarray, "vertex 3"],
    normals: Float[np.ndarray, "vertex 3"],
    K: Float[np.ndarray, "3 3"],
    depth: Float[np.ndarray, "height width"],
) -> Bool[np.ndarray, "vertex"]:
    """Which object vertices this frame shows: inside the picture, facing the camera, nothing in front; all in the camera frame."""
    held = slice(parts.hand_count, parts.body_count)
    points = vertices[held]
    pixels = np.floor((points @ K.T)[:, :2] / points[:, 2:]).astype(int)
    inside = ((pixels >= 0) & (pixels < [depth.shape[1], depth.shape[0]])).all(1)
    column, row = np.clip(pixels, 0, [depth.shape[1] - 1, depth.shape[0] - 1]).T
    facing: Int[np.ndarray, "vertex"] = np.einsum("vi,vi->v", normals[held], points) < 0
    return inside & facing & (np.abs(depth[row, column] - points[:, 2]) < VISIBLE_DEPTH)


def object_colours(mesh: Mesh, look: Look) -> Mesh:
    """The object with the colour of its solid material at each vertex."""
    part = np.full(len(mesh.vertices), OBJECT)
    return Mesh(mesh.vertices, mesh.faces, surface_colours(part, mesh.vertices, np.zeros((len(part), 2)), look))
