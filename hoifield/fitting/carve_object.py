"""The object of a scene without what its views disagree about: cavities that silhouettes fill and a field does not find the way into."""

import numpy as np
import torch
from jaxtyping import Float

from hoifield.fitting.carve_colours import carve_colours, gather_views
from hoifield.fitting.frame_pixels import FramePixels
from hoifield.fitting.held_surface import shown_distance
from hoifield.geometry.cameras import Camera
from hoifield.geometry.isosurface import extract_isosurface
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.renderer.surface_level import rendered_surface_level
from hoifield.scene.scene import Scene

SURFACE_RESOLUTION = 112
"""Grid points along a side of the object's cube from which the surface to carve is taken."""
RESOLUTION = 96
"""Those in which the field learns the carved shape."""
LOOKED_AT = 12
LEAST_SHARED = 0.97
"""Of the outlines before carving and after it: a cavity hides inside of them, a breached wall does not."""
SETTLING = 4
"""Rounds in which a level and the volume within it come to agree."""


def shared_outlines(first: Mesh, second: Mesh, T_camera_object: Float[np.ndarray, "frame 4 4"], camera: Camera) -> float:
    """Pixels that both meshes (object frame) cover, of those that either does, in LOOKED_AT of the frames."""
    both = either = 0
    for T in T_camera_object[np.linspace(0, len(T_camera_object) - 1, LOOKED_AT).round().astype(int)]:
        covered = [np.isfinite(rasterise_mesh(mesh.moved(T).vertices, mesh.faces, camera.K, camera.width, camera.height)[0]) for mesh in (first, second)]
        both, either = both + int((covered[0] & covered[1]).sum()), either + int((covered[0] | covered[1]).sum())
    return both / max(either, 1)


def carve_object(scene: Scene, pixels: FramePixels, width: float, steps: int, seed: int) -> bool:
    """Carve the surface that a renderer `width` (m) soft shows, by colours under the present poses, and teach the object's field what is left.

    False, and nothing changes, where colours agree, or where carving would change outlines. Else colours have to be learned anew: they read the
    features of the field.
    """
    shown = shown_distance(scene, SURFACE_RESOLUTION, width)
    lower = shown.lower.double().cpu().numpy()
    mesh = extract_isosurface(shown.values.cpu().numpy(), lower, shown.spacing)
    T_camera_object = scene.frames.T_camera_object().detach().double().cpu().numpy()
    carved = carve_colours(mesh, gather_views(pixels, T_camera_object))
    if carved is mesh or shared_outlines(mesh, carved, T_camera_object, scene.camera) < LEAST_SHARED:
        return False
    field = scene.object_distance
    step = 2 * field.bounds_half_size / (RESOLUTION - 1)
    distance = MeshDistance(carved.vertices, carved.faces).on_grid(lower, step, RESOLUTION)
    # What the renderer shows lies outside of the zero level by what depends on the volume within that.
    level = 0.0
    for _ in range(SETTLING):
        level = rendered_surface_level(distance + level, step, width)
    if not (distance + level < 0).any():
        return False
    field.start_from_grid(torch.tensor(distance + level, dtype=torch.float32), shown.lower, step, steps, seed)
    return True
