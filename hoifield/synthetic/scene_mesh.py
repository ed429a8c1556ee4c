"""Hand, object and forearm as one mesh in the hand frame, with what the renderer needs per vertex."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from hoifield.actors.skinned_model import SkinnedModel
from hoifield.geometry.mesh import Mesh, vertex_normals
from hoifield.synthetic.appearance import HAND, OBJECT, SKIN_ARM, SLEEVE, skin_marks
from hoifield.synthetic.forearm import make_forearm, seal_centre


@dataclass(frozen=True)
class Arrangement:
    """The parts as they lie at one moment, hand frame. Vertex order: hand, object, forearm."""

    mesh: Mesh
    normals: Float[np.ndarray, "vertex 3"]


@dataclass(frozen=True)
class SceneParts:
    """Hand, object and forearm of one clip, before fingers are bent and the object is placed. Vertex order: hand, object, forearm."""

    actor: SkinnedModel
    shape: Float[np.ndarray, "component=10"]
    object_mesh: Mesh
    arm: Mesh
    faces: Int[np.ndarray, "face 3"]
    face_part: Int[np.ndarray, "face"]
    rest: Float[np.ndarray, "vertex 3"]
    """Where the texture is looked up: hand and forearm at rest, object in its own frame."""
    marks: Float[np.ndarray, "vertex 2"]

    @staticmethod
    def of(actor: SkinnedModel, shape: Float[np.ndarray, "component=10"], object_mesh: Mesh) -> "SceneParts":
        """The parts for a hand of that shape."""
        hand = actor.shaped(torch.from_numpy(shape).float())[0].double().numpy()
        arm = make_forearm(actor, hand)
        meshes = (Mesh(hand, actor.faces.numpy()), object_mesh, arm.mesh)
        starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
        arm_part = np.where(arm.sleeve[arm.mesh.faces].all(1), SLEEVE, SKIN_ARM)
        marks = np.zeros((starts[-1], 2))
        marks[: len(hand)] = skin_marks(actor, hand)
        return SceneParts(
            actor=actor,
            shape=shape,
            object_mesh=object_mesh,
            arm=arm.mesh,
            faces=np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]),
            face_part=np.concatenate([np.full(len(meshes[0].faces), HAND), np.full(len(object_mesh.faces), OBJECT), arm_part]),
            rest=np.concatenate([mesh.vertices for mesh in meshes]),
            marks=marks,
        )

    @property
    def hand_count(self) -> int:
        """Number of hand vertices."""
        return len(self.actor.template)

    @property
    def body_count(self) -> int:
        """Number of vertices of hand and object, without the forearm."""
        return self.hand_count + len(self.object_mesh.vertices)

    def posed_hand(self, pose: Float[np.ndarray, "joint=16 3"]) -> Float[np.ndarray, "vertex 3"]:
        """Hand vertices in the hand frame."""
        shape = torch.from_numpy(self.shape).float()
        return self.actor.pose(shape, torch.from_numpy(pose)[None].float(), torch.eye(4)[None]).vertices[0].double().numpy()

    def arranged(self, pose: Float[np.ndarray, "joint=16 3"], T_hand_object: Float[np.ndarray, "4 4"]) -> Arrangement:
        """The parts with the fingers bent and the object placed."""
        posed, held = self.posed_hand(pose), self.object_mesh.moved(T_hand_object)
        skin = self.actor.faces.numpy()
        skin = skin[(skin != seal_centre(self.actor)).all(1)]
        return Arrangement(
            mesh=Mesh(np.concatenate([posed, held.vertices, self.arm.vertices]), self.faces),
            normals=np.concatenate([vertex_normals(Mesh(posed, skin)), vertex_normals(held), vertex_normals(self.arm)]),
        )
