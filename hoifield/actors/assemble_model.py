"""A hand model from the arrays of a right hand: anatomical axes, limits, the mirrored left hand."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int

from hoifield.actors.anatomy import anatomical_axes, joint_ranges, mirrored_axes
from hoifield.actors.skinned_model import Side, SkinnedModel


@dataclass(frozen=True)
class RightHand:
    """Arrays of a closed right hand in MANO's axes, flat at rest, wrist joint at the origin, metres."""

    template: Float[np.ndarray, "vertex 3"]
    shape_directions: Float[np.ndarray, "vertex 3 component=10"]
    joint_template: Float[np.ndarray, "joint=16 3"]
    joint_directions: Float[np.ndarray, "joint=16 3 component=10"]
    weights: Float[np.ndarray, "vertex joint=16"]
    faces: Int[np.ndarray, "face 3"]
    fingertip_vertices: Int[np.ndarray, "finger=5"]
    """Thumb, index, middle, ring, little."""
    pose_directions: Float[np.ndarray, "vertex 3 135"] | None = None


def build_model(name: Literal["anny", "mano", "rigged"], side: Side, hand: RightHand) -> SkinnedModel:
    """The model of either side, float32 tensors; the left hand is the mirror image (x -> -x) of the right one.

    Under the mirror a rotation R becomes M R M, so pose correctives of entry (r, c) change sign where exactly one of r, c is x.
    """
    tips = [int(vertex) for vertex in hand.fingertip_vertices]
    axes = anatomical_axes(hand.joint_template, hand.template[[tips[k] for k in (1, 2, 4, 3, 0)]])
    mirror, faces, correctives = np.ones(3), hand.faces, hand.pose_directions
    if side == "left":
        mirror = np.array([-1.0, 1.0, 1.0])
        axes = mirrored_axes(axes)
        faces = faces[:, ::-1]
        if correctives is not None:
            correctives = correctives * mirror[:, None] * np.tile(np.outer(mirror, mirror).ravel(), 15)
    lower, upper = joint_ranges()
    return SkinnedModel(
        name=name,
        side=side,
        template=_tensor(hand.template * mirror),
        shape_directions=_tensor(hand.shape_directions * mirror[:, None]),
        joint_template=_tensor(hand.joint_template * mirror),
        joint_directions=_tensor(hand.joint_directions * mirror[:, None]),
        pose_directions=None if correctives is None else _tensor(correctives),
        weights=_tensor(hand.weights / hand.weights.sum(1, keepdims=True)),
        faces=torch.from_numpy(np.ascontiguousarray(faces, dtype=np.int64)),
        fingertip_vertices=(tips[0], tips[1], tips[2], tips[3], tips[4]),
        joint_axes=_tensor(axes),
        lower_limits=_tensor(lower),
        upper_limits=_tensor(upper),
    )


def _tensor(array: Float[np.ndarray, "..."]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
