"""Objects by the name of their family: instances drawn from numbers, and their distances on a grid."""

from typing import Any, Literal, assert_never, get_args

import numpy as np
from jaxtyping import Float

from hoifield.shapes.bottle import Bottle
from hoifield.shapes.hand_tool import Hammer, ToolKind, draw_hand_tool
from hoifield.shapes.kettle import Kettle, KettleHandle
from hoifield.shapes.knife import BladeForm, Knife
from hoifield.shapes.object_family import ObjectFamily
from hoifield.shapes.plain_solids import Box, Can, Ring
from hoifield.shapes.toy_car import CarForm, ToyCar
from hoifield.shapes.vessels import Bowl, HandleForm, Mug

ShapeName = Literal["mug", "bottle", "box", "bowl", "can", "ring", "kettle", "knife", "toy-car", "tool"]
SHAPE_NAMES: tuple[ShapeName, ...] = get_args(ShapeName)
"""New names are added at the end: the place of a name seeds its instances."""
OTHER_WORDS: dict[str, ShapeName] = {
    "cup": "mug", "glass": "can", "tin": "can", "tape": "ring", "teapot": "kettle", "jug": "kettle", "car": "toy-car", "hammer": "tool",
}  # fmt: skip
"""Words of users for some of them."""


def find_shape_name(word: str) -> ShapeName | None:
    """The family that a user's word stands for; None where there is none."""
    said = "-".join(word.lower().replace("_", " ").split())
    return OTHER_WORDS.get(said) or next((name for name in SHAPE_NAMES if name == said), None)


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
