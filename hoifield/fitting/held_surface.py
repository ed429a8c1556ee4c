"""The object's surface as pixels show it, held while poses move: distances, and points whose colours frames must agree on."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hoifield.fitting.seen_surface import FACING, unhidden
from hoifield.geometry.cameras import pixel_directions
from hoifield.geometry.isosurface import extract_isosurface
from hoifield.geometry.mesh import face_normals
from hoifield.geometry.rigid import invert_rigid, transform_points
from hoifield.geometry.tensor_record import move_record
from hoifield.losses.silhouette import ALONG_RAY
from hoifield.renderer.cached_distance import CachedDistance
from hoifield.renderer.closest_approach import closest_approach
from hoifield.renderer.surface_level import rendered_surface_level
from hoifield.scene.scene import Scene

RESOLUTION = 96
POINTS = 1500


@dataclass(frozen=True)
class HeldSurface:
    """Object frame, metres."""

    distance: CachedDistance
    """Zero on the surface that pixels show."""
    points: Float[Tensor, "point 3"]
    normals: Float[Tensor, "point 3"]


def hold_surface(scene: Scene, width: float, seed: int) -> HeldSurface:
    """The scene's object as a renderer of that surface `width` (m) shows it: its zero level moved out to where silhouettes end.

    Raises RefusedInput (HF-GEO-002) for a field without a surface.
    """
    return surface_of_grid(shown_distance(scene, RESOLUTION, width), seed)


def shown_distance(scene: Scene, resolution: int, width: float) -> CachedDistance:
    """The object's distance on a grid of its cube, zero where a renderer of that surface `width` (m) shows it."""
    values, lower, spacing = scene.object_distance.as_grid(resolution)
    level = rendered_surface_level(values.cpu().numpy(), spacing, width)
    return CachedDistance((values - level).contiguous(), lower, spacing)


def surface_of_grid(distance: CachedDistance, seed: int) -> HeldSurface:
    """Points drawn uniformly by area on the zero level of a grid."""
    mesh = extract_isosurface(distance.values.cpu().numpy(), distance.lower.double().cpu().numpy(), distance.spacing)
    normals, areas = face_normals(mesh)
    generator = np.random.default_rng((seed, 78))
    chosen = generator.choice(len(areas), size=POINTS, p=areas / areas.sum())
    corner = generator.dirichlet((1.0, 1.0, 1.0), size=POINTS)
    points = np.einsum("pk,pkx->px", corner, mesh.vertices[mesh.faces[chosen]])
    surface = HeldSurface(distance, torch.tensor(points, dtype=torch.float32), torch.tensor(normals[chosen], dtype=torch.float32))
    return move_record(surface, distance.values.device)


@torch.no_grad()
def weigh_sight(surface: HeldSurface, T_camera_object: Float[Tensor, "frame 4 4"]) -> Float[Tensor, "frame point"]:
    """How squarely each frame looks at each point: the cosine of normal and sight, 0 where the object hides it or it turns away."""
    camera = invert_rigid(T_camera_object)[:, :3, 3]
    sight = camera[:, None] - surface.points
    sight = sight / sight.norm(dim=-1, keepdim=True)
    cosine = (sight * surface.normals).sum(-1)
    facing = cosine > FACING
    points = surface.points.expand(len(camera), -1, -1)
    weight = torch.where(facing, cosine, 0.0)
    weight[facing] *= unhidden(surface.distance, points[facing], sight[facing])
    return weight


def in_camera(surface: HeldSurface, T_camera_object: Float[Tensor, "frame 4 4"]) -> Float[Tensor, "frame point 3"]:
    """The points in the camera of each frame, metres."""
    return transform_points(T_camera_object, surface.points.expand(len(T_camera_object), -1, -1))


@torch.no_grad()
def depth_along(
    surface: HeldSurface, T_camera_object: Float[Tensor, "frame 4 4"], pixels: Float[Tensor, "frame pixel 2"], K: Float[Tensor, "3 3"]
) -> Float[Tensor, "frame pixel"]:
    """Depth (m) at which the ray through a pixel is deepest in the object, or nearest to it: whether the object is before something else there."""
    T_object_camera = invert_rigid(T_camera_object)
    directions = pixel_directions(pixels, K)
    local = directions @ T_object_camera[:, :3, :3].transpose(1, 2)
    origins = T_object_camera[:, None, :3, 3].expand_as(local)
    along = closest_approach(surface.distance, origins.reshape(-1, 3), local.reshape(-1, 3), ALONG_RAY)
    return along.reshape(pixels.shape[:2]) * directions[..., 2]
