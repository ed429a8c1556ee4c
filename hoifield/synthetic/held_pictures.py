"""Pictures of a hand that holds an object, cut out of everything else, for teaching a network to see them anywhere.

One scene is one object in one grasp; its views differ in direction, light, skin, sleeve and what the object looks like. What a hand cannot
do in one clip does not matter here, so the object is stretched after it was grasped: thousands of shapes out of few searches.
"""

from dataclasses import dataclass
from typing import get_args

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, UInt8
from scipy.spatial.transform import Rotation

from hoifield.actors.skinned_model import FINGERS, SkinnedModel
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.synthetic.appearance import (
    HAND,
    KEY_DIRECTION,
    OBJECT,
    SKIN_ARM,
    SLEEVE,
    Look,
    ambient_access,
    encoded,
    lit_share,
    surface_colours,
)
from hoifield.synthetic.held_scenes import SceneRecipe, draw_held_scene
from hoifield.synthetic.photographs import Photographs
from hoifield.synthetic.render_clip import light_surfaces
from hoifield.synthetic.scene_mesh import Arrangement, SceneParts
from hoifield.synthetic.solid_texture import SkinName

NOTHING, HELD_OBJECT, HOLDING_HAND, ARM = 0, 1, 2, 3
"""Labels of a cut-out; the arm is skin or sleeve beyond the wrist."""
LIGHTEST_SKIN, DARKEST_SKIN = np.array([0.93, 0.76, 0.66]), np.array([0.30, 0.19, 0.14])
EMPTY_HANDED = 0.08
"""Share of the views from which the object is taken away."""


@dataclass(frozen=True)
class HeldPictures:
    """The views of one scene, square, and the object alone seen as often."""

    picture: UInt8[np.ndarray, "view size size 3"]
    """sRGB, meaningless where nothing covers."""
    cover: UInt8[np.ndarray, "view size size"]
    """How much of the pixel hand, arm and object cover, 255 = all."""
    labels: UInt8[np.ndarray, "view size size"]
    """0 nothing, 1 object, 2 hand, 3 arm."""
    keypoints: Float32[np.ndarray, "view keypoint=21 2"]
    """Pixels; hidden ones too."""
    touching: Bool[np.ndarray, "view finger=5"]
    """Whether thumb to little finger touch the object; in some views there is none."""
    alone: UInt8[np.ndarray, "view size size 3"]
    """The object with no hand, from other directions."""
    alone_cover: UInt8[np.ndarray, "view size size"]


@dataclass(frozen=True)
class SceneSettings:
    """What a scene is drawn from."""

    views: int = 24
    size: int = 256
    recipe: SceneRecipe = SceneRecipe()


def make_held_pictures(actors: tuple[SkinnedModel, ...], photographs: Photographs, seed: int, settings: SceneSettings) -> HeldPictures:
    """The views of the scene `seed` draws. `actors` are right hands. Raises InternalError (HF-SYN-002) where no grasp is found."""
    generator = np.random.default_rng((seed, 71))
    actor = actors[generator.integers(len(actors))]
    held = draw_held_scene(actor, generator, seed, settings.recipe)
    mesh = held.object_mesh
    parts = SceneParts.of(actor, held.shape, Mesh(held.draw_stretch(generator).points(mesh.vertices), mesh.faces))
    arrangement = parts.arranged(held.pose, held.T_hand_object)
    posed = actor.pose(torch.from_numpy(held.shape).float(), torch.from_numpy(held.pose)[None].float(), torch.eye(4)[None])
    scene = _Scene(
        parts,
        arrangement,
        ambient_access(arrangement.mesh, arrangement.normals, seed),
        MeshDistance(arrangement.mesh.vertices, arrangement.mesh.faces),
        posed.keypoints[0].double().numpy(),
    )
    views = [_draw_view(scene, photographs, generator, settings.size) for _ in range(settings.views)]
    alone = [_draw_alone(scene, photographs, generator, settings.size) for _ in range(settings.views)]
    return HeldPictures(
        picture=np.stack([view[0] for view in views]),
        cover=np.stack([view[1] for view in views]),
        labels=np.stack([view[2] for view in views]),
        keypoints=np.stack([view[3] for view in views]).astype(np.float32),
        touching=np.array([[finger in held.touching and bool((view[2] == HELD_OBJECT).any()) for finger in FINGERS] for view in views]),
        alone=np.stack([view[0] for view in alone]),
        alone_cover=np.stack([view[1] for view in alone]),
    )


@dataclass(frozen=True)
class _Scene:
    parts: SceneParts
    arrangement: Arrangement
    access: Float[np.ndarray, "vertex"]
    tracer: MeshDistance
    keypoints: Float[np.ndarray, "keypoint=21 3"]


def _draw_view(
    scene: _Scene, photographs: Photographs, generator: np.random.Generator, size: int
) -> tuple[UInt8[np.ndarray, "size size 3"], UInt8[np.ndarray, "size size"], UInt8[np.ndarray, "size size"], Float[np.ndarray, "21 2"]]:
    """Picture, cover, labels and keypoints of one view of hand and object."""
    T, K = _draw_camera(scene, generator, size)
    turned = _draw_light_turn(generator)
    towards_key = T[:3, :3].T @ turned.T @ (KEY_DIRECTION / np.linalg.norm(KEY_DIRECTION))
    lit = lit_share(scene.tracer, scene.arrangement.mesh, scene.arrangement.normals, towards_key)
    vertices = scene.arrangement.mesh.vertices @ T[:3, :3].T + T[:3, 3]
    part = _dressed(scene, generator)
    kept = part != OBJECT if generator.random() < EMPTY_HANDED else np.ones(len(part), bool)
    faces, part = scene.parts.faces[kept], part[kept]
    shadows = np.stack([scene.access, lit], axis=1)
    attributes = np.concatenate([scene.parts.rest, scene.parts.marks, shadows, scene.arrangement.normals @ (turned @ T[:3, :3]).T], axis=1)
    picture, cover = _shaded(vertices, faces, part, attributes, K, size, _Dress.draw(generator, photographs))
    _, face_index, _ = rasterise_mesh(vertices, faces, K, size, size)
    seen = np.where(face_index >= 0, part[face_index], -1)
    labels = np.zeros((size, size), np.uint8)
    for label, parts_of_it in ((HELD_OBJECT, (OBJECT,)), (HOLDING_HAND, (HAND,)), (ARM, (SKIN_ARM, SLEEVE))):
        labels[np.isin(seen, parts_of_it)] = label
    points = (scene.keypoints @ T[:3, :3].T + T[:3, 3]) @ K.T
    return picture, cover, labels, points[:, :2] / points[:, 2:]


def _draw_alone(
    scene: _Scene, photographs: Photographs, generator: np.random.Generator, size: int
) -> tuple[UInt8[np.ndarray, "size size 3"], UInt8[np.ndarray, "size size"]]:
    """Picture and cover of the object alone, whole in the picture, from any side."""
    mesh = scene.parts.object_mesh
    held = slice(scene.parts.hand_count, scene.parts.body_count)
    turn = Rotation.random(random_state=int(generator.integers(2**31))).as_matrix()
    middle = (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2
    centred = (mesh.vertices - middle) @ turn.T
    radius = float(np.linalg.norm(centred, axis=1).max())
    vertices = centred + [0.0, 0.0, 4 * radius]
    focal = 1.85 * size
    K = np.array([[focal, 0.0, size / 2], [0.0, focal, size / 2], [0.0, 0.0, 1.0]])
    normals = scene.arrangement.normals[held] @ turn.T @ _draw_light_turn(generator).T
    count = len(mesh.vertices)
    attributes = np.concatenate([mesh.vertices, np.zeros((count, 2)), np.ones((count, 2)), normals], axis=1)
    part = np.full(len(mesh.faces), OBJECT)
    return _shaded(vertices, mesh.faces, part, attributes, K, size, _Dress.draw(generator, photographs))


def _draw_camera(scene: _Scene, generator: np.random.Generator, size: int) -> tuple[Float[np.ndarray, "4 4"], Float[np.ndarray, "3 3"]]:
    """T_camera_hand and K: from any side from which the arm does not come out of the lens, the hand's box a share of the picture."""
    while True:
        R = Rotation.random(random_state=int(generator.integers(2**31))).as_matrix()
        arm = R[:, 0]
        if -0.75 < arm[2] < 0.7 and (arm[1] > -0.3 or generator.random() < 0.15):
            break
    points = scene.keypoints @ R.T
    middle = (points.min(0) + points.max(0)) / 2
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, [0.0, 0.0, generator.uniform(0.28, 0.9)] - middle
    seen = points + T[:3, 3]
    across = float(np.ptp(seen[:, :2] / seen[:, 2:], axis=0).max())
    focal = size / (generator.uniform(1.9, 3.4) * across)
    shift = generator.normal(size=2) * 0.04 * size
    return T, np.array([[focal, 0.0, size / 2 + shift[0]], [0.0, focal, size / 2 + shift[1]], [0.0, 0.0, 1.0]])


def _draw_light_turn(generator: np.random.Generator) -> Float[np.ndarray, "3 3"]:
    """Turns the camera's frame into that of the lamps: they stand anywhere, but more above than below."""
    return Rotation.from_euler("yxz", [generator.uniform(-1.6, 1.6), generator.normal() * 0.35, generator.normal() * 0.35]).as_matrix()


def _dressed(scene: _Scene, generator: np.random.Generator) -> Int[np.ndarray, "face"]:
    """The part of each face: with the sleeve, or with a bare arm."""
    part = scene.parts.face_part
    return np.where(part == SLEEVE, SKIN_ARM, part) if generator.random() < 0.45 else part


@dataclass(frozen=True)
class _Dress:
    """What the surfaces of one view look like."""

    look: Look
    printed: UInt8[np.ndarray, "height width 3"] | None
    """A picture printed on the object, or none."""
    plane: Float[np.ndarray, "2 3"]
    """Directions along which it is printed, pixels per metre."""
    bands: bool
    """Only on a band of the object, the rest is plain."""
    tint: Float[np.ndarray, "3"]
    worn: float
    """How far the object's colours go to its tint's, in [0, 1]."""

    @staticmethod
    def draw(generator: np.random.Generator, photographs: Photographs) -> "_Dress":
        skin_name: SkinName = generator.choice(get_args(SkinName), p=[0.25, 0.4, 0.15, 0.2]).item()
        tone = generator.random()
        skin = (1 - tone) * LIGHTEST_SKIN + tone * DARKEST_SKIN + generator.normal(size=3) * 0.02
        look = Look(np.clip(skin, 0.08, 0.98), generator.uniform(0.03, 0.95, size=3), int(generator.integers(2**31 - 5000)), skin_name)
        printed = photographs.crop(generator, 160) if generator.random() < 0.4 else None
        plane = np.linalg.qr(generator.normal(size=(3, 3)))[0][:2] * np.exp(generator.uniform(np.log(600.0), np.log(4000.0)))
        tint = np.clip(generator.beta(0.7, 0.7) + generator.normal(size=3) * 0.12 * generator.random(), 0.02, 0.98)
        return _Dress(look, printed, plane, bool(generator.random() < 0.4), tint, float(generator.choice([0.0, 0.5, 0.9])))

    def colours(
        self, part: Int[np.ndarray, "pixel"], rest: Float[np.ndarray, "pixel 3"], marks: Float[np.ndarray, "pixel 2"]
    ) -> Float[np.ndarray, "pixel 3"]:
        """sRGB of surface points."""
        colours = surface_colours(part, rest, marks, self.look)
        held = part == OBJECT
        own = (1 - self.worn) * colours[held] + self.worn * self.tint
        if self.printed is not None:
            height, width = self.printed.shape[:2]
            where = np.round(rest[held] @ self.plane.T).astype(int)
            x, y = np.abs((where % [2 * width, 2 * height]) - [width, height]).T
            on = self.printed[np.minimum(y, height - 1), np.minimum(x, width - 1)] / 255.0
            inside = np.abs(rest[held] @ self.plane[0] / np.linalg.norm(self.plane[0])) < (0.02 if self.bands else np.inf)
            own[inside] = on[inside]
        colours[held] = own
        return colours


def _shaded(
    vertices: Float[np.ndarray, "vertex 3"],
    faces: Int[np.ndarray, "face 3"],
    part: Int[np.ndarray, "face"],
    attributes: Float[np.ndarray, "vertex 10"],
    K: Float[np.ndarray, "3 3"],
    size: int,
    dress: _Dress,
) -> tuple[UInt8[np.ndarray, "size size 3"], UInt8[np.ndarray, "size size"]]:
    """Picture and cover, drawn at twice the size and averaged."""
    fine_K = np.diag([2.0, 2.0, 1.0]) @ K
    covered, seen = light_surfaces(vertices, faces, part, attributes, fine_K, (2 * size, 2 * size), dress.colours, dress.look.object_skin)
    light = np.zeros((2 * size, 2 * size, 4), np.float32)
    light[covered, :3] = seen
    light[covered, 3] = 1.0
    summed = cv2.resize(light, (size, size), interpolation=cv2.INTER_AREA)
    colour = encoded(summed[..., :3] / np.maximum(summed[..., 3:], 1e-6))
    return np.round(255 * colour).astype(np.uint8), np.round(255 * summed[..., 3]).astype(np.uint8)
