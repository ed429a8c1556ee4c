"""Endless lessons for the geometry prior: held scenes, stretched and shifted anew each time, seen from any side."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation
from torch import Tensor

from hoifield.actors.skinned_model import SkinnedModel
from hoifield.geometry.mesh import Mesh, vertex_normals
from hoifield.priors.geometry_network import CATEGORIES
from hoifield.priors.geometry_view import GeometryView, draw_hand, draw_surface
from hoifield.synthetic.held_scenes import HeldScene, Stretch

WHOLE = slice(None)
"""The share of a process that is alone."""
SHIFT, TURN = 0.004, 0.06
"""How far the object is moved in the hand (standard deviation: metres, radians): a fitted hand is that far off."""


@dataclass(frozen=True)
class GeometryBatch:
    """Pictures to learn from; shapes as the network takes them."""

    object_picture: Float[Tensor, "picture channel=5 row column"]
    hand_picture: Float[Tensor, "picture channel=8 row column"]
    category: Int[Tensor, "picture"]


@dataclass(frozen=True)
class ObjectChange:
    """How the object of a scene is stretched, and where the hand then holds it."""

    stretch: Stretch
    T_hand_object: Float[np.ndarray, "4 4"]


@dataclass(frozen=True)
class PosedScene:
    """A scene with everything that does not change from view to view, hand frame."""

    scene: HeldScene
    hand: Mesh
    hand_normals: Float[np.ndarray, "vertex 3"]
    rest: Float[np.ndarray, "vertex 3"]
    centre: Float[np.ndarray, "3"]
    """Mean of the 21 keypoints."""
    object_normals: Float[np.ndarray, "vertex 3"]
    """Object frame."""

    @staticmethod
    def of(scene: HeldScene, actor: SkinnedModel) -> "PosedScene":
        """The right hand `actor` in the scene's grasp."""
        shape = torch.from_numpy(scene.shape).float()
        posed = actor.pose(shape, torch.from_numpy(scene.pose)[None].float(), torch.eye(4)[None])
        hand = Mesh(posed.vertices[0].double().numpy(), actor.faces.numpy())
        rest = actor.shaped(shape)[0].double().numpy()
        return PosedScene(scene, hand, vertex_normals(hand), rest, posed.keypoints[0].double().numpy().mean(0), vertex_normals(scene.object_mesh))

    def seen(
        self, view: GeometryView, change: ObjectChange | None = None
    ) -> tuple[Float[np.ndarray, "channel=5 row column"], Float[np.ndarray, "channel=8 row column"]]:
        """Object and hand in a view, the object as it is or as it was changed."""
        mesh = self.scene.object_mesh
        points, normals, T = mesh.vertices, self.object_normals, self.scene.T_hand_object
        if change is not None:
            points, normals, T = change.stretch.points(points), change.stretch.normals(normals), change.T_hand_object
        turned = view.R_view_hand @ T[:3, :3]
        held = draw_surface(view.points(points @ T[:3, :3].T + T[:3, 3]), normals @ turned.T, mesh.faces)
        hand = draw_hand(view.points(self.hand.vertices), self.hand_normals @ view.R_view_hand.T, self.hand.faces, self.rest)
        return held.channels(), hand

    def draw_change(self, generator: np.random.Generator) -> ObjectChange:
        """The object stretched and shifted anew."""
        return ObjectChange(self.scene.draw_stretch(generator), _shifted(self.scene.T_hand_object, generator))

    def draw_view(self, generator: np.random.Generator) -> GeometryView:
        """From any side, any way up."""
        return GeometryView(Rotation.random(random_state=int(generator.integers(2**31))).as_matrix(), self.centre)


def _shifted(T: Float[np.ndarray, "4 4"], generator: np.random.Generator) -> Float[np.ndarray, "4 4"]:
    """The object a little elsewhere in the hand."""
    moved = np.eye(4)
    moved[:3, :3] = Rotation.from_rotvec(generator.normal(size=3) * TURN).as_matrix() @ T[:3, :3]
    moved[:3, 3] = T[:3, 3] + generator.normal(size=3) * SHIFT
    return moved


def draw_lessons(scenes: tuple[PosedScene, ...], generator: np.random.Generator, count: int, share: slice = WHOLE) -> GeometryBatch:
    """Of `count` pictures, each of a scene drawn anew, those of a share; the same generator gives the same pictures.

    What is random is drawn for all of them, so that the shares of several processes are the pictures that one would have seen; only the
    share is rendered, which is what takes the time.
    """
    chosen = [scenes[int(generator.integers(len(scenes)))] for _ in range(count)]
    drawn = [(posed, posed.draw_view(generator), posed.draw_change(generator)) for posed in chosen][share]
    pictures = [posed.seen(view, change) for posed, view, change in drawn]
    return gather_batch([picture for picture, _ in pictures], [hand for _, hand in pictures], [posed.scene.category for posed, _, _ in drawn])


def gather_batch(
    objects: list[Float[np.ndarray, "channel=5 row column"]], hands: list[Float[np.ndarray, "channel=8 row column"]], categories: list[str]
) -> GeometryBatch:
    """Pictures side by side; a category that the prior has no word for is unknown."""
    words = [CATEGORIES.index(name) if name in CATEGORIES else 0 for name in categories]
    return GeometryBatch(torch.from_numpy(np.stack(objects)).float(), torch.from_numpy(np.stack(hands)).float(), torch.tensor(words))
