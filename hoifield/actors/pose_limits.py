"""Poses in anatomical angles, and how far a pose leaves the range of motion."""

import torch
from jaxtyping import Float
from torch import Tensor

from hoifield.actors.skinned_model import SkinnedModel


def anatomical_angles(model: SkinnedModel, pose: Float[Tensor, "frame joint=16 3"]) -> Float[Tensor, "frame joint=16 3"]:
    """Flexion, abduction and twist (radians) of axis-angle rotations: their components along the joint's anatomical axes.

    Flexion is positive towards the palm. Positive abduction turns a finger to the thumb side and the thumb's base away from the
    palm. The same angles mean the mirrored motion on the other hand.
    """
    return torch.einsum("jab,fja->fjb", model.joint_axes, pose)


def pose_from_anatomical(model: SkinnedModel, angles: Float[Tensor, "frame joint=16 3"]) -> Float[Tensor, "frame joint=16 3"]:
    """Axis-angle rotations (radians) from flexion, abduction and twist; the inverse of `anatomical_angles`."""
    return torch.einsum("jab,fjb->fja", model.joint_axes, angles)


def limit_excess(model: SkinnedModel, pose: Float[Tensor, "frame joint=16 3"]) -> Float[Tensor, "frame joint=16 3"]:
    """Radians by which each anatomical angle lies outside its limits; zero inside, and zero for the wrist."""
    angles = anatomical_angles(model, pose)
    excess = (angles - model.upper_limits).clamp(min=0.0) + (model.lower_limits - angles).clamp(min=0.0)
    counted = torch.ones_like(model.upper_limits)
    counted[0] = 0.0
    return excess * counted
