"""The hand as bones with flesh around them: where it may touch a handle, and how deep its fingers are in each other."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hoifield.actors.skinned_model import FINGERS, JOINT_PARENTS, PosedHand, SkinnedModel
from hoifield.synthetic.grasp_parts import FINGER_JOINTS, HandParts

METACARPAL_RADIUS, METACARPAL_START = 0.012, 0.35
"""Flesh around the bones of the palm, metres; share of the way from the wrist to a knuckle at which they begin."""
FLESH = 0.9
"""Share of a finger's radius that another finger may not enter; the rest yields."""
KNUCKLES = (1, 4, 10, 7)


@dataclass(frozen=True)
class HandBones:
    """Capsules around the bones of one hand, and the skin that touches: 15 in the order of joints 1 to 15, then four of the palm."""

    patches: dict[tuple[str, int], Int[Tensor, "vertex"]]
    """Skin on the palm's side of each finger's three bones, counted from the palm; ("palm", 0) is the palm."""
    skin: Int[Tensor, "point"]
    """Vertices of the fingers that are looked up against the capsules."""
    owner: Int[Tensor, "point"]
    """Joint that each of them follows."""
    allowed: Float[Tensor, "point capsule=19"]
    """How near each of them may come to each capsule's bone, metres; 0 for its own finger."""

    @staticmethod
    def of(actor: SkinnedModel, shape: Float[Tensor, "component=10"], parts: HandParts) -> "HandBones":
        """Bones of a hand of that shape; a finger's radius is the median distance of its skin to the bone."""
        flat = actor.pose(shape, torch.zeros(1, 16, 3), torch.eye(4)[None])
        owner = actor.weights.argmax(1)
        start, end = bone_ends(actor, flat)
        distance = _distance_to_bones(flat.vertices[0], start[0], end[0])
        radius = torch.stack([distance[owner == joint, joint - 1].median() for joint in range(1, 16)])
        radius = torch.cat([radius, torch.full((4,), METACARPAL_RADIUS)])
        skin = torch.nonzero(owner > 0)[:, 0]
        allowed = torch.minimum(FLESH * radius, distance[skin] - 0.0005).clamp(min=0)
        return HandBones(_patches(actor, parts), skin, owner[skin], allowed * _may_meet(owner[skin]))

    def overlap(self, actor: SkinnedModel, posed: PosedHand, joints: tuple[int, ...] | None = None) -> Float[Tensor, "frame point capsule"]:
        """How deep finger vertices (of some joints, or all) are inside the flesh of another finger or of the palm, metres, at least 0."""
        start, end = bone_ends(actor, posed)
        chosen = slice(None) if joints is None else torch.isin(self.owner, torch.tensor(joints))
        distance = _distance_to_bones(posed.vertices[:, self.skin[chosen]], start[:, None], end[:, None])
        return (self.allowed[chosen] - distance).clamp(min=0)


def bone_ends(actor: SkinnedModel, posed: PosedHand) -> tuple[Float[Tensor, "frame 19 3"], Float[Tensor, "frame 19 3"]]:
    """Both ends of the 15 finger bones and of the four of the palm."""
    joints = posed.joints
    tips = {FINGER_JOINTS[name][2]: posed.vertices[:, actor.fingertip_vertices[k]] for k, name in enumerate(FINGERS)}
    ends = [tips[joint] if joint in tips else joints[:, joint + 1] for joint in range(1, 16)]
    # the tip vertex lies on the skin; the bone ends a little before it
    ends = [joints[:, k + 1] + (0.8 if k + 1 in tips else 1.0) * (end - joints[:, k + 1]) for k, end in enumerate(ends)]
    knuckles = joints[:, list(KNUCKLES)]
    palm_start = joints[:, :1] + METACARPAL_START * (knuckles - joints[:, :1])
    return torch.cat([joints[:, 1:], palm_start], dim=1), torch.cat([torch.stack(ends, dim=1), knuckles], dim=1)


def _distance_to_bones(
    points: Float[Tensor, "*batch point 3"], start: Float[Tensor, "*batch2 bone 3"], end: Float[Tensor, "*batch2 bone 3"]
) -> Float[Tensor, "*batch point bone"]:
    """Distance of each point to each bone's segment."""
    bone, offset = end - start, points[..., None, :] - start
    share = ((offset * bone).sum(-1) / (bone * bone).sum(-1)).clamp(0, 1)
    return (offset - share[..., None] * bone).square().sum(-1).clamp(min=1e-12).sqrt()


def _may_meet(owner: Int[Tensor, "point"]) -> Bool[Tensor, "point capsule=19"]:
    """Which capsules count for skin of a joint: other fingers, and the palm for all but the bones next to it."""
    chain = (owner - 1) // 3
    capsule_chain = torch.cat([torch.arange(15) // 3, torch.full((4,), 5)])
    meets = chain[:, None] != capsule_chain
    next_to_palm = torch.tensor([joint > 0 and JOINT_PARENTS[joint] == 0 for joint in range(16)])[owner]
    meets[next_to_palm] &= capsule_chain != 5
    meets[next_to_palm & (chain == 4)] = False
    meets[:, 12] &= ~next_to_palm
    return meets


def _patches(actor: SkinnedModel, parts: HandParts) -> dict[tuple[str, int], Int[Tensor, "vertex"]]:
    """Palm-side skin of each bone."""
    owner = actor.weights.argmax(1)
    patches = {("palm", 0): parts.palm}
    for name, joints in FINGER_JOINTS.items():
        for k, joint in enumerate(joints):
            flexion = actor.joint_axes[joint, :, 0]
            end = actor.joint_template[joint + 1] if k < 2 else actor.template[actor.fingertip_vertices[FINGERS.index(name)]]
            bone = end - actor.joint_template[joint]
            inward = torch.linalg.cross(flexion, bone / bone.norm())
            facing = ((actor.template - actor.joint_template[joint]) @ inward) > 0.002
            patches[name, k] = parts.pad[name] if k == 2 else torch.nonzero((owner == joint) & facing)[:, 0]
    return patches
