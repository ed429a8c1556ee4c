"""Objects of hand-holdable size as closed meshes: instances of parametric families, or any mesh file brought to size."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from jaxtyping import Float

from hoifield.errors import UsageError
from hoifield.geometry.isosurface import extract_isosurface
from hoifield.geometry.mesh import Mesh
from hoifield.result.mesh_files import read_mesh
from hoifield.shapes.draw_family import SHAPE_NAMES, draw_family, sample_distances
from hoifield.shapes.object_family import Grip, ObjectFamily
from hoifield.synthetic.standard_shapes import StandardName, draw_standard_shape

STANDARD_NAMES: tuple[StandardName, ...] = get_args(StandardName)
GRID_SPACING = 0.0015
SMALLEST_EXTENT, LARGEST_EXTENT, GIVEN_EXTENT = 0.04, 0.25, 0.12
"""A mesh file whose longest side lies outside the first two is scaled to the third, metres."""


@dataclass(frozen=True)
class HeldObject:
    """A closed mesh with the middle of its box at the origin, and what is known about it."""

    mesh: Mesh
    grips: tuple[Grip, ...] = ()
    """Places to take it by; empty where a hand may take it anywhere."""
    parameters: dict[str, Any] | None = None
    """The family's parameters, metres; none for standard shapes and mesh files."""


def make_object(shape: str | Path, grid_spacing: float = GRID_SPACING, instance: int = 0) -> Mesh:
    """The mesh of `make_held_object`."""
    return make_held_object(shape, instance, grid_spacing).mesh


def make_held_object(shape: str | Path, instance: int = 0, grid_spacing: float = GRID_SPACING) -> HeldObject:
    """An instance of a named family (0 is its standard shape), or of a mesh file; the box's centre is the origin.

    z is the axis of vessels, points up from kettles and cars and along tools and knives. Raises UsageError (HF-SYN-001) for a name that
    is neither a shape nor a file, and for another instance than 0 of a file.
    """
    for name in STANDARD_NAMES:
        if shape == name and instance == 0:
            return HeldObject(_centred(draw_standard_shape(name, grid_spacing)))
    for name in SHAPE_NAMES:
        if shape == name:
            return _build(draw_family(name, instance), grid_spacing)
    path = Path(shape)
    if not path.suffix:
        raise UsageError(
            "HF-SYN-001", f"{shape!r} is neither a mesh file nor one of {len(SHAPE_NAMES)} shapes", f"use one of {', '.join(SHAPE_NAMES)}"
        )
    if instance != 0:
        raise UsageError("HF-SYN-001", f"{path.name!r} is one mesh and has no instance {instance}", "use instance 0, or a named shape")
    mesh = _centred(read_mesh(path))
    longest = float(mesh.extent.max())
    if SMALLEST_EXTENT <= longest <= LARGEST_EXTENT:
        return HeldObject(mesh)
    return HeldObject(Mesh(mesh.vertices * (GIVEN_EXTENT / longest), mesh.faces, mesh.colours))


def _build(family: ObjectFamily, grid_spacing: float) -> HeldObject:
    """Marching cubes of the family's signed distance, with its grips moved along."""
    mesh = extract_isosurface(*sample_distances(family, grid_spacing))
    middle = _middle(mesh)
    grips = tuple(replace(grip, point=grip.point - middle) for grip in family.grips())
    return HeldObject(_centred(mesh), grips, {"family": type(family).__name__, **asdict(family)})


def _middle(mesh: Mesh) -> Float[np.ndarray, "3"]:
    """Middle of the mesh's box."""
    return (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2


def _centred(mesh: Mesh) -> Mesh:
    """The mesh with the middle of its box at the origin."""
    return Mesh(mesh.vertices - _middle(mesh), mesh.faces, mesh.colours)
