"""Objects of hand-holdable size as closed meshes: drawn from signed distances, or any mesh file brought to size."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, assert_never, get_args

import numpy as np
from jaxtyping import Float

from hoifield.errors import UsageError
from hoifield.geometry.isosurface import extract_isosurface
from hoifield.geometry.mesh import Mesh
from hoifield.result.mesh_files import read_mesh

ShapeName = Literal["mug", "bottle", "box", "bowl", "can", "ring"]
SHAPE_NAMES: tuple[ShapeName, ...] = get_args(ShapeName)
GRID_SPACING = 0.0015
SMALLEST_EXTENT, LARGEST_EXTENT, GIVEN_EXTENT = 0.04, 0.25, 0.12
"""A mesh file whose longest side lies outside the first two is scaled to the third, metres."""

Points = Float[np.ndarray, "*grid 3"]
Distances = Float[np.ndarray, "*grid"]


def make_object(shape: str | Path, grid_spacing: float = GRID_SPACING) -> Mesh:
    """The closed mesh of a named shape, or of a mesh file; z is the long axis of named shapes, the box's centre is the origin.

    Raises UsageError (HF-SYN-001) for a name that is neither a shape nor a file.
    """
    for name in SHAPE_NAMES:
        if shape == name:
            return _centred(_draw(name, grid_spacing))
    path = Path(shape)
    if not path.suffix:
        raise UsageError(
            "HF-SYN-001", f"{shape!r} is neither a mesh file nor one of {len(SHAPE_NAMES)} shapes", f"use one of {', '.join(SHAPE_NAMES)}"
        )
    mesh = _centred(read_mesh(path))
    longest = float(mesh.extent.max())
    if SMALLEST_EXTENT <= longest <= LARGEST_EXTENT:
        return mesh
    return Mesh(mesh.vertices * (GIVEN_EXTENT / longest), mesh.faces, mesh.colours)


def _centred(mesh: Mesh) -> Mesh:
    """The mesh with the middle of its box at the origin."""
    middle = (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2
    return Mesh(mesh.vertices - middle, mesh.faces, mesh.colours)


def _draw(name: ShapeName, spacing: float) -> Mesh:
    """Marching cubes of the shape's signed distance inside its half box."""
    distance, half = _shape_distance(name)
    reach = np.asarray(half) + 3 * spacing
    axes = [np.arange(-side, side + spacing, spacing) for side in reach]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    return extract_isosurface(distance(grid), -reach, spacing)


def _shape_distance(name: ShapeName) -> tuple[Callable[[Points], Distances], tuple[float, float, float]]:
    """Signed distance of a shape about the origin, and half the sides of a box around it."""
    match name:
        case "mug":
            return _mug, (0.074, 0.040, 0.047)
        case "bottle":
            return _bottle, (0.032, 0.032, 0.097)
        case "box":
            return lambda p: _rounded_box(p, (0.030, 0.020, 0.045), 0.004), (0.031, 0.021, 0.046)
        case "bowl":
            return _bowl, (0.062, 0.062, 0.062)
        case "can":
            return lambda p: _rounded_cylinder(p, 0.033, 0.058, 0.004), (0.034, 0.034, 0.060)
        case "ring":
            return lambda p: _torus(p, 0.040, 0.013), (0.055, 0.055, 0.015)
        case _:
            assert_never(name)


def _rounded_cylinder(p: Points, radius: float, half_height: float, rounding: float) -> Distances:
    """Cylinder about z."""
    side = np.hypot(p[..., 0], p[..., 1]) - radius + rounding
    cap = np.abs(p[..., 2]) - half_height + rounding
    return np.minimum(np.maximum(side, cap), 0) + np.hypot(np.maximum(side, 0), np.maximum(cap, 0)) - rounding


def _rounded_box(p: Points, half: tuple[float, float, float], rounding: float) -> Distances:
    """Box about the origin."""
    q = np.abs(p) - np.asarray(half) + rounding
    return np.linalg.norm(np.maximum(q, 0), axis=-1) + np.minimum(q.max(-1), 0) - rounding


def _torus(p: Points, radius: float, tube: float) -> Distances:
    """Torus about z."""
    return np.hypot(np.hypot(p[..., 0], p[..., 1]) - radius, p[..., 2]) - tube


def _smooth_union(a: Distances, b: Distances, width: float) -> Distances:
    """Union with a fillet of about `width` (polynomial minimum, Quilez)."""
    blend = np.clip(0.5 + 0.5 * (b - a) / width, 0, 1)
    return b + (a - b) * blend - width * blend * (1 - blend)


def _mug(p: Points) -> Distances:
    """Beaker of 75 x 90 mm with a 4 mm wall, a cavity and a handle on +x."""
    body = _rounded_cylinder(p, 0.0375, 0.045, 0.004)
    handle_points = np.stack([(p[..., 0] - 0.041), p[..., 2] * 0.82, p[..., 1]], axis=-1)
    handle = _torus(handle_points, 0.0245, 0.0055)
    cavity = _rounded_cylinder(p - np.array([0.0, 0.0, 0.009]), 0.0335, 0.045, 0.006)
    return np.maximum(_smooth_union(body, handle, 0.005), -cavity)


def _bowl(p: Points) -> Distances:
    """Half of a 120 mm sphere, 5 mm thick, on a foot."""
    shell = np.abs(np.linalg.norm(p - np.array([0.0, 0.0, 0.030]), axis=-1) - 0.0575) - 0.0025
    half_shell = np.maximum(shell, p[..., 2] - 0.030)
    foot = _rounded_cylinder(p - np.array([0.0, 0.0, -0.029]), 0.027, 0.004, 0.002)
    return _smooth_union(half_shell, foot, 0.003)


def _bottle(p: Points) -> Distances:
    """Closed bottle of 60 x 190 mm: body, shoulder, neck, cap."""
    heights = np.array([-0.095, -0.092, 0.020, 0.038, 0.052, 0.062, 0.069, 0.0705, 0.095])
    radii = np.array([0.0285, 0.030, 0.030, 0.0265, 0.0185, 0.0140, 0.0130, 0.0160, 0.0160])
    radius = np.interp(p[..., 2], heights, radii)
    side = (np.hypot(p[..., 0], p[..., 1]) - radius) * 0.8
    return np.maximum(side, np.abs(p[..., 2]) - 0.095)
