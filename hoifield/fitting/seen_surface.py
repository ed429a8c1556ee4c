"""Which points of the object's surface the clip has shown: the pixels decide there, and what is imagined has no say."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hoifield.fitting.frame_pixels import FramePixels
from hoifield.geometry.rigid import invert_rigid
from hoifield.renderer.cached_distance import CachedDistance
from hoifield.scene.scene import Scene

LOOKED_AT = 24
"""Fitted frames that are asked, spread evenly."""
ENOUGH = 2
"""Frames that must show a point."""
FACING = 0.3
"""Cosine between normal and line of sight from which a surface counts as shown: where nothing was seen, a hull's sides lie along the sight."""
LEAVING, LEAVING_STEPS = 0.12, 24
"""Metres over which a line of sight is followed away from its point, and the places looked at on it."""


@torch.no_grad()
def find_seen(
    scene: Scene, pixels: FramePixels, lookup: CachedDistance, points: Float[Tensor, "point 3"], normals: Float[Tensor, "point 3"]
) -> Bool[Tensor, "point"]:
    """Whether points of the surface (object frame, unit normals) face the camera, unhidden, on pixels of the object, in enough frames."""
    count = torch.zeros(len(points), dtype=torch.int64, device=points.device)
    for row in np.unique(np.linspace(0, scene.frames.frame_count - 1, LOOKED_AT).round().astype(int)).tolist():
        T = scene.frames.T_camera_object(torch.tensor([row]))[0]
        camera = invert_rigid(T[None])[0, :3, 3]
        sight = camera - points
        sight = sight / sight.norm(dim=1, keepdim=True)
        shown = ((normals * sight).sum(1) > FACING) & _on_object(pixels, row, (points @ T[:3, :3].T + T[:3, 3]) @ scene.K.T)
        shown[shown.clone()] = unhidden(lookup, points[shown], sight[shown])
        count += shown
    return count >= ENOUGH


def _on_object(pixels: FramePixels, row: int, projected: Float[Tensor, "point 3"]) -> Bool[Tensor, "point"]:
    """Whether points fall on pixels labelled as the object."""
    place = (projected[:, :2] / projected[:, 2:]).floor().long().cpu().numpy() - pixels.corner[row]
    entity: Int[np.ndarray, "height width"] = pixels.entities[row]
    height, width = entity.shape
    inside = (place >= 0).all(1) & (place[:, 0] < width) & (place[:, 1] < height)
    clipped = np.clip(place, 0, [width - 1, height - 1])
    return torch.from_numpy(inside & (entity[clipped[:, 1], clipped[:, 0]] == 0)).to(projected.device)


def unhidden(lookup: CachedDistance, points: Float[Tensor, "point 3"], sight: Float[Tensor, "point 3"]) -> Bool[Tensor, "point"]:
    """Whether nothing of the object itself stands between points and the camera."""
    if len(points) == 0:
        return torch.zeros(0, dtype=torch.bool, device=points.device)
    away = torch.linspace(0.006, LEAVING, LEAVING_STEPS, device=points.device)
    on_the_way = points[:, None] + away[None, :, None] * sight[:, None]
    return lookup.lookup(on_the_way.reshape(-1, 3)).reshape(len(points), LEAVING_STEPS).amin(1) > 0
