"""A hand closes around a handle or over an edge: fingers bend joint by joint until they touch, the thumb looks for its place."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hoifield.actors.skinned_model import FINGERS, PosedHand, SkinnedModel
from hoifield.shapes.object_family import Grip
from hoifield.synthetic.grasp_check import closure_residual
from hoifield.synthetic.grasp_parts import FINGER_JOINTS, HandParts, ObjectGrid
from hoifield.synthetic.grip_shape import HandBones

CLOSING_STEPS, THUMB_STEPS = 24, 14
TOUCH, NEARLY, THUMB_ROOM = 0.0005, 0.005, 0.022
OPPOSITION, OPEN = 0.010, 0.08
FINGER_BEND = (1.15, 1.5, 0.75)
"""Radians by which the three joints of a finger have bent when it is closed."""
THUMB_BEND = ((-0.5, 0.75), (-0.2, 0.9), (0.0, 1.1))
THUMB_PLACES = tuple((abduction, twist) for abduction in (-0.35, 0.0, 0.35, 0.65) for twist in (-0.4, 0.0, 0.4))


@dataclass(frozen=True)
class GripClosing:
    """One hand and one object, distances near the grip."""

    actor: SkinnedModel
    shape: Float[Tensor, "component=10"]
    parts: HandParts
    bones: HandBones
    grid: ObjectGrid
    grip: Grip

    def beside_handle(self, points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch"]:
        """How much farther than a thumb's width points (object frame) are from the handle's straight centre line, metres; 0 off handles."""
        if self.grip.kind != "handle":
            return points.new_zeros(points.shape[:-1])
        axis = torch.from_numpy(self.grip.axis).float()
        offset = points - torch.from_numpy(self.grip.point).float()
        across = offset - (offset @ axis)[..., None] * axis
        return (across.square().sum(-1).clamp(min=1e-12).sqrt() - THUMB_ROOM).clamp(min=0)

    def posed(self, angles: Float[Tensor, "frame joint=16 3"]) -> PosedHand:
        """The hand in the hand frame for anatomical angles."""
        axis_angle = torch.einsum("jab,fjb->fja", self.actor.joint_axes, angles)
        return self.actor.pose(self.shape, axis_angle, torch.eye(4).expand(len(angles), 4, 4))

    def closed(self, T_object_hand: Float[Tensor, "4 4"]) -> tuple[float, Float[Tensor, "joint=16 3"]]:
        """Cost and anatomical angles after fingers and thumb have closed on the object; around a handle bone by bone."""
        angles = torch.zeros(16, 3)
        share = torch.linspace(0, 1, CLOSING_STEPS)
        for free in (3, 2, 1) if self.grip.kind == "handle" else (3,):
            bent = angles.repeat(CLOSING_STEPS, 1, 1)
            for name in FINGERS[1:]:
                for joint, most in list(zip(FINGER_JOINTS[name], FINGER_BEND, strict=True))[3 - free :]:
                    end = most if free == 3 else float(self.actor.upper_limits[joint, 0])
                    bent[:, joint, 0] = angles[joint, 0] + share * (end - angles[joint, 0])
            hands = self.posed(bent)
            distances = self._distances(hands, T_object_hand)
            for name in FINGERS[1:]:
                moving = FINGER_JOINTS[name][3 - free :]
                skin = torch.isin(self.actor.weights.argmax(1), torch.tensor(moving))
                blocked = distances[:, skin].min(1).values < TOUCH
                blocked |= self.bones.overlap(self.actor, hands, moving).amax((1, 2)) > 0.002
                stop = int(blocked.int().argmax()) if blocked.any() else (int(distances[:, skin].min(1).values.argmin()))
                for joint in moving:
                    angles[joint] = bent[stop, joint]
        thumb_cost, angles = self._thumb(angles, T_object_hand)
        return self._cost(angles, T_object_hand) + thumb_cost, angles

    def _thumb(
        self, angles: Float[Tensor, "joint=16 3"], T_object_hand: Float[Tensor, "4 4"]
    ) -> tuple[float, Float[Tensor, "joint=16 3"]]:
        """The thumb bent from several openings until it touches the object or a finger; the best of them."""
        count = len(THUMB_PLACES) * THUMB_STEPS
        bent = angles.repeat(count, 1, 1)
        places = torch.tensor(THUMB_PLACES).repeat_interleave(THUMB_STEPS, dim=0)
        share = torch.linspace(0, 1, THUMB_STEPS).repeat(len(THUMB_PLACES))
        bent[:, 13, 1:] = places
        for joint, (start, end) in zip(FINGER_JOINTS["thumb"], THUMB_BEND, strict=True):
            bent[:, joint, 0] = start + share * (end - start)
        bent = torch.clamp(bent, self.actor.lower_limits, self.actor.upper_limits)
        hands = self.posed(bent)
        distances = self._distances(hands, T_object_hand)
        skin = torch.isin(self.actor.weights.argmax(1), torch.tensor(FINGER_JOINTS["thumb"]))
        depth = (-distances[:, skin].min(1).values).clamp(min=0) + self.bones.overlap(self.actor, hands, FINGER_JOINTS["thumb"]).amax((1, 2))
        pad = torch.topk(distances[:, self.parts.pad["thumb"]], 6, largest=False).values.clamp(min=0).mean(1)
        middle = hands.vertices[:, self.parts.pad["thumb"]].mean(1) @ T_object_hand[:3, :3].T + T_object_hand[:3, 3]
        cost = pad.clamp(max=0.03) + 0.7 * self.beside_handle(middle) + 3 * depth + 0.001 * bent[:, 13, 1:].abs().sum(1)
        if self.grip.kind != "handle":
            cost = cost + OPPOSITION * (1 + self._normals(hands, "thumb", T_object_hand) @ self._finger_normal(angles, T_object_hand))
        best = int(cost.argmin())
        return float(cost[best]), bent[best]

    def _normals(self, hands: PosedHand, name: str, T_object_hand: Float[Tensor, "4 4"]) -> Float[Tensor, "frame 3"]:
        """Outward normals of the object where a finger's pad is nearest, object frame."""
        pad = hands.vertices[:, self.parts.pad[name]] @ T_object_hand[:3, :3].T + T_object_hand[:3, 3]
        distance, gradient = self.grid.distance(pad)
        return gradient[torch.arange(len(pad)), distance.argmin(1)]

    def _finger_normal(self, angles: Float[Tensor, "joint=16 3"], T_object_hand: Float[Tensor, "4 4"]) -> Float[Tensor, "3"]:
        """Mean of the normals under index, middle and ring finger."""
        hands = self.posed(angles[None])
        total = torch.stack([self._normals(hands, name, T_object_hand)[0] for name in ("index", "middle", "ring")]).mean(0)
        return total / total.norm().clamp(min=1e-6)

    def _cost(self, angles: Float[Tensor, "joint=16 3"], T_object_hand: Float[Tensor, "4 4"]) -> float:
        """How far each bone's skin is from the surface, how deep the skin is, and how far the nearest skin is from closing."""
        skin = self.posed(angles[None]).vertices[0] @ T_object_hand[:3, :3].T + T_object_hand[:3, 3]
        distance, gradient = self.grid.distance(skin)
        reach = sum(float(distance[patch].min().clamp(0, 0.02)) for (name, _), patch in self.bones.patches.items() if name != "thumb")
        nearest = torch.cat([patch[torch.topk(distance[patch], 3, largest=False).indices] for patch in self.bones.patches.values()])
        nearest = nearest[distance[nearest] < NEARLY]
        normals = gradient[nearest].double().numpy()
        lengths = np.linalg.norm(normals, axis=1, keepdims=True)
        closure = closure_residual(skin[nearest].double().numpy(), normals / np.maximum(lengths, 1e-6))
        share = 0.3 if self.grip.kind == "handle" else 0.1
        return share * reach + 2 * float(-distance.min().clamp(max=0)) + OPEN * min(closure, 0.5)

    def _distances(self, hands: PosedHand, T_object_hand: Float[Tensor, "4 4"]) -> Float[Tensor, "frame vertex"]:
        """Signed distances of the skin to the object."""
        return self.grid.distance(hands.vertices @ T_object_hand[:3, :3].T + T_object_hand[:3, 3])[0]
