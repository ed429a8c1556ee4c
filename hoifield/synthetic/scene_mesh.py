"""Hand, object and forearm as one mesh in the hand frame, with what the renderer needs per vertex."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from hoifield.actors.skinned_model import SkinnedModel
from hoifield.geometry.mesh import Mesh, vertex_normals
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.synthetic.appearance import HAND, OBJECT, SKIN_ARM, SLEEVE, ambient_access, skin_marks
from hoifield.synthetic.forearm import make_forearm, seal_centre
from hoifield.synthetic.grasp import Grasp


@dataclass(frozen=True)
class SceneMesh:
    """The rigid scene of one grasp, hand frame. Vertex order: hand, object, forearm."""

    mesh: Mesh
    normals: Float[np.ndarray, "vertex 3"]
    rest: Float[np.ndarray, "vertex 3"]
    """Where the texture is looked up: hand and forearm at rest, object in its own frame."""
    marks: Float[np.ndarray, "vertex 2"]
    access: Float[np.ndarray, "vertex"]
    face_part: Int[np.ndarray, "face"]
    tracer: MeshDistance
    hand_count: int
    object_count: int

    @property
    def body(self) -> Float[np.ndarray, "vertex 3"]:
        """Vertices of hand and object, without the forearm."""
        return self.mesh.vertices[: self.hand_count + self.object_count]


def build_scene(actor: SkinnedModel, shape: Float[np.ndarray, "component=10"], grasp: Grasp, object_mesh: Mesh, seed: int) -> SceneMesh:
    """The scene of a grasp; ambient access is traced once, since nothing moves inside the hand frame."""
    shape_tensor = torch.from_numpy(shape).float()
    rest = actor.shaped(shape_tensor)[0].double().numpy()
    posed = actor.pose(shape_tensor, torch.from_numpy(grasp.pose)[None].float(), torch.eye(4)[None]).vertices[0].double().numpy()
    held = object_mesh.moved(grasp.T_hand_object)
    arm = make_forearm(actor, rest)
    parts = (Mesh(posed, actor.faces.numpy()), held, arm.mesh)
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    mesh = Mesh(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=False)]),
    )
    skin = parts[0].faces[(parts[0].faces != seal_centre(actor)).all(1)]
    normals = np.concatenate([vertex_normals(Mesh(posed, skin)), vertex_normals(held), vertex_normals(arm.mesh)])
    marks = np.zeros((len(normals), 2))
    marks[: len(rest)] = skin_marks(actor, rest)
    arm_part = np.where(arm.sleeve[arm.mesh.faces].all(1), SLEEVE, SKIN_ARM)
    face_part = np.concatenate([np.full(len(parts[0].faces), HAND), np.full(len(held.faces), OBJECT), arm_part])
    return SceneMesh(
        mesh=mesh,
        normals=normals,
        rest=np.concatenate([rest, object_mesh.vertices, arm.mesh.vertices]),
        marks=marks,
        access=ambient_access(mesh, normals, seed),
        face_part=face_part,
        tracer=MeshDistance(mesh.vertices, mesh.faces),
        hand_count=len(rest),
        object_count=len(object_mesh.vertices),
    )
