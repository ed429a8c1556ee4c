"""Where a hand touches what it holds: the pads of the fingertips and the palm."""

import numpy as np
import torch
from torch import Tensor

from hoifield.actors.skinned_model import FINGERS, KEYPOINT_FROM_JOINT, SkinnedModel
from hoifield.geometry.mesh import Mesh, vertex_normals

FACING_PALM = 0.4
"""Smallest cosine between a vertex normal and the palmar direction."""
LEAST_WEIGHT = 0.5
THUMB_BASE = 13
PALM_START = 0.25
"""The palm begins at this fraction of the way from the wrist to the knuckles."""


def contact_zones(model: SkinnedModel) -> dict[str, Tensor]:
    """Vertex indices (int64, ascending) per zone: the finger names for the pads of the last phalanges, and `palm`.

    A vertex belongs to a zone when its joint carries most of it and its rest normal faces the palmar side: for a finger, where
    flexion moves its tip; for the palm, with the ball of the thumb, -y.
    """
    template = model.template.detach().cpu().numpy().astype(np.float64)
    normals = vertex_normals(Mesh(template, model.faces.cpu().numpy()))
    weights = model.weights.detach().cpu().numpy()
    joints = model.joint_template.detach().cpu().numpy()
    zones = {}
    for finger, name in enumerate(FINGERS):
        joint = KEYPOINT_FROM_JOINT[4 * finger + 3]
        bone = template[model.fingertip_vertices[finger]] - joints[joint]
        palmar = np.cross(model.joint_axes[joint, :, 0].detach().cpu().numpy(), bone / np.linalg.norm(bone))
        zones[name] = _indices((weights[:, joint] > LEAST_WEIGHT) & (normals @ palmar > FACING_PALM))
    knuckles = joints[[1, 4, 7, 10]].mean(0)
    along = template @ knuckles / (knuckles @ knuckles)
    carried = weights[:, 0] + weights[:, THUMB_BASE]
    zones["palm"] = _indices((carried > LEAST_WEIGHT) & (-normals[:, 1] > FACING_PALM) & (along > PALM_START))
    return zones


def touching_vertices(model: SkinnedModel) -> Tensor:
    """The vertices of all zones (int64, ascending)."""
    return torch.cat(list(contact_zones(model).values())).unique()


def _indices(members: np.ndarray) -> Tensor:
    return torch.from_numpy(np.flatnonzero(members))
