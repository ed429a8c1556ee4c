"""Knives: a ground blade of one of six forms on a shaped handle."""

from dataclasses import dataclass
from typing import ClassVar, Literal, assert_never

import numpy as np

from hoifield.shapes.object_family import Corner, Grip, ObjectFamily
from hoifield.shapes.shape_distances import (
    Distances,
    Path2,
    Points,
    extruded,
    outline_distance,
    path_distance,
    rounded_box,
    rounded_path,
    smooth_union,
)

BladeForm = Literal["chef", "santoku", "paring", "bread", "cleaver", "table"]
EDGE = 0.0005
"""Half thickness of the cutting edge, metres."""


@dataclass(frozen=True, kw_only=True)
class Knife(ObjectFamily):
    """Knife along z with its handle below z = 0, its blade above, its edge towards -x; the defaults are the standard knife."""

    grid_scale: ClassVar[Corner] = (1.0, 0.4, 1.0)

    form: BladeForm = "chef"
    blade_length: float = 0.130
    """75 to 138 mm."""
    blade_width: float = 0.036
    """18 to 62 mm by form."""
    blade_thickness: float = 0.0026
    """At the spine, 2 to 3.2 mm."""
    ground: float = 0.6
    """Share of the width over which the blade grows from edge to full thickness, 0.35 to 0.9."""
    handle_length: float = 0.110
    """95 to 118 mm."""
    handle_height: float = 0.025
    """Along x, 20 to 28 mm."""
    handle_thickness: float = 0.018
    """Along y, 14 to 21 mm."""
    butt: float = 0.004
    """How far the end of the handle widens, 0 to 6 mm."""
    bolster: float = 0.010
    """Length of the collar between handle and blade, 5 to 16 mm."""

    @staticmethod
    def draw(form: BladeForm, generator: np.random.Generator) -> "Knife":
        """A knife of a form with proportions of its own."""
        return Knife(
            form=form,
            blade_length=generator.uniform(0.075, 0.100) if form == "paring" else generator.uniform(0.105, 0.138),
            blade_width=_draw_width(form, generator),
            blade_thickness=generator.uniform(0.0020, 0.0032),
            ground=generator.uniform(0.35, 0.9),
            handle_length=generator.uniform(0.095, 0.108),
            handle_height=generator.uniform(0.020, 0.028),
            handle_thickness=generator.uniform(0.014, 0.021),
            butt=generator.uniform(0.0, 0.006),
            bolster=generator.uniform(0.005, 0.016),
        )

    def edge_path(self) -> Path2:
        """The cutting edge (x, z), from heel to tip."""
        W, L, spine = self.blade_width, self.blade_length, 0.42 * self.handle_height
        low = spine - W
        match self.form:
            case "chef":
                tip = [(low, 0.45 * L), (low + 0.10 * W, 0.82 * L), (spine - 0.34 * W, L)]
            case "santoku":
                tip = [(low, 0.60 * L), (low, 0.90 * L), (low + 0.12 * W, L)]
            case "paring":
                tip = [(low, 0.50 * L), (low + 0.12 * W, 0.80 * L), (spine - 0.40 * W, L)]
            case "bread":
                tip = [(low, 0.85 * L), (low, 0.98 * L), (spine - 0.30 * W, L)]
            case "cleaver":
                tip = [(low - 0.003, 0.50 * L), (low, 0.97 * L), (low + 0.08 * W, L)]
            case "table":
                tip = [(low - 0.002, 0.70 * L), (low - 0.001, L), (spine - 0.35 * W, L)]
            case _:
                assert_never(self.form)
        return rounded_path(np.array([(low, 0.006), *tip]))

    def blade_outline(self) -> Path2:
        """Corners (x, z) of the blade's side view."""
        W, L, spine = self.blade_width, self.blade_length, 0.42 * self.handle_height
        match self.form:
            case "chef" | "paring" | "bread":
                back = [(spine - 0.06 * W, 0.88 * L), (spine, 0.70 * L), (spine, 0.3 * L)]
            case "santoku":
                back = [(spine - 0.30 * W, 0.985 * L), (spine, 0.92 * L), (spine, 0.70 * L), (spine, 0.3 * L)]
            case "cleaver":
                back = [(spine - 0.02 * W, L), (spine, 0.97 * L), (spine, 0.3 * L)]
            case "table":
                back = [(spine - 0.08 * W, L), (spine, 0.9 * L), (spine, 0.3 * L)]
            case _:
                assert_never(self.form)
        edge = self.edge_path()
        spine_path = rounded_path(np.array([edge[-1], *back, (spine, -0.012)]), rounds=2)
        heel = (spine - min(W, 0.9 * self.handle_height), 0.0)
        return np.concatenate([edge, spine_path[1:], [(heel[0], -0.012), heel]])

    def handle_outline(self) -> Path2:
        """Corners (x, z) of the handle's side view."""
        h, L = self.handle_height / 2, self.handle_length
        belly, low = [(-0.85 * h, 0.0), (-h, -0.15 * L), (-0.86 * h, -0.35 * L), (-1.08 * h, -0.65 * L)], -h - self.butt
        back = [(0.8 * h, -L), (0.95 * h, -0.9 * L), (h, -0.5 * L), (0.9 * h, 0.0)]
        return rounded_path(np.array([*belly, (-0.9 * h, -0.82 * L), (low, -0.97 * L), (low + 0.002, -L), *back]), rounds=2, closed=True)

    @property
    def box(self) -> tuple[Corner, Corner]:
        """Blade and handle."""
        low = min(0.42 * self.handle_height - self.blade_width - 0.004, -0.6 * self.handle_height - self.butt)
        half = self.handle_thickness / 2 + 0.001
        return (low, -half, -self.handle_length), (0.6 * self.handle_height, half, self.blade_length)

    def distance(self, p: Points) -> Distances:
        """A bound: exact at the handle's flats and across the blade to within the grind's slope."""
        x, y, z = p[..., 0], np.abs(p[..., 1]), p[..., 2]
        grow = (self.blade_thickness / 2 - EDGE) / (self.ground * self.blade_width)
        half = np.minimum(EDGE + grow * path_distance(x, z, self.edge_path()), self.blade_thickness / 2)
        blade = np.maximum(outline_distance(x, z, self.blade_outline()), y - half)
        thickness = self.handle_thickness / 2
        handle = extruded(outline_distance(x, z, self.handle_outline()), y, thickness, 0.42 * min(self.handle_thickness, self.handle_height))
        collar = rounded_box(p, (0.42 * self.handle_height, 0.66 * thickness, self.bolster), 0.3 * thickness)
        return np.minimum(smooth_union(handle, collar, 0.003), blade)

    def grips(self) -> tuple[Grip, ...]:
        """The middle of the handle, the palm over the spine and one flank."""
        outward = np.array([0.8, 0.6, 0.0])
        return tuple(
            Grip(np.array([0.0, 0.0, -0.52 * self.handle_length]), np.array([0.0, 0.0, 1.0]), outward * [1.0, side, 1.0]) for side in (1, -1)
        )


def _draw_width(form: BladeForm, generator: np.random.Generator) -> float:
    """Blade width that suits the form, metres."""
    match form:
        case "chef":
            return generator.uniform(0.030, 0.042)
        case "santoku":
            return generator.uniform(0.034, 0.044)
        case "paring":
            return generator.uniform(0.018, 0.024)
        case "bread":
            return generator.uniform(0.022, 0.029)
        case "cleaver":
            return generator.uniform(0.048, 0.062)
        case "table":
            return generator.uniform(0.018, 0.022)
        case _:
            assert_never(form)
