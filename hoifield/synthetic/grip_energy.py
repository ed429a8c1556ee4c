"""Gradient descent on what makes a grasp: contact, no hand in the object nor object in the hand, no finger in another, and closed forces.

The energy has the terms of DexGraspNet (Wang et al. 2023, eq. 2),  E = E_fc + w_dis E_dis + w_pen E_pen + w_spen E_spen + w_joints E_joints,
with joint limits kept by clamping. E_fc is the force-closure estimator of Liu et al. 2021 (Synthesizing diverse and physically stable grasps
with arbitrary hand structures using differentiable force closure estimator):  |G f|^2  for forces f along the contact normals without
friction, G = [n_1 .. n_k; (x_1 - c) x n_1 .. ]. They take equal forces; here f is the best one, f >= 0 and sum f = 1, since four fingers push
against one thumb (its gradient is that with f held).
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.optimize import nnls
from torch import Tensor

from hoifield.actors.skinned_model import PosedHand
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.geometry.rotations import matrix_from_axis_angle
from hoifield.synthetic.grip_closing import GripClosing

STEPS, RENEWED_EVERY = 180, 12
NORMAL_STEP, FORCE_REACH, LEVER = 0.003, 0.006, 0.05
CONTACT, PENETRATION, OVERLAP, CROSSING, FORCE, COUPLING, THUMB = 3e3, 6e4, 2e4, 6e4, 0.06, 0.01, 1e3
FAR, FINGERTIP_FAR = 0.010, 0.025
"""Skin farther off than this is drawn less: a finger that cannot reach is not torn towards the object."""
HANDLE_WEIGHTS = {"palm": (0.8,), "thumb": (0.0, 0.3, 2.0), "index": (0.4, 0.7, 1.0), "middle": (0.4, 0.7, 1.0), "ring": (0.4, 0.6, 0.7)}
HANDLE_WEIGHTS |= {"little": (0.3, 0.5, 0.5)}
FINGERTIP_WEIGHTS = {"thumb": (0.0, 0.0, 3.0), "index": (0.0, 0.2, 1.0), "middle": (0.0, 0.2, 1.0), "ring": (0.0, 0.1, 0.6), "little": (0.0, 0.0, 0.3)}


@dataclass(frozen=True)
class Crossings:
    """Object points found inside the hand, and the skin they would leave through."""

    points: Float[Tensor, "point 3"]
    """Object frame."""
    corners: Int[Tensor, "point 3"]
    barycentric: Float[Tensor, "point 3"]


@dataclass(frozen=True)
class GripRefinement:
    """Descends on the energy from a closed hand."""

    closing: GripClosing
    object_points: Float[np.ndarray, "point 3"]
    """Vertices of the object near the grip, object frame."""

    def refined(
        self, angles: Float[Tensor, "joint=16 3"], T_object_hand: Float[Tensor, "4 4"]
    ) -> tuple[Float[Tensor, "joint=16 3"], Float[Tensor, "4 4"]]:
        """Angles and placement after the descent."""
        actor = self.closing.actor
        lower, upper = actor.lower_limits, actor.upper_limits
        movable = (upper - lower) > 1e-6
        change, shift = torch.zeros(16, 3, requires_grad=True), torch.zeros(6, requires_grad=True)
        optimiser = torch.optim.Adam([{"params": [change], "lr": 0.015}, {"params": [shift], "lr": 0.0006}])
        hand = MeshDistance(actor.template.double().numpy(), actor.faces.numpy())
        crossings, forces = Crossings(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64), torch.zeros(0, 3)), torch.zeros(0)
        for step in range(STEPS):
            if step == STEPS * 2 // 3:
                for group in optimiser.param_groups:
                    group["lr"] *= 0.4
            bent = torch.clamp(angles + change * movable, lower, upper)
            T = shifted(T_object_hand, shift)
            posed = self.closing.posed(bent[None])
            skin = posed.vertices[0] @ T[:3, :3].T + T[:3, 3]
            distance, _ = self.closing.grid.distance(skin)
            wrenches = self._wrenches(skin, distance.detach())
            if step % RENEWED_EVERY == 0:
                crossings, forces = self._crossings(hand, posed, T.detach()), _best_forces(wrenches.detach())
            loss = self._contact(distance) + PENETRATION * torch.relu(0.0004 - distance).square().sum()
            loss = loss + OVERLAP * self.closing.bones.overlap(actor, posed).square().sum() + self._crossing_cost(crossings, skin)
            if len(forces) == wrenches.shape[1]:
                loss = loss + FORCE * (wrenches @ forces).square().sum()
            loss = loss + THUMB * self.closing.beside_handle(skin[self.closing.parts.pad["thumb"]].mean(0)).square()
            bending = bent[[2, 5, 8, 11], 0], bent[[3, 6, 9, 12], 0]
            loss = loss + COUPLING * (bending[1] - 0.6 * bending[0]).square().sum()
            loss = loss + 0.03 * change.square().sum() + 20.0 * shift.square().sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return torch.clamp(angles + change.detach() * movable, lower, upper), shifted(T_object_hand, shift.detach())

    def _contact(self, distance: Float[Tensor, "vertex"]) -> Float[Tensor, ""]:
        """Weighted squared distances of the nearest skin of each bone, levelling off beyond `FAR`."""
        total = distance.new_zeros(())
        wrapped = self.closing.grip.kind == "handle"
        far = FAR if wrapped else FINGERTIP_FAR
        for name, weights in (HANDLE_WEIGHTS if wrapped else FINGERTIP_WEIGHTS).items():
            for k, weight in enumerate(weights):
                patch = self.closing.bones.patches[name, k]
                if weight > 0:
                    square = (torch.topk(distance[patch], min(5, len(patch)), largest=False).values - 0.0002).square()
                    total = total + weight * CONTACT * (square / (1 + square / far**2)).sum()
        return total

    def _wrenches(self, skin: Float[Tensor, "vertex 3"], distance: Float[Tensor, "vertex"]) -> Float[Tensor, "6 contact"]:
        """Pushes of unit force along the normals where a bone's skin is near, with their moments about the middle of the contacts."""
        nearest = [patch[distance[patch].argmin()] for patch in self.closing.bones.patches.values()]
        near = torch.stack([vertex for vertex in nearest if distance[vertex] < FORCE_REACH] or nearest)
        points = skin[near]
        steps = NORMAL_STEP * torch.cat([torch.eye(3), -torch.eye(3)])
        around = self.closing.grid.distance(points[:, None] + steps)[0]
        normals = (around[:, :3] - around[:, 3:]) / (2 * NORMAL_STEP)
        moments = torch.linalg.cross(points - points.mean(0), -normals) / LEVER
        return torch.cat([-normals, moments], dim=1).T

    def _crossings(self, hand: MeshDistance, posed: PosedHand, T: Float[Tensor, "4 4"]) -> Crossings:
        """Object points inside the hand as it is now."""
        vertices = posed.vertices[0].detach().double().numpy()
        hand.refit(vertices)
        in_hand = (self.object_points - T[:3, 3].double().numpy()) @ T[:3, :3].double().numpy()
        candidates = np.nonzero(((in_hand > vertices.min(0)) & (in_hand < vertices.max(0))).all(1))[0]
        nearest = hand.closest(in_hand[candidates])
        inside = nearest.signed_distance < 0
        corners = torch.from_numpy(self.closing.actor.faces.numpy()[nearest.face[inside]])
        points = torch.from_numpy(self.object_points[candidates[inside]]).float()
        return Crossings(points, corners, torch.from_numpy(nearest.barycentric[inside]).float())

    def _crossing_cost(self, crossings: Crossings, skin: Float[Tensor, "vertex 3"]) -> Float[Tensor, ""]:
        """Squared depths below the skin that each point would leave through, object frame."""
        corners = skin[crossings.corners]
        normal = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).detach()
        normal = normal / normal.norm(dim=1, keepdim=True).clamp(min=1e-12)
        exits = (corners * crossings.barycentric[..., None]).sum(1)
        depth = torch.relu(((exits - crossings.points) * normal).sum(1))
        return CROSSING * depth.square().sum()


def _best_forces(wrenches: Float[Tensor, "6 contact"]) -> Float[Tensor, "contact"]:
    """The f >= 0 with sum 1 that leaves the least of  |G f|."""
    system = np.concatenate([wrenches.double().numpy(), 100.0 * np.ones((1, wrenches.shape[1]))])
    return torch.from_numpy(nnls(system, np.array([0.0] * 6 + [100.0]), maxiter=1000)[0]).float()


def shifted(T_object_hand: Float[Tensor, "4 4"], shift: Float[Tensor, "6"]) -> Float[Tensor, "4 4"]:
    """The placement moved by a small turn and translation in the hand frame."""
    turn = torch.cat([matrix_from_axis_angle(20.0 * shift[:3]), shift[3:, None]], dim=1)
    return T_object_hand @ torch.cat([turn, torch.tensor([[0.0, 0.0, 0.0, 1.0]])])
