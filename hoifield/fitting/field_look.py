"""The object's field seen in a view of the geometry prior: the same pictures as of a mesh, with the points that gradients go through."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hoifield.fields.distance_field import DistanceSample
from hoifield.priors.geometry_view import VIEW_EXTENT, VIEW_SIZE, pixel_places
from hoifield.renderer.cached_distance import CachedDistance

STEPS = 128
"""Places looked at along a ray: one every 2 mm."""
NEWTON_STEPS = 2


@dataclass(frozen=True)
class FieldLook:
    """What the rays of a view meet; one ray a pixel, row by row, metres, object frame."""

    origin: Float[Tensor, "ray 3"]
    """Where rays enter the view, half its extent before its middle."""
    direction: Float[Tensor, "3"]
    """Unit, the same for all."""
    T_view_object: Float[Tensor, "4 4"]
    """May mirror: the prior knows right hands."""
    cover: Bool[Tensor, "ray"]
    surface: Float[Tensor, "ray 3"]
    """Where the ray meets the surface; meaningless without cover."""
    normal: Float[Tensor, "ray 3"]
    """Unit, object frame; zero without cover."""
    nearest: Float[Tensor, "ray 3"]
    """Where the field is lowest along the ray."""

    def picture(self) -> Float[Tensor, "1 channel=5 row column"]:
        """As the prior sees it."""
        R = self.T_view_object[:3, :3]
        depth = depth_in_view(self.T_view_object, self.surface)
        seen = self.cover & (depth.abs() < 1)
        shown = torch.where(seen[:, None], self.normal @ R.T, 0.0)
        channels = torch.cat([torch.where(seen, 1.0, -1.0)[:, None], shown, torch.where(seen, depth, 1.0)[:, None]], dim=1)
        return channels.t().reshape(1, 5, VIEW_SIZE, VIEW_SIZE)


def depth_in_view(T_view_object: Float[Tensor, "4 4"], points: Float[Tensor, "point 3"]) -> Float[Tensor, "point"]:
    """Depth of object points as pictures state it."""
    return (points @ T_view_object[2, :3] + T_view_object[2, 3]) / (VIEW_EXTENT / 2)


@torch.no_grad()
def look_at_field(query: Callable[[Float[Tensor, "point 3"]], DistanceSample], lookup: CachedDistance, T_view_object: Float[Tensor, "4 4"]) -> FieldLook:
    """March every ray of the view through the grid; where it meets the surface is then sought in the field itself (Newton's steps)."""
    place = torch.from_numpy(pixel_places()).to(T_view_object)
    rows, columns = torch.meshgrid(place, place, indexing="ij")
    start = torch.stack([columns, rows, torch.full_like(rows, -VIEW_EXTENT / 2)], dim=-1).reshape(-1, 3)
    R, t = T_view_object[:3, :3], T_view_object[:3, 3]
    origin, direction = (start - t) @ R, R[2]
    along = torch.from_numpy((np.arange(STEPS) + 0.5) / STEPS * VIEW_EXTENT).to(T_view_object)
    points = origin[:, None] + along[None, :, None] * direction
    distance = lookup.lookup(points.reshape(-1, 3)).reshape(len(origin), STEPS)
    inside = distance < 0
    cover = inside.any(1)
    first = inside.int().argmax(1).clamp(min=1)
    ray = torch.arange(len(origin), device=origin.device)
    before, after = distance[ray, first - 1], distance[ray, first]
    part = (before / (before - after).clamp(min=1e-9)).clamp(0, 1)
    reached = along[first - 1] + part * (along[1] - along[0])
    surface, normal = origin + reached[:, None] * direction, torch.zeros_like(origin)
    if bool(cover.any()):
        surface[cover], normal[cover] = _settled_on_surface(query, surface[cover], direction)
    nearest = points[ray, distance.argmin(1)]
    return FieldLook(origin, direction, T_view_object, cover, surface, normal, nearest)


def _settled_on_surface(
    query: Callable[[Tensor], DistanceSample], points: Float[Tensor, "point 3"], direction: Float[Tensor, "3"]
) -> tuple[Float[Tensor, "point 3"], Float[Tensor, "point 3"]]:
    """Points moved along the rays onto the surface, and its unit normals there."""
    sample = query(points)
    for _ in range(NEWTON_STEPS):
        slope = (sample.gradient @ direction).clamp(max=-0.2)
        points = points + (-sample.signed_distance / slope).clamp(-0.004, 0.004)[:, None] * direction
        sample = query(points)
    return points, sample.gradient / sample.gradient.norm(dim=1, keepdim=True).clamp(min=1e-6)
