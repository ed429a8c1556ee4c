"""Objects of hand-holdable size as closed meshes: instances of parametric families, or any mesh file brought to size."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, assert_never, get_args

import numpy as np
from jaxtyping import Float

from hoifield.errors import UsageError
from hoifield.geometry.isosurface import extract_isosurface
from hoifield.geometry.mesh import Mesh
from hoifield.result.mesh_files import read_mesh
from hoifield.synthetic.families.bottle import Bottle
from hoifield.synthetic.families.hand_tool import Hammer, ToolKind, draw_hand_tool
from hoifield.synthetic.families.kettle import Kettle, KettleHandle
from hoifield.synthetic.families.knife import BladeForm, Knife
from hoifield.synthetic.families.object_family import Grip, ObjectFamily
from hoifield.synthetic.families.plain_solids import Box, Can, Ring
from hoifield.synthetic.families.toy_car import CarForm, ToyCar
from hoifield.synthetic.families.vessels import Bowl, HandleForm, Mug
from hoifield.synthetic.standard_shapes import StandardName, draw_standard_shape

ShapeName = Literal["mug", "bottle", "box", "bowl", "can", "ring", "kettle", "knife", "toy-car", "tool"]
SHAPE_NAMES: tuple[ShapeName, ...] = get_args(ShapeName)
"""New names are added at the end: the place of a name seeds its instances."""
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


def draw_family(name: ShapeName, instance: int) -> ObjectFamily:
    """The parameters of an instance: the same pair gives the same object. Forms take turns, so that neighbouring instances differ in kind.

    Instance 0 of a family that has a standard shape is a draw like any other; `make_held_object` gives the standard shape instead.
    """
    generator = np.random.default_rng([SHAPE_NAMES.index(name), instance])
    match name:
        case "mug":
            return Mug.draw(_in_turn(HandleForm, instance), generator)
        case "bottle":
            return Bottle.draw(generator)
        case "box":
            return Box.draw(generator)
        case "bowl":
            return Bowl.draw(generator)
        case "can":
            return Can.draw(generator)
        case "ring":
            return Ring.draw(generator)
        case "kettle":
            return Kettle.draw(_in_turn(KettleHandle, instance), generator) if instance else Kettle()
        case "knife":
            return Knife.draw(_in_turn(BladeForm, instance), generator) if instance else Knife()
        case "toy-car":
            return ToyCar.draw(_in_turn(CarForm, instance), generator) if instance else ToyCar()
        case "tool":
            return draw_hand_tool(_in_turn(ToolKind, instance), generator) if instance else Hammer()
        case _:
            assert_never(name)


def _in_turn(forms: Any, instance: int) -> Any:
    """One of the choices of a Literal."""
    choices = get_args(forms)
    return choices[instance % len(choices)]


def sample_distances(
    family: ObjectFamily, grid_spacing: float
) -> tuple[Float[np.ndarray, "x y z"], Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Signed distances on a grid about the object, the grid's lower corner and its spacings; a plane of the grid goes through the origin."""
    spacing = grid_spacing * np.asarray(family.grid_scale)
    first, last = np.floor(np.asarray(family.box[0]) / spacing) - 3, np.ceil(np.asarray(family.box[1]) / spacing) + 3
    axes = [step * np.arange(low, high + 1) for step, low, high in zip(spacing, first, last, strict=True)]
    return family.distance(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)), spacing * first, spacing


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
