"""A grasp, and whether it holds: what touches, how deep hand and object are in each other, and whether the contacts close."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.optimize import nnls

from hoifield.actors.skinned_model import FINGERS, SkinnedModel
from hoifield.geometry.mesh import Mesh, face_normals
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hoifield.synthetic.forearm import make_forearm
from hoifield.synthetic.grasp_parts import HandParts

CONTACT_REACH, DEEPEST_PENETRATION = 0.002, 0.002
FRICTION, CONE_EDGES, CONTACTS_PER_SEGMENT = 0.6, 6, 4
"""Friction of skin (dry skin on wood, glass or plastic has 0.5 to 1.2), edges of a linearised cone, contacts taken from one bone's skin."""
DISTURBANCE, LEVER, LARGEST_RESIDUAL = 0.05, 0.05, 0.005
"""Force that a grasp must resist in any direction as a share of the summed grip force; lever (metres) that turns a moment into a force;
most of that force that may stay without answer."""


@dataclass(frozen=True)
class Grasp:
    """A hand on an object: finger angles, where the object lies in the hand frame, and what was measured on it."""

    pose: Float[np.ndarray, "joint=16 3"]
    """Axis-angle per joint; the root row is zero."""
    T_hand_object: Float[np.ndarray, "4 4"]
    touching: tuple[str, ...]
    """Fingers within 2 mm of the object."""
    deepest: float
    """Largest depth of a skin vertex inside the object, metres."""
    palm_touches: bool
    """Whether the palm is within 2 mm of the object."""
    crossing: float
    """Largest depth of an object vertex inside hand or forearm, metres."""
    closure: float
    """`closure_residual` of the contacts."""


@dataclass(frozen=True)
class GraspMeasure:
    """Measures grasps of one actor, shape and object."""

    actor: SkinnedModel
    mesh: Mesh
    shape: Float[torch.Tensor, "component=10"]
    surface: MeshDistance
    arm: MeshDistance
    parts: HandParts

    @staticmethod
    def of(actor: SkinnedModel, mesh: Mesh, shape: Float[torch.Tensor, "component=10"]) -> "GraspMeasure":
        """Distances to the object and to the forearm of a hand of that shape."""
        arm = make_forearm(actor, actor.shaped(shape)[0].double().numpy()).mesh
        surface = MeshDistance(mesh.vertices, mesh.faces)
        return GraspMeasure(actor, mesh, shape, surface, MeshDistance(arm.vertices, arm.faces), HandParts.of(actor))

    def measured(self, angles: Float[torch.Tensor, "joint=16 3"], T_object_hand: Float[torch.Tensor, "4 4"]) -> Grasp:
        """The grasp of those anatomical angles and that placement, with exact distances between the meshes."""
        T = T_object_hand.double().numpy()
        axis_angle = torch.einsum("jab,jb->ja", self.actor.joint_axes, angles)
        posed = self.actor.pose(self.shape, axis_angle[None], torch.eye(4)[None]).vertices[0].double().numpy()
        skin = posed @ T[:3, :3].T + T[:3, 3]
        nearest = self.surface.closest(skin)
        distance = nearest.signed_distance
        touching = tuple(name for name in FINGERS if distance[self.parts.finger[name].numpy()].min() < CONTACT_REACH)
        pose = axis_angle_from_matrix(matrix_from_axis_angle(axis_angle)).double().numpy()
        pose[0] = 0
        chosen = self._contacts(distance)
        closure = closure_residual(skin[chosen], face_normals(self.mesh)[0][nearest.face[chosen]])
        palm = bool(distance[self.parts.palm.numpy()].min() < CONTACT_REACH)
        T_hand_object = np.linalg.inv(T)
        return Grasp(pose, T_hand_object, touching, float(max(-distance.min(), 0.0)), palm, self._crossing(posed, T_hand_object), closure)

    def _contacts(self, distance: Float[np.ndarray, "vertex"]) -> Int[np.ndarray, "contact"]:
        """The nearest skin vertices of each bone that are within reach of the surface."""
        owner = self.actor.weights.argmax(1).numpy()
        chosen = []
        for joint in range(16):
            near = np.nonzero((owner == joint) & (distance < CONTACT_REACH))[0]
            chosen.append(near[np.argsort(distance[near], kind="stable")[:CONTACTS_PER_SEGMENT]])
        return np.concatenate(chosen)

    def _crossing(self, posed: Float[np.ndarray, "vertex 3"], T_hand_object: Float[np.ndarray, "4 4"]) -> float:
        """How deep the object's vertices are inside hand or forearm, metres."""
        object_vertices = self.mesh.vertices @ T_hand_object[:3, :3].T + T_hand_object[:3, 3]
        inside_box = ((object_vertices > posed.min(0)) & (object_vertices < posed.max(0))).all(1)
        deepest = -float(self.arm.closest(object_vertices).signed_distance.min())
        if inside_box.any():
            hand = MeshDistance(posed, self.actor.faces.numpy())
            deepest = max(deepest, -float(hand.closest(object_vertices[inside_box]).signed_distance.min()))
        return max(deepest, 0.0)


def grasp_holds(grasp: Grasp) -> bool:
    """Whether thumb or palm and enough fingers touch (three fingers, the thumb among them; or palm and three), nothing crosses, and it closes.

    Skin is nowhere deeper than 2 mm in the object, nor the object in hand or forearm.
    """
    enough = len(grasp.touching) >= 3 and ("thumb" in grasp.touching or grasp.palm_touches)
    return enough and max(grasp.deepest, grasp.crossing) <= DEEPEST_PENETRATION and grasp.closure <= LARGEST_RESIDUAL


def grasp_is_likely(grasp: Grasp) -> bool:
    """Whether a picture of it would pass for one of a held object: two fingers touch, thumb or palm as well, 5 mm of crossing at most.

    For learning what lies in hands, where many different grasps are worth more than exact ones.
    """
    enough = len(grasp.touching) >= 2 and ("thumb" in grasp.touching or grasp.palm_touches)
    return enough and max(grasp.deepest, grasp.crossing) <= 0.005


def closure_residual(points: Float[np.ndarray, "contact 3"], normals: Float[np.ndarray, "contact 3"]) -> float:
    """Largest share of the grip force by which the contacts fail to answer a small force or moment; 0 for force closure.

    With primitive wrenches g_k (edges of the friction cones, normal part 1, moments about the contacts' middle over `LEVER`), it is the
    largest over the 12 directions +-e_i of wrench space of  min { |sum f_k g_k - DISTURBANCE e_i| : f >= 0, sum f_k = 1 }.  Zero means that
    the hull of the g_k holds a ball about the origin, which is force closure (Ferrari and Canny 1992; Murray, Li and Sastry 1994, ch. 5).
    `normals` point out of the object; the hand pushes against them. 1 where nothing touches.
    """
    if len(points) == 0:
        return 1.0
    across = np.linalg.svd(normals[:, None, :])[2][:, 1:]
    angle = np.arange(CONE_EDGES) * 2 * np.pi / CONE_EDGES
    around = np.cos(angle)[None, :, None] * across[:, None, 0] + np.sin(angle)[None, :, None] * across[:, None, 1]
    force = (FRICTION * around - normals[:, None]).reshape(-1, 3)
    moment = np.cross(np.repeat(points - points.mean(0), CONE_EDGES, axis=0), force) / LEVER
    wrenches = np.concatenate([force, moment], axis=1).T
    weight = 100.0
    system = np.concatenate([wrenches, weight * np.ones((1, wrenches.shape[1]))])
    worst = 0.0
    for axis in range(6):
        for sign in (-DISTURBANCE, DISTURBANCE):
            target = np.zeros(7)
            target[axis], target[6] = sign, weight
            worst = max(worst, float(nnls(system, target, maxiter=3000)[1]))
    return worst
