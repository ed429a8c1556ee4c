"""The six shapes of instance 0 that the first clips were made with; their vertices must never change, or old clips change."""

from collections.abc import Callable
from typing import Literal, assert_never

import numpy as np

from hoifield.geometry.isosurface import extract_isosurface
from hoifield.geometry.mesh import Mesh
from hoifield.shapes.shape_distances import Distances, Points, rounded_box, rounded_cylinder, smooth_union, torus

StandardName = Literal["mug", "bottle", "box", "bowl", "can", "ring"]


def draw_standard_shape(name: StandardName, spacing: float) -> Mesh:
    """Marching cubes of the shape's signed distance inside its half box, metres."""
    distance, half = _shape_distance(name)
    reach = np.asarray(half) + 3 * spacing
    axes = [np.arange(-side, side + spacing, spacing) for side in reach]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    return extract_isosurface(distance(grid), -reach, spacing)


def _shape_distance(name: StandardName) -> tuple[Callable[[Points], Distances], tuple[float, float, float]]:
    """Signed distance of a shape about the origin, and half the sides of a box around it."""
    match name:
        case "mug":
            return _mug, (0.074, 0.040, 0.047)
        case "bottle":
            return _bottle, (0.032, 0.032, 0.097)
        case "box":
            return lambda p: rounded_box(p, (0.030, 0.020, 0.045), 0.004), (0.031, 0.021, 0.046)
        case "bowl":
            return _bowl, (0.062, 0.062, 0.062)
        case "can":
            return lambda p: rounded_cylinder(p, 0.033, 0.058, 0.004), (0.034, 0.034, 0.060)
        case "ring":
            return lambda p: torus(p, 0.040, 0.013), (0.055, 0.055, 0.015)
        case _:
            assert_never(name)


def _mug(p: Points) -> Distances:
    """Beaker of 75 x 90 mm with a 4 mm wall, a cavity and a handle on +x."""
    body = rounded_cylinder(p, 0.0375, 0.045, 0.004)
    handle_points = np.stack([(p[..., 0] - 0.041), p[..., 2] * 0.82, p[..., 1]], axis=-1)
    handle = torus(handle_points, 0.0245, 0.0055)
    cavity = rounded_cylinder(p - np.array([0.0, 0.0, 0.009]), 0.0335, 0.045, 0.006)
    return np.maximum(smooth_union(body, handle, 0.005), -cavity)


def _bowl(p: Points) -> Distances:
    """Half of a 120 mm sphere, 5 mm thick, on a foot."""
    shell = np.abs(np.linalg.norm(p - np.array([0.0, 0.0, 0.030]), axis=-1) - 0.0575) - 0.0025
    half_shell = np.maximum(shell, p[..., 2] - 0.030)
    foot = rounded_cylinder(p - np.array([0.0, 0.0, -0.029]), 0.027, 0.004, 0.002)
    return smooth_union(half_shell, foot, 0.003)


def _bottle(p: Points) -> Distances:
    """Closed bottle of 60 x 190 mm: body, shoulder, neck, cap."""
    heights = np.array([-0.095, -0.092, 0.020, 0.038, 0.052, 0.062, 0.069, 0.0705, 0.095])
    radii = np.array([0.0285, 0.030, 0.030, 0.0265, 0.0185, 0.0140, 0.0130, 0.0160, 0.0160])
    radius = np.interp(p[..., 2], heights, radii)
    side = (np.hypot(p[..., 0], p[..., 1]) - radius) * 0.8
    return np.maximum(side, np.abs(p[..., 2]) - 0.095)
