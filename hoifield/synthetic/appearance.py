"""What the surfaces look like: colours of skin, nails, sleeve and object, and how light falls on them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from hoifield.actors.skinned_model import SkinnedModel
from hoifield.geometry.mesh import Mesh, vertex_normals
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.synthetic.solid_texture import SkinName, skin_colours, solid_noise

HAND, OBJECT, SKIN_ARM, SLEEVE, SECOND_HAND = 0, 1, 2, 3, 4
SKIN_PARTS = (HAND, SKIN_ARM, SECOND_HAND)
SKINS = ((0.86, 0.66, 0.55), (0.80, 0.58, 0.46), (0.72, 0.50, 0.38), (0.90, 0.71, 0.61))
SLEEVES = ((0.20, 0.26, 0.36), (0.32, 0.32, 0.34), (0.18, 0.32, 0.28), (0.55, 0.56, 0.60))
KEY_DIRECTION, FILL_DIRECTION = np.array([-0.45, -0.72, -0.53]), np.array([0.75, -0.10, -0.65])
KEY, FILL, SKY, FLOOR = (
    np.array([0.82, 0.79, 0.74]),
    np.array([0.16, 0.18, 0.21]),
    np.array([0.42, 0.43, 0.46]),
    np.array([0.24, 0.22, 0.20]),
)
LAMP_EDGE = (0.915, 0.945)
"""Cosine between a mirrored ray and a lamp at which the lamp starts to show in a glossy surface, and shows whole."""
OCCLUSION_RAYS, OCCLUSION_REACH = 32, 0.06
KEY_RING, KEY_SOFTNESS = 6, 0.10
SHADOW_OFFSET = 0.002
"""Start of shadow rays off the surface, metres: above the steps of the coarse skin triangles."""
GRAZING = 0.3
"""Cosine to the light below which cast shadows fade out, since a facetted skin shadows itself there; shading is dark there anyway."""


@dataclass(frozen=True)
class Look:
    """The random choices of one clip's appearance."""

    skin: Float[np.ndarray, "3"]
    sleeve: Float[np.ndarray, "3"]
    seed: int
    object_skin: SkinName = "textured"

    @staticmethod
    def of(seed: int, object_skin: SkinName = "textured") -> "Look":
        """Skin and sleeve drawn by seed."""
        generator = np.random.default_rng(seed + 1000)
        skin, sleeve = SKINS[generator.integers(len(SKINS))], SLEEVES[generator.integers(len(SLEEVES))]
        return Look(np.array(skin), np.array(sleeve), seed, object_skin)


def linear(colour: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
    """Light of sRGB values (gamma 2.2)."""
    return np.power(np.clip(colour, 0, 1), 2.2)


def encoded(light: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
    """sRGB values of light (gamma 2.2)."""
    return np.power(np.clip(light, 0, 1), 1 / 2.2)


def skin_marks(actor: SkinnedModel, rest: Float[np.ndarray, "vertex 3"]) -> Float[np.ndarray, "vertex 2"]:
    """Per hand vertex: how red (knuckles, tips, palm) and how much a nail, each in [0, 1]."""
    marks = np.zeros((len(rest), 2))
    joints = actor.joint_template.double().numpy()
    for joint in range(1, 16):
        marks[:, 0] = np.maximum(marks[:, 0], 0.45 * np.exp(-(np.linalg.norm(rest - joints[joint], axis=1) ** 2) / 0.010**2))
    normals = vertex_normals(Mesh(rest, actor.faces.numpy()))
    for finger, (tip_vertex, joint) in enumerate(zip(actor.fingertip_vertices, (15, 3, 6, 12, 9), strict=True)):
        tip = rest[tip_vertex]
        marks[:, 0] = np.maximum(marks[:, 0], 0.8 * np.exp(-(np.linalg.norm(rest - tip, axis=1) ** 2) / 0.012**2))
        flexion = actor.joint_axes[joint, :, 0].double().numpy()
        outward = -np.cross(flexion, (tip - joints[joint]) / np.linalg.norm(tip - joints[joint]))
        middle = tip + 0.25 * (joints[joint] - tip) + 0.006 * outward
        near = np.exp(-(np.linalg.norm(rest - middle, axis=1) ** 2) / (0.0075 if finger == 0 else 0.0062) ** 2)
        marks[:, 1] = np.maximum(marks[:, 1], near * (normals @ outward > 0.45))
    marks[:, 0] = np.maximum(marks[:, 0], 0.35 * (normals[:, 1] < -0.3))
    return np.clip(marks, 0, 1)


def surface_colours(
    part: Int[np.ndarray, "pixel"], rest: Float[np.ndarray, "pixel 3"], marks: Float[np.ndarray, "pixel 2"], look: Look
) -> Float[np.ndarray, "pixel 3"]:
    """sRGB of surface points by part, from their positions at rest (texture sticks to the surface)."""
    colours = np.empty((len(part), 3))
    skin = np.isin(part, SKIN_PARTS)
    blotch = solid_noise(rest[skin], 0.022, 3, look.seed + 3)[:, None]
    grain = solid_noise(rest[skin], 0.0022, 2, look.seed + 4)[:, None]
    red, nail = marks[skin, :1], np.clip(1.6 * marks[skin, 1:] - 0.3, 0, 1)
    tone = look.skin * (0.90 + 0.16 * blotch + 0.06 * grain) * (1 - red * np.array([0.02, 0.14, 0.13]))
    colours[skin] = tone * (1 - nail) + nail * np.clip(look.skin * [1.06, 1.06, 1.10] + 0.03, 0, 1)
    held = part == OBJECT
    colours[held] = skin_colours(rest[held], look.object_skin, look.seed)
    sleeve = part == SLEEVE
    weave = solid_noise(rest[sleeve] * [1.0, 2.5, 2.5], 0.004, 2, look.seed + 5)[:, None]
    colours[sleeve] = look.sleeve * (0.8 + 0.4 * weave)
    return colours


def ambient_access(mesh: Mesh, normals: Float[np.ndarray, "vertex 3"], seed: int) -> Float[np.ndarray, "vertex"]:
    """Share of the sky that each vertex sees past hand and object, cosine-weighted, in [0, 1]."""
    generator = np.random.default_rng(seed)
    tracer = MeshDistance(mesh.vertices, mesh.faces)
    origins = mesh.vertices + 4e-4 * normals
    free = np.zeros(len(origins))
    for _ in range(OCCLUSION_RAYS):
        direction = generator.normal(size=origins.shape)
        direction = normals + 0.98 * direction / np.linalg.norm(direction, axis=1, keepdims=True)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        free += np.clip(tracer.cast_rays(origins, direction).distance / OCCLUSION_REACH, 0, 1)
    return free / OCCLUSION_RAYS


def lit_share(
    tracer: MeshDistance, mesh: Mesh, normals: Float[np.ndarray, "vertex 3"], towards_key: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "vertex"]:
    """Share of the key light (a soft box: its middle and a ring) that reaches each vertex past hand and object, in [0, 1]; mesh frame.

    All vertices look at the same points of the light, so that half shadows are even instead of speckled.
    """
    facing = np.nonzero(normals @ towards_key > 0)[0]
    origins = mesh.vertices[facing] + SHADOW_OFFSET * normals[facing]
    across = np.linalg.svd(towards_key[None])[2][1:]
    angle = np.arange(KEY_RING) * 2 * np.pi / KEY_RING
    ring = KEY_SOFTNESS * (np.cos(angle)[:, None] * across[0] + np.sin(angle)[:, None] * across[1])
    reached = np.zeros(len(facing))
    for offset in np.concatenate([np.zeros((1, 3)), ring]):
        direction = (towards_key + offset) / np.linalg.norm(towards_key + offset)
        reached += np.isinf(tracer.cast_rays(origins, np.tile(direction, (len(facing), 1))).distance)
    grazing = 1 - np.clip((normals[facing] @ towards_key) / GRAZING, 0, 1)
    lit = np.ones(len(normals))
    lit[facing] = grazing + (1 - grazing) * reached / (KEY_RING + 1)
    return lit


def shade(
    albedo: Float[np.ndarray, "pixel 3"],
    normals: Float[np.ndarray, "pixel 3"],
    access: Float[np.ndarray, "pixel"],
    lit: Float[np.ndarray, "pixel"],
    part: Int[np.ndarray, "pixel"],
    object_skin: SkinName = "textured",
) -> Float[np.ndarray, "pixel 3"]:
    """Light (linear RGB) towards the camera: sky and floor light, key with shadow, fill, a highlight; camera frame."""
    key, fill = KEY_DIRECTION / np.linalg.norm(KEY_DIRECTION), FILL_DIRECTION / np.linalg.norm(FILL_DIRECTION)
    skin = np.isin(part, SKIN_PARTS).astype(np.float64)
    wrap = 0.18 * skin
    facing_key = np.clip((normals @ key + wrap) / (1 + wrap), 0, 1) * lit
    facing_fill = np.clip(normals @ fill, 0, 1) * (0.4 + 0.6 * access)
    up = (0.5 - 0.5 * normals[:, 1:2]) * access[:, None]
    ambient = up * SKY + (access[:, None] - up) * FLOOR
    bleed = (1 - access[:, None]) * skin[:, None] * np.array([0.07, 0.025, 0.015])
    half = key + np.array([0.0, 0.0, -1.0])
    half /= np.linalg.norm(half)
    gloss = np.where(part == OBJECT, 0.22, np.where(skin > 0, 0.07, 0.0))
    power = np.where(part == OBJECT, 40.0, 12.0)
    highlight = gloss * np.power(np.clip(normals @ half, 0, 1), power) * lit
    light = albedo * (ambient + facing_key[:, None] * KEY + facing_fill[:, None] * FILL) + bleed * albedo + highlight[:, None]
    if object_skin == "glossy":
        light[part == OBJECT] += _mirrored(normals, access, lit)[part == OBJECT]
    return light


def _mirrored(
    normals: Float[np.ndarray, "pixel 3"], access: Float[np.ndarray, "pixel"], lit: Float[np.ndarray, "pixel"]
) -> Float[np.ndarray, "pixel 3"]:
    """Light that a glazed surface throws back without taking its colour: lamps with sharp edges, and the room at grazing angles (Schlick)."""
    facing = np.clip(-normals[:, 2:], 0, 1)
    ray = 2 * facing * normals + np.array([0.0, 0.0, 1.0])
    mirrored = np.zeros_like(normals)
    for direction, colour, share in ((KEY_DIRECTION, KEY, lit), (FILL_DIRECTION, 2 * FILL, access)):
        towards = ray @ (direction / np.linalg.norm(direction))
        mirrored += (np.clip((towards - LAMP_EDGE[0]) / (LAMP_EDGE[1] - LAMP_EDGE[0]), 0, 1) * share)[:, None] * colour
    up = 0.5 - 0.5 * ray[:, 1:2]
    return mirrored + access[:, None] * (0.04 + 0.96 * (1 - facing) ** 5) * (up * SKY + (1 - up) * FLOOR)
