"""What a grasp search looks up again and again: distances about the object, and which vertices of a hand may touch."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hoifield.actors.skinned_model import FINGERS, SkinnedModel
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.geometry.trilinear import lookup_distance

FINGER_JOINTS = {"thumb": (13, 14, 15), "index": (1, 2, 3), "middle": (4, 5, 6), "ring": (10, 11, 12), "little": (7, 8, 9)}
GRID_MARGIN, GRID_CELLS = 0.08, 72
FINE_SPACING, FINE_STEPS, FINE_BAND = 0.002, 3, 0.009


@dataclass(frozen=True)
class ObjectGrid:
    """Cached signed distances about an object, object frame."""

    values: Float[Tensor, "1 x y z"]
    lower: Float[Tensor, "1 3"]
    spacing: Float[Tensor, "1"]

    @staticmethod
    def of(mesh: Mesh) -> "ObjectGrid":
        """Distances on a regular grid that reaches 8 cm beyond the object."""
        lower = mesh.vertices.min(0) - GRID_MARGIN
        side = mesh.extent + 2 * GRID_MARGIN
        spacing = float(side.max() / GRID_CELLS)
        counts = np.ceil(side / spacing).astype(int) + 1
        axes = [lower[k] + spacing * np.arange(counts[k]) for k in range(3)]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        values = MeshDistance(mesh.vertices, mesh.faces).closest(grid.reshape(-1, 3)).signed_distance.reshape(counts)
        tensors = [torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)) for array in (values[None], lower[None], [spacing])]
        return ObjectGrid(tensors[0], tensors[1], tensors[2])

    @staticmethod
    def fine(surface: MeshDistance, lower: Float[np.ndarray, "3"], upper: Float[np.ndarray, "3"]) -> "ObjectGrid":
        """Distances on a grid of 2 mm in a box: exact within 9 mm of the surface, interpolated between points 6 mm apart beyond."""
        coarse = np.ceil((upper - lower) / (FINE_STEPS * FINE_SPACING)).astype(int) + 1
        axes = [low + FINE_STEPS * FINE_SPACING * np.arange(count) for low, count in zip(lower, coarse, strict=True)]
        values = surface.closest(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)).signed_distance.reshape(coarse)
        for axis in range(3):
            at = np.arange(FINE_STEPS * (values.shape[axis] - 1) + 1) / FINE_STEPS
            first = np.minimum(at.astype(int), values.shape[axis] - 2)
            share = (at - first).reshape([-1 if k == axis else 1 for k in range(3)])
            values = (1 - share) * values.take(first, axis) + share * values.take(first + 1, axis)
        near = np.argwhere(np.abs(values) < FINE_BAND)
        values[tuple(near.T)] = surface.closest(lower + FINE_SPACING * near).signed_distance
        tensors = [torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)) for array in (values[None], lower[None], [FINE_SPACING])]
        return ObjectGrid(tensors[0], tensors[1], tensors[2])

    def distance(self, points: Float[Tensor, "*batch 3"]) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch 3"]]:
        """Signed distances and their gradients at object-frame points."""
        flat = points.reshape(-1, 3)
        row = torch.zeros(len(flat), dtype=torch.int64)
        value, gradient = lookup_distance(self.values, row, flat, self.lower, self.spacing)
        return value.reshape(points.shape[:-1]), gradient.reshape(points.shape)


@dataclass(frozen=True)
class HandParts:
    """Which vertices of an actor belong to each finger, to its touching pad and to the palm."""

    finger: dict[str, Int[Tensor, "vertex"]]
    pad: dict[str, Int[Tensor, "vertex"]]
    palm: Int[Tensor, "vertex"]

    @staticmethod
    def of(actor: SkinnedModel) -> "HandParts":
        """Parts from the skinning weights and the flexion axes."""
        owner = actor.weights.argmax(1)
        centred = actor.template - actor.joint_template[owner]
        finger, pad = {}, {}
        for name, joints in FINGER_JOINTS.items():
            finger[name] = torch.nonzero(torch.isin(owner, torch.tensor(joints)))[:, 0]
            flexion, bone = actor.joint_axes[joints[2], :, 0], actor.joint_axes[joints[2], :, 2]
            tip = actor.template[actor.fingertip_vertices[FINGERS.index(name)]] - actor.joint_template[joints[2]]
            inward = torch.linalg.cross(flexion, bone * torch.sign(bone @ tip))
            facing = (centred @ inward > 0.002) & (centred @ tip > 0.25 * (tip @ tip))
            pad[name] = torch.nonzero((owner == joints[2]) & facing)[:, 0]
        inward = torch.linalg.cross(actor.joint_axes[4, :, 0], actor.joint_template[4])
        inward = inward / inward.norm()
        palm = torch.nonzero((owner == 0) & (actor.template @ inward > 0.004))[:, 0]
        return HandParts(finger, pad, palm)
