"""Who is in front: seen hand pixels have the hand before the object, seen object pixels do not have the hand before it."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hoifield.geometry.trilinear import lookup_grid
from hoifield.renderer.cached_distance import CachedDistance

TOWARDS_CAMERA = (0.004, 0.01, 0.02, 0.035, 0.055, 0.08)
"""Metres before a hand vertex at which the object is looked for."""


def object_before(
    grid: CachedDistance, T_object_camera: Float[Tensor, "frame 4 4"], vertices: Float[Tensor, "frame vertex 3"]
) -> Float[Tensor, "frame vertex"]:
    """Smallest signed distance (m) of the object between each camera-frame point and the camera: negative where the object hides it."""
    towards = -vertices / vertices.norm(dim=-1, keepdim=True)
    steps = torch.tensor(TOWARDS_CAMERA, device=vertices.device)
    with torch.no_grad():
        points = vertices[:, :, None] + steps[:, None] * towards[:, :, None]
        first = _object_distance(grid, T_object_camera, points.flatten(1, 2)).reshape(points.shape[:3]).argmin(-1)
    # Only the nearest of the places has a gradient.
    return _object_distance(grid, T_object_camera, vertices + steps[first][..., None] * towards)


def _object_distance(grid: CachedDistance, T_object_camera: Float[Tensor, "frame 4 4"], points: Float[Tensor, "frame point 3"]) -> Float[Tensor, "frame point"]:
    """Signed distances (m) of the object at camera-frame points."""
    local = points @ T_object_camera[:, :3, :3].transpose(1, 2) + T_object_camera[:, None, :3, 3]
    return lookup_grid(grid.values, grid.lower, grid.spacing, local.reshape(-1, 3)).reshape(local.shape[:2])


def depth_order_loss(
    nearest: Float[Tensor, "frame vertex"],
    on_hand: Bool[Tensor, "frame vertex"],
    on_object: Bool[Tensor, "frame vertex"],
    scale: float,
) -> Float[Tensor, ""]:
    """Robust depth (units of `scale` metres) by which front vertices of the hand are wrongly hidden, or wrongly not hidden.

    `nearest` is that of `object_before`; `on_hand` and `on_object` mark the hand's front vertices that project on pixels so labelled.
    """
    hidden = torch.relu(-nearest) * on_hand
    uncovered = torch.relu(nearest) * on_object
    squared = ((hidden + uncovered) / scale) ** 2
    return (squared / (1.0 + squared)).sum() / (on_hand | on_object).sum().clamp(min=1)
