"""Mugs and bowls: an even wall along a curve that turns about z."""

from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np

from hoifield.shapes.object_family import Corner, Grip, ObjectFamily
from hoifield.shapes.shape_distances import (
    Distances,
    Path2,
    Points,
    carved,
    extruded,
    outline_distance,
    path_distance,
    revolved,
    rounded_path,
    smooth_union,
)

HandleForm = Literal["ear", "square", "ring"]
FILLET = 0.004


def draw_handle_path(form: HandleForm, top: tuple[float, float], bottom: tuple[float, float], reach: float) -> Path2:
    """Centre line (x, z) of a handle between two points of a wall, `reach` metres off the outer of them, from top to bottom."""
    (top_x, top_z), (bottom_x, bottom_z) = top, bottom
    outer, span = max(top_x, bottom_x) + reach, top_z - bottom_z
    match form:
        case "ear":
            corners = [top, (outer - 0.006, top_z + 0.10 * span), (outer + 0.004, top_z - 0.10 * span), (outer, bottom_z + 0.40 * span)]
            return rounded_path(np.array([*corners, (outer - 0.35 * reach, bottom_z + 0.08 * span), bottom]))
        case "square":
            corners = [top, (outer - 0.012, top_z), (outer, top_z), (outer, top_z - 0.012)]
            corners += [(outer, bottom_z + 0.012), (outer, bottom_z), (outer - 0.012, bottom_z), bottom]
            return rounded_path(np.array(corners))
        case "ring":
            angle = np.linspace(0, np.pi, 25)
            wall = np.linspace(top_x, bottom_x, 25)
            return np.stack([wall + (outer - wall) * np.sin(angle), (top_z + bottom_z) / 2 + span / 2 * np.cos(angle)], axis=1)
        case _:
            assert_never(form)


def bar_distance(p: Points, path: Path2, thickness: float, width: float) -> Distances:
    """A bar of rounded section along a path in the plane (x, z)."""
    return extruded(path_distance(p[..., 0], p[..., 2], path) - thickness / 2, p[..., 1], width / 2, 0.45 * min(thickness, width))


def _shell(p: Points, path: Path2, wall: float) -> Distances:
    """The wall: all points within half its thickness of the turned path; exact."""
    return path_distance(np.hypot(p[..., 0], p[..., 1]), p[..., 2], path) - wall / 2


def _hollow(p: Points, path: Path2, wall: float) -> Distances:
    """The inside of the wall, open upward."""
    above = path[-1, 1] + 0.03
    return revolved(np.hypot(p[..., 0], p[..., 1]), p[..., 2], np.array([*path, (path[-1, 0], above), (0.0, above)])) + wall / 2


@dataclass(frozen=True, kw_only=True)
class Mug(ObjectFamily):
    """Beaker about z with a handle on +x."""

    height: float
    """72 to 112 mm."""
    rim_radius: float
    """Outer radius at the top, 34 to 44 mm."""
    foot_radius: float
    """Outer radius at the bottom, 0.72 to 1.02 of the rim's."""
    belly: float
    """How far the middle bulges (or, below 0, draws in), -4 to 6 mm."""
    foot_rounding: float
    """Length of the curve from floor to wall, 4 to 18 mm."""
    wall: float
    """3.8 to 5.2 mm."""
    handle: HandleForm
    handle_reach: float
    """Wall to the handle's centre line, 25 to 34 mm."""
    handle_top: float
    """Height of its upper end above the middle, metres."""
    handle_bottom: float
    handle_thickness: float
    """Radially, 7.5 to 10 mm."""
    handle_width: float
    """Across, 9 to 18 mm."""

    @staticmethod
    def draw(handle: HandleForm, generator: np.random.Generator) -> "Mug":
        """A mug with proportions of its own."""
        height, rim = generator.uniform(0.072, 0.112), generator.uniform(0.034, 0.044)
        return Mug(
            height=height,
            rim_radius=rim,
            foot_radius=rim * generator.uniform(0.72, 1.02),
            belly=generator.uniform(-0.004, 0.006),
            foot_rounding=generator.uniform(0.004, 0.018),
            wall=generator.uniform(0.0038, 0.0052),
            handle=handle,
            handle_reach=generator.uniform(0.025, 0.034),
            handle_top=height * generator.uniform(0.26, 0.36),
            handle_bottom=-height * generator.uniform(0.20, 0.32),
            handle_thickness=generator.uniform(0.0075, 0.010),
            handle_width=generator.uniform(0.009, 0.018),
        )

    def wall_path(self) -> Path2:
        """Middle of the wall as (radius, z), from the floor's centre to the rim."""
        low, high = (self.wall - self.height) / 2, (self.height - self.wall) / 2
        rim, foot, c = self.rim_radius - self.wall / 2, self.foot_radius - self.wall / 2, self.foot_rounding
        middle = (rim + foot) / 2 + 1.3 * self.belly
        corners = [(0.0, low), (foot - c, low), (foot, low), (0.85 * foot + 0.15 * middle, low + c), (middle, 0.0), (rim, 0.6 * high)]
        return rounded_path(np.array([*corners, (rim, high)]))

    def handle_path(self) -> Path2:
        """Centre line (x, z) of the handle, from the upper end."""
        wall = self.wall_path()
        side = wall[wall[:, 1] > wall[0, 1] + 1e-6]
        top_x, bottom_x = np.interp([self.handle_top, self.handle_bottom], side[:, 1], side[:, 0])
        return draw_handle_path(self.handle, (top_x, self.handle_top), (bottom_x, self.handle_bottom), self.handle_reach)

    @property
    def box(self) -> tuple[Corner, Corner]:
        """Body and handle."""
        body = float(self.wall_path()[:, 0].max()) + self.wall / 2
        reach = float(self.handle_path()[:, 0].max()) + self.handle_thickness / 2
        return (-body, -body, -self.height / 2), (reach, body, self.height / 2)

    def distance(self, p: Points) -> Distances:
        """Exact at wall and rim; a bound at the roots of the handle."""
        wall = self.wall_path()
        handle = bar_distance(p, self.handle_path(), self.handle_thickness, self.handle_width)
        return carved(smooth_union(_shell(p, wall, self.wall), handle, FILLET), _hollow(p, wall, self.wall))

    def grips(self) -> tuple[Grip, ...]:
        """The handle, the thumb above; and the body from the side opposite to it."""
        path, up = self.handle_path(), np.array([0.0, 0.0, 1.0])
        x, z = path[path[:, 0].argmax()]
        handle = Grip(np.array([x, 0.0, (self.handle_top + self.handle_bottom) / 2 if self.handle == "square" else z]), up, np.array([1.0, 0.0, 0.0]))
        sides = [np.array([np.cos(angle), np.sin(angle), 0.0]) for angle in np.radians([145, 180, 215])]
        return (handle, *(Grip(np.zeros(3), up, outward, "body") for outward in sides))


@dataclass(frozen=True, kw_only=True)
class Bowl(ObjectFamily):
    """Open bowl about z on a ring-shaped foot."""

    rim_radius: float
    """46 to 72 mm."""
    depth: float
    """From the rim to the bottom of the wall, 32 to 62 mm."""
    fullness: float
    """Exponent of the section: 1.5 is a steep cone, 2 a circle, 3 a basin."""
    flare: float
    """How far the lip turns outward, 0 to 6 mm."""
    wall: float
    """4 to 6 mm."""
    foot_radius: float
    """0.35 to 0.5 of the rim's."""
    foot_height: float
    """3 to 8 mm."""

    @staticmethod
    def draw(generator: np.random.Generator) -> "Bowl":
        """A bowl with a section of its own."""
        rim = generator.uniform(0.046, 0.072)
        return Bowl(
            rim_radius=rim,
            depth=float(np.clip(rim * generator.uniform(0.62, 1.0), 0.032, 0.062)),
            fullness=generator.uniform(1.5, 3.0),
            flare=generator.choice([0.0, 1.0]) * generator.uniform(0.002, 0.006),
            wall=generator.uniform(0.004, 0.006),
            foot_radius=rim * generator.uniform(0.35, 0.50),
            foot_height=generator.uniform(0.003, 0.008),
        )

    def wall_path(self) -> Path2:
        """Middle of the wall as (radius, z), from the bottom's centre to the rim."""
        angle = np.linspace(0, np.pi / 2, 33)
        share = 1 - np.cos(angle) ** (2 / self.fullness)
        radius = (self.rim_radius - self.flare - self.wall / 2) * np.sin(angle) ** (2 / self.fullness) + self.flare * share**6
        return np.stack([radius, (self.depth - self.wall) * (share - 1) + self.depth / 2 - self.wall / 2], axis=1)

    @property
    def box(self) -> tuple[Corner, Corner]:
        """Wall and foot."""
        R = self.rim_radius
        return (-R, -R, -self.depth / 2 - self.foot_height), (R, R, self.depth / 2)

    def distance(self, p: Points) -> Distances:
        """Exact at the wall; a bound where the foot joins it."""
        wall = self.wall_path()
        join = float(np.interp(self.foot_radius, wall[:, 0], wall[:, 1]))
        low, half = -self.depth / 2 - self.foot_height, 0.0022
        section = np.array([(-half, low + 0.001), (half, low + 0.001), (half, join), (-half, join)]) + [self.foot_radius, 0.0]
        foot = outline_distance(np.hypot(p[..., 0], p[..., 1]), p[..., 2], section) - 0.001
        return carved(smooth_union(_shell(p, wall, self.wall), foot, 0.003), _hollow(p, wall, self.wall))

    def grips(self) -> tuple[Grip, ...]:
        """The rim, the thumb inside and the fingers below; and the bottom, from below and from the side."""
        wall, along, up = self.wall_path(), np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
        point = np.array([wall[-1, 0], 0.0, wall[-1, 1]])
        rims = tuple(Grip(point, along, np.array([np.cos(a), 0.0, np.sin(a)]), "edge") for a in np.radians([15, 40]))
        return (*rims, Grip(np.zeros(3), along, -up, "body"), Grip(np.zeros(3), along, np.array([0.8, 0.0, -0.6]), "body"))
