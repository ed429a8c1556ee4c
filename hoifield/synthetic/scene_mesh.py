"""Hands, object and forearms as one mesh in the hand frame, with what the renderer needs per vertex."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from hoifield.actors.skinned_model import SkinnedModel
from hoifield.geometry.mesh import Mesh, vertex_normals
from hoifield.synthetic.appearance import HAND, OBJECT, SECOND_HAND, SKIN_ARM, SLEEVE, skin_marks
from hoifield.synthetic.forearm import make_forearm, seal_centre
from hoifield.synthetic.hand_object_motion import SecondHand


@dataclass(frozen=True)
class Arrangement:
    """The parts as they lie at one moment, hand frame. Vertex order as in SceneParts."""

    mesh: Mesh
    normals: Float[np.ndarray, "vertex 3"]


@dataclass(frozen=True)
class SceneParts:
    """Hand, object and forearm of one clip, before fingers are bent and the object is placed, and the other hand with its forearm
    where there is one. Vertex order: hand, object, forearm, second hand, its forearm."""

    actor: SkinnedModel
    shape: Float[np.ndarray, "component=10"]
    object_mesh: Mesh
    arm: Mesh
    faces: Int[np.ndarray, "face 3"]
    face_part: Int[np.ndarray, "face"]
    rest: Float[np.ndarray, "vertex 3"]
    """Where the texture is looked up: hand and forearm at rest, object in its own frame."""
    marks: Float[np.ndarray, "vertex 2"]
    second: SkinnedModel | None = None
    second_arm: Mesh | None = None

    @staticmethod
    def of(
        actor: SkinnedModel, shape: Float[np.ndarray, "component=10"], object_mesh: Mesh, second: SkinnedModel | None = None
    ) -> "SceneParts":
        """The parts for a hand of that shape, and for a second one of the other side and the same shape."""
        pieces, arm = _limb_pieces(actor, shape, HAND)
        pieces.insert(1, _Piece(object_mesh, np.full(len(object_mesh.faces), OBJECT), np.zeros((len(object_mesh.vertices), 2))))
        second_arm = None
        if second is not None:
            more, second_arm = _limb_pieces(second, shape, SECOND_HAND)
            pieces += more
        starts = np.cumsum([0, *(len(piece.mesh.vertices) for piece in pieces)])
        return SceneParts(
            actor=actor,
            shape=shape,
            object_mesh=object_mesh,
            arm=arm,
            faces=np.concatenate([piece.mesh.faces + start for piece, start in zip(pieces, starts, strict=False)]),
            face_part=np.concatenate([piece.face_part for piece in pieces]),
            rest=np.concatenate([piece.mesh.vertices for piece in pieces]),
            marks=np.concatenate([piece.marks for piece in pieces]),
            second=second,
            second_arm=second_arm,
        )

    @property
    def hand_count(self) -> int:
        """Number of hand vertices."""
        return len(self.actor.template)

    @property
    def body_count(self) -> int:
        """Number of vertices of the first hand and the object, without the forearm."""
        return self.hand_count + len(self.object_mesh.vertices)

    def body(self, vertices: Float[np.ndarray, "vertex 3"], step: int = 1) -> Float[np.ndarray, "part 3"]:
        """Every `step`-th vertex of hands and object, without the forearms."""
        first = vertices[: self.body_count : step]
        if self.second is None:
            return first
        start = self.body_count + len(self.arm.vertices)
        return np.concatenate([first, vertices[start : start + len(self.second.template) : step]])

    def posed_hand(self, pose: Float[np.ndarray, "joint=16 3"], actor: SkinnedModel | None = None) -> Float[np.ndarray, "vertex 3"]:
        """Vertices of the first hand, or of the actor named, in its own hand frame."""
        shape = torch.from_numpy(self.shape).float()
        posed = (actor or self.actor).pose(shape, torch.from_numpy(pose)[None].float(), torch.eye(4)[None])
        return posed.vertices[0].double().numpy()

    def held_body(self, pose: Float[np.ndarray, "joint=16 3"], T_hand_object: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "body 3"]:
        """Vertices of the first hand and of the object in its frame."""
        return np.concatenate([self.posed_hand(pose), self.object_mesh.moved(T_hand_object).vertices])

    def arranged(
        self, pose: Float[np.ndarray, "joint=16 3"], T_hand_object: Float[np.ndarray, "4 4"], second: SecondHand | None = None
    ) -> Arrangement:
        """The parts with the fingers bent and the object placed; `second` says where the other hand is, if these parts have one."""
        posed, held = self.posed_hand(pose), self.object_mesh.moved(T_hand_object)
        meshes = [posed, held.vertices, self.arm.vertices]
        normals = [_skin_normals(self.actor, posed), vertex_normals(held), vertex_normals(self.arm)]
        if self.second is not None and self.second_arm is not None:
            assert second is not None
            T = second.T_hand_second
            other, arm = self.posed_hand(second.pose, self.second), self.second_arm.moved(T)
            meshes += [other @ T[:3, :3].T + T[:3, 3], arm.vertices]
            normals += [_skin_normals(self.second, other) @ T[:3, :3].T, vertex_normals(arm)]
        return Arrangement(mesh=Mesh(np.concatenate(meshes), self.faces), normals=np.concatenate(normals))


@dataclass(frozen=True)
class _Piece:
    """One mesh at rest with what SceneParts keeps of it."""

    mesh: Mesh
    face_part: Int[np.ndarray, "face"]
    marks: Float[np.ndarray, "vertex 2"]


def _limb_pieces(actor: SkinnedModel, shape: Float[np.ndarray, "component=10"], hand_part: int) -> tuple[list[_Piece], Mesh]:
    """Hand and forearm of that shape, and the mesh of the forearm."""
    hand = actor.shaped(torch.from_numpy(shape).float())[0].double().numpy()
    arm = make_forearm(actor, hand)
    arm_part = np.where(arm.sleeve[arm.mesh.faces].all(1), SLEEVE, SKIN_ARM)
    faces = actor.faces.numpy()
    return [
        _Piece(Mesh(hand, faces), np.full(len(faces), hand_part), skin_marks(actor, hand)),
        _Piece(arm.mesh, arm_part, np.zeros((len(arm.mesh.vertices), 2))),
    ], arm.mesh


def _skin_normals(actor: SkinnedModel, posed: Float[np.ndarray, "vertex 3"]) -> Float[np.ndarray, "vertex 3"]:
    """Vertex normals of a posed hand as if its seal at the wrist were open."""
    skin = actor.faces.numpy()
    return vertex_normals(Mesh(posed, skin[(skin != seal_centre(actor)).all(1)]))
