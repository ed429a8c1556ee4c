"""Posed hands as cached distance volumes, one per fitted frame, in the wrist frame: cheap to look up from any ray."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hoifield.actors.skinned_model import SkinnedModel
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.geometry.tensor_record import move_record
from hoifield.geometry.trilinear import lookup_distance


@dataclass(frozen=True)
class ActorVolumes:
    """Signed distance of the posed hand mesh on a grid per frame, and where each grid point lies on the hand at rest.

    Root motion is not in the volumes (they live in the wrist frame), so it stays free with exact gradients; articulation and
    shape are frozen into them until they are built again.
    """

    distance: Float[Tensor, "frame nx ny nz"]
    canonical: Float[Tensor, "frame nx ny nz 3"]
    """Rest-pose position (hand frame) of the grid point, carried back by the skinning of the nearest surface point."""
    lower: Float[Tensor, "frame 3"]
    spacing: Float[Tensor, "frame"]

    def lookup(self, row: Int[Tensor, "point"], points: Float[Tensor, "point 3"]) -> tuple[Float[Tensor, "point"], Float[Tensor, "point 3"]]:
        """Signed distance and its gradient at wrist-frame points, metres; see `lookup_distance`."""
        return lookup_distance(self.distance, row, points, self.lower, self.spacing)

    def nearest_canonical(self, row: Int[Tensor, "point"], points: Float[Tensor, "point 3"]) -> Float[Tensor, "point 3"]:
        """Rest-pose position of wrist-frame points: that of the nearest grid point, plus the offset from it."""
        size = torch.tensor(self.distance.shape[1:], device=points.device) - 1
        position = (points - self.lower[row]) / self.spacing[row, None]
        cell = position.round().long().clamp(min=0)
        cell = torch.minimum(cell, size)
        return self.canonical[row, cell[:, 0], cell[:, 1], cell[:, 2]]


def build_actor_volumes(
    model: SkinnedModel,
    shape: Float[Tensor, "component=10"],
    pose: Float[Tensor, "frame joint=16 3"],
    resolution: int,
    margin: float = 0.015,
) -> ActorVolumes:
    """Volumes of `resolution` points a side around the posed hand of each frame; `margin` metres beyond its box.

    Distances are worked out on the CPU; the volumes lie where `pose` does.
    """
    identity = torch.eye(4, device=pose.device).expand(len(pose), 4, 4)
    with torch.no_grad():
        posed = model.pose(shape, pose, identity)
        rest, _ = model.shaped(shape)
    vertices = posed.vertices.double().cpu().numpy()
    transforms = posed.T_camera_joint.double().cpu().numpy()
    faces = model.faces.cpu().numpy()
    weights = model.weights.double().cpu().numpy()
    query = MeshDistance(vertices[0], faces)
    distances, canonicals, lowers, spacings = [], [], [], []
    for frame in range(len(pose)):
        query.refit(vertices[frame])
        lower = vertices[frame].min(0) - margin
        spacing = float((np.ptp(vertices[frame], axis=0).max() + 2 * margin) / (resolution - 1))
        axis = np.arange(resolution) * spacing
        points = lower + np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
        closest = query.closest(points)
        corner_weights = (weights[faces[closest.face]] * closest.barycentric[..., None]).sum(1)
        blended = (corner_weights @ transforms[frame].reshape(16, 16)).reshape(-1, 4, 4)
        offset = points - blended[:, :3, 3]
        canonical = solve_each(blended[:, :3, :3], offset)
        grid = (resolution,) * 3
        distances.append(closest.signed_distance.reshape(grid).astype(np.float32))
        canonicals.append(canonical.reshape(*grid, 3).astype(np.float16))
        lowers.append(lower)
        spacings.append(spacing)
    volumes = ActorVolumes(
        distance=torch.from_numpy(np.stack(distances)),
        canonical=torch.from_numpy(np.stack(canonicals)),
        lower=torch.tensor(np.stack(lowers), dtype=torch.float32),
        spacing=torch.tensor(spacings, dtype=torch.float32),
    )
    return move_record(volumes, pose.device)


def solve_each(matrices: Float[np.ndarray, "point 3 3"], vectors: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, "point 3"]:
    """x with M x = v for many 3x3 matrices, by Cramer's rule: several times faster than a library call per matrix."""
    a, b, c = matrices[:, :, 0], matrices[:, :, 1], matrices[:, :, 2]
    bc, ca, ab = np.cross(b, c), np.cross(c, a), np.cross(a, b)
    determinant = (a * bc).sum(1, keepdims=True)
    products = [(row * vectors).sum(1) for row in (bc, ca, ab)]
    return np.stack(products, 1) / determinant
