"""Hammers, screwdrivers and spanners."""

from dataclasses import dataclass
from typing import ClassVar, Literal, assert_never

import numpy as np

from hoifield.shapes.object_family import Corner, Grip, ObjectFamily
from hoifield.shapes.shape_distances import (
    Distances,
    Points,
    carved,
    extruded,
    outline_distance,
    path_distance,
    revolved,
    rounded_box,
    rounded_cylinder,
    rounded_path,
    smooth_union,
)

Peen = Literal["claw", "wedge", "mallet"]
UP = np.array([0.0, 0.0, 1.0])
JAW_TURN = np.deg2rad(15)


@dataclass(frozen=True, kw_only=True)
class Hammer(ObjectFamily):
    """Hammer along z, its head about z = 0, its face on +x; the defaults are the standard tool."""

    peen: Peen = "claw"
    """What the head has opposite its face."""
    handle_length: float = 0.200
    """Below the head's middle, 165 to 215 mm."""
    handle_radius: float = 0.0105
    """Across, at the grip, 9.5 to 12.5 mm."""
    head_length: float = 0.095
    """80 to 110 mm."""
    face_radius: float = 0.0125
    """11 to 15 mm; of a mallet 19 to 25 mm."""

    @staticmethod
    def draw(peen: Peen, generator: np.random.Generator) -> "Hammer":
        """A hammer with a head and a handle of its own."""
        return Hammer(
            peen=peen,
            handle_length=generator.uniform(0.165, 0.215),
            handle_radius=generator.uniform(0.0095, 0.0125),
            head_length=generator.uniform(0.080, 0.110),
            face_radius=generator.uniform(0.019, 0.025) if peen == "mallet" else generator.uniform(0.011, 0.015),
        )

    @property
    def box(self) -> tuple[Corner, Corner]:
        """Head and handle."""
        half, side = self.head_length / 2 + 0.002, max(1.35 * self.handle_radius, self.face_radius)
        return (-half, -side, -self.handle_length), (half, side, max(self.face_radius, 0.014) + 0.002)

    def distance(self, p: Points) -> Distances:
        """A bound; exact at the face."""
        R, L = self.handle_radius, self.handle_length
        corners = [(0.0, -L), (0.9 * R, -L), (1.15 * R, -0.95 * L), (0.98 * R, -0.80 * L), (1.08 * R, -0.55 * L), (0.75 * R, -0.35 * L)]
        section = np.hypot(p[..., 0] / 1.22, p[..., 1])
        handle = revolved(section, p[..., 2], np.array([*rounded_path(np.array([*corners, (0.75 * R, 0.0)])), (0.75 * R, 0.012), (0.0, 0.012)]))
        return smooth_union(handle, self._head(p), 0.003)

    def _head(self, p: Points) -> Distances:
        """The head: block, neck, face, and the peen."""
        turned, half, R = p[..., [1, 2, 0]], self.head_length / 2, self.face_radius
        if self.peen == "mallet":
            return rounded_cylinder(turned, R, half, 0.003)
        face = rounded_cylinder(turned - [0, 0, half - 0.010], R, 0.010, 0.002)
        neck = rounded_cylinder(turned - [0, 0, half / 2], 0.72 * R, half / 2, 0.002)
        block = rounded_box(p, (0.015, 0.0115, 0.0125), 0.003)
        head = smooth_union(smooth_union(face, neck, 0.004), block, 0.004)
        if self.peen == "wedge":
            wedge = np.array([(-0.008, -0.011), (-0.008, 0.011), (-half, 0.0015), (-half, -0.0015)])
            return smooth_union(head, extruded(outline_distance(p[..., 0], p[..., 2], wedge) - 0.001, p[..., 1], R, 0.002), 0.003)
        path = rounded_path(np.array([(-0.006, 0.002), (-0.45 * half, 0.004), (-0.80 * half, -0.002), (-half, -0.018)]))
        taper = np.interp(-p[..., 0], [0.0, half], [0.0085, 0.0024])
        claw = extruded(path_distance(p[..., 0], p[..., 2], path) - taper, p[..., 1], 0.0115, 0.002)
        notch = np.abs(p[..., 1]) - 0.0035 * np.clip((-p[..., 0] - 0.42 * half) / (0.5 * half), -1, 1)
        return smooth_union(head, carved(claw, notch), 0.003)

    def grips(self) -> tuple[Grip, ...]:
        """The lower half of the handle."""
        point = np.array([0.0, 0.0, -0.72 * self.handle_length])
        return tuple(Grip(point, UP, np.array(outward)) for outward in ((-1.0, 0.0, 0.0), (-0.7, 0.7, 0.0), (-0.7, -0.7, 0.0)))


@dataclass(frozen=True, kw_only=True)
class Screwdriver(ObjectFamily):
    """Screwdriver along z, its handle below z = 0, its shaft above."""

    handle_length: float
    """88 to 118 mm."""
    handle_radius: float
    """11 to 16.5 mm."""
    flutes: int
    """Grooves along the handle, 0 or 5 to 8."""
    flute_depth: float
    """0.8 to 1.5 mm."""
    shaft_length: float
    """70 to 125 mm."""
    shaft_radius: float
    """2.4 to 4.5 mm."""

    @staticmethod
    def draw(generator: np.random.Generator) -> "Screwdriver":
        """A screwdriver with a handle and a shaft of its own."""
        return Screwdriver(
            handle_length=generator.uniform(0.088, 0.118),
            handle_radius=generator.uniform(0.011, 0.0165),
            flutes=int(generator.choice([0, 5, 6, 8])),
            flute_depth=generator.uniform(0.0008, 0.0015),
            shaft_length=generator.uniform(0.070, 0.125),
            shaft_radius=generator.uniform(0.0024, 0.0045),
        )

    @property
    def box(self) -> tuple[Corner, Corner]:
        """Handle and shaft."""
        R = 1.12 * self.handle_radius
        return (-R, -R, -self.handle_length), (R, R, self.shaft_length)

    def distance(self, p: Points) -> Distances:
        """A bound: flutes steepen the handle's side; exact along the shaft."""
        R, L = self.handle_radius, self.handle_length
        radius = np.hypot(p[..., 0], p[..., 1])
        corners = [(0.0, -L), (0.75 * R, -L), (1.05 * R, -0.93 * L), (1.05 * R, -0.62 * L), (0.98 * R, -0.42 * L), (0.70 * R, -0.20 * L)]
        outline = np.array([*rounded_path(np.array([*corners, (0.95 * R, -0.08 * L), (0.85 * R, 0.0)])), (0.0, 0.0)])
        along = np.clip(np.minimum(p[..., 2] + 0.95 * L, -0.25 * L - p[..., 2]) / (0.12 * L), 0, 1)
        wave = 0.5 - 0.5 * np.cos(self.flutes * np.arctan2(p[..., 1], p[..., 0]))
        groove = self.flute_depth * wave * along * np.clip(radius / (0.7 * R), 0, 1)
        handle = (revolved(radius, p[..., 2], outline) + groove) * (0.85 if self.flutes else 1.0)
        half = self.shaft_length / 2 + 0.005
        shaft = rounded_cylinder(p - np.array([0, 0, self.shaft_length - half]), self.shaft_radius, half, 0.0005)
        flat = np.abs(p[..., 1]) - 0.0012 - 0.22 * (self.shaft_length - p[..., 2])
        collar = rounded_cylinder(p, 1.8 * self.shaft_radius, 0.004, 0.001)
        return np.minimum(smooth_union(handle, collar, 0.002), np.maximum(shaft, flat))

    def grips(self) -> tuple[Grip, ...]:
        """The middle of the handle, from any side."""
        point = np.array([0.0, 0.0, -0.55 * self.handle_length])
        return tuple(Grip(point, UP, np.array([np.cos(a), np.sin(a), 0.0])) for a in np.arange(3) * 2 * np.pi / 3)


@dataclass(frozen=True, kw_only=True)
class Spanner(ObjectFamily):
    """Flat spanner along z in the plane (x, z): an open jaw above, a ring or a second jaw below."""

    grid_scale: ClassVar[Corner] = (0.7, 0.7, 0.7)

    length: float
    """Between the middles of its ends, 130 to 185 mm."""
    jaw: float
    """Width across the jaw, 11 to 19 mm."""
    ring: bool
    """Whether the lower end is a closed ring."""
    handle_half_width: float
    """6.5 to 9.5 mm."""
    thickness: float
    """6.5 to 9 mm; the handle is 1.5 mm thinner."""

    @staticmethod
    def draw(ring: bool, generator: np.random.Generator) -> "Spanner":
        """A spanner with proportions of its own."""
        return Spanner(
            length=generator.uniform(0.130, 0.185),
            jaw=generator.uniform(0.011, 0.019),
            ring=ring,
            handle_half_width=generator.uniform(0.0065, 0.0095),
            thickness=generator.uniform(0.0065, 0.009),
        )

    @property
    def head_radius(self) -> float:
        """Outer radius of the ends, metres."""
        return 0.55 * self.jaw + 0.0075

    @property
    def box(self) -> tuple[Corner, Corner]:
        """Both ends."""
        R, half = self.head_radius, self.length / 2 + self.head_radius
        return (-R, -self.thickness / 2, -half), (R, self.thickness / 2, half)

    def distance(self, p: Points) -> Distances:
        """A bound; exact at the flats."""
        x, z, half = p[..., 0], p[..., 2], self.length / 2
        rod = path_distance(x, z, np.array([(0.0, -half), (0.0, half)])) - self.handle_half_width
        handle = extruded(rod, p[..., 1], self.thickness / 2 - 0.00075, 0.002)
        ends = np.hypot(x, np.abs(z) - half) - self.head_radius
        solid = smooth_union(extruded(ends, p[..., 1], self.thickness / 2, 0.001), handle, 0.003)
        lower = np.hypot(x, z + half) - self.jaw / 2 if self.ring else self._slot(x, -z - half)
        return carved(solid, np.minimum(self._slot(x, z - half), lower))

    def _slot(self, x: Distances, z: Distances) -> Distances:
        """The opening of a jaw about the origin: upward, turned by 15 degrees, with a flat bottom."""
        across, along = x * np.cos(JAW_TURN) - z * np.sin(JAW_TURN), x * np.sin(JAW_TURN) + z * np.cos(JAW_TURN)
        return np.maximum(np.abs(across) - self.jaw / 2, -0.3 * self.jaw - along)

    def grips(self) -> tuple[Grip, ...]:
        """The middle of the handle, from either edge."""
        return tuple(Grip(np.array([0.0, 0.0, -0.1 * self.length]), UP, np.array([side, 0.0, 0.0])) for side in (1.0, -1.0))


HandTool = Hammer | Screwdriver | Spanner
ToolKind = Literal["claw hammer", "screwdriver", "ring spanner", "wedge hammer", "open spanner", "mallet"]


def draw_hand_tool(kind: ToolKind, generator: np.random.Generator) -> HandTool:
    """A tool of a kind with proportions of its own."""
    match kind:
        case "claw hammer":
            return Hammer.draw("claw", generator)
        case "wedge hammer":
            return Hammer.draw("wedge", generator)
        case "mallet":
            return Hammer.draw("mallet", generator)
        case "screwdriver":
            return Screwdriver.draw(generator)
        case "ring spanner":
            return Spanner.draw(True, generator)
        case "open spanner":
            return Spanner.draw(False, generator)
        case _:
            assert_never(kind)
