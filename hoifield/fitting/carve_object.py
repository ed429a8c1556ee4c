"""The object of a scene without what its views disagree about: cavities that silhouettes fill and a field does not find the way into."""

import torch

from hoifield.fitting.carve_colours import carve_colours, gather_views
from hoifield.fitting.frame_pixels import FramePixels
from hoifield.geometry.isosurface import extract_isosurface
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.renderer.surface_level import rendered_surface_level
from hoifield.scene.scene import Scene

SURFACE_RESOLUTION = 112
"""Grid points along a side of the object's cube from which the surface to carve is taken."""
RESOLUTION = 96
"""Those in which the field learns the carved shape."""
SETTLING = 4
"""Rounds in which a level and the volume within it come to agree."""


def carve_object(scene: Scene, pixels: FramePixels, width: float, steps: int, seed: int) -> bool:
    """Carve the surface that a renderer `width` (m) soft shows, by colours under the present poses, and teach the object's field what is left.

    False, and nothing changes, where hardly anything is carved. Else colours have to be learned anew: they read the features of the field.
    """
    values, lower, spacing = scene.object_distance.as_grid(SURFACE_RESOLUTION)
    level = rendered_surface_level(values.cpu().numpy(), spacing, width)
    mesh = extract_isosurface(values.cpu().numpy() - level, lower.double().cpu().numpy(), spacing)
    carved = carve_colours(mesh, gather_views(pixels, scene.frames.T_camera_object().detach().double().cpu().numpy()))
    if carved is mesh:
        return False
    field = scene.object_distance
    step = 2 * field.bounds_half_size / (RESOLUTION - 1)
    axis = torch.arange(RESOLUTION, dtype=torch.float64) * step
    points = lower.double().cpu() + torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    distance = MeshDistance(carved.vertices, carved.faces).closest(points.numpy()).signed_distance.reshape((RESOLUTION,) * 3)
    # What the renderer shows lies outside of the zero level by what depends on the volume within that.
    for _ in range(SETTLING):
        level = rendered_surface_level(distance + level, step, width)
    if not (distance + level < 0).any():
        return False
    field.start_from_grid(torch.tensor(distance + level, dtype=torch.float32), lower.cpu(), step, steps, seed)
    return True
