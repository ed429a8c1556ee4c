"""Boxes, cans and rings: solids with closed-form volume."""

from dataclasses import dataclass

import numpy as np

from hoifield.shapes.object_family import Corner, ObjectFamily
from hoifield.shapes.shape_distances import Distances, Path2, Points, outline_distance, revolved, rounded_box


@dataclass(frozen=True, kw_only=True)
class Box(ObjectFamily):
    """Carton, soap bar or block, its longest side along z."""

    depth: float
    """Shortest side, 20 to 50 mm."""
    width: float
    """Middle side, 38 to 74 mm."""
    length: float
    """Longest side, 60 to 160 mm."""
    rounding: float
    """Radius of the edges, 1 to 8 mm."""

    @staticmethod
    def draw(generator: np.random.Generator) -> "Box":
        """A box with sides and edges of its own."""
        depth = generator.uniform(0.020, 0.050)
        width = generator.uniform(max(0.038, depth), 0.074)
        return Box(
            depth=depth,
            width=width,
            length=generator.uniform(max(0.060, width), 0.160),
            rounding=min(generator.choice([0.001, 0.003, 0.008]), 0.3 * depth),
        )

    @property
    def box(self) -> tuple[Corner, Corner]:
        """Its sides."""
        return (-self.width / 2, -self.depth / 2, -self.length / 2), (self.width / 2, self.depth / 2, self.length / 2)

    def distance(self, p: Points) -> Distances:
        """Exact."""
        return rounded_box(p, (self.width / 2, self.depth / 2, self.length / 2), self.rounding)


@dataclass(frozen=True, kw_only=True)
class Can(ObjectFamily):
    """Food tin, drinks can or tub about z, with ribs, a narrowed top and a sunk lid."""

    radius: float
    """26 to 41 mm."""
    height: float
    """45 to 165 mm."""
    narrowing: float
    """How much narrower the top is, 0 to 7 mm of radius."""
    lid_depth: float
    """How far the lid lies below the rim, 0 or 3 to 6 mm."""
    ribs: int
    """Grooves around the middle."""
    rib_depth: float
    """Depth of the grooves, 0.8 to 1.4 mm."""

    @staticmethod
    def draw(generator: np.random.Generator) -> "Can":
        """A can with proportions of its own."""
        radius = generator.uniform(0.026, 0.041)
        height = float(np.clip(radius * generator.uniform(1.4, 4.6), 0.045, 0.165))
        return Can(
            radius=radius,
            height=height,
            narrowing=generator.choice([0.0, 1.0]) * generator.uniform(0.003, 0.007),
            lid_depth=generator.choice([0.0, 1.0, 1.0]) * generator.uniform(0.003, 0.006),
            ribs=int(generator.choice([0, 0, 3, 5, 7])) if height > 0.075 else 0,
            rib_depth=generator.uniform(0.0008, 0.0014),
        )

    def outline(self) -> Path2:
        """Corners (radius, z) of the section, from axis to axis."""
        R, half, top = self.radius, self.height / 2, self.radius - self.narrowing
        corners = [(0.0, -half), (R - 0.003, -half), (R - 0.0008, -half + 0.0008), (R, -half + 0.003)]
        for z in np.linspace(-1, 1, 8 * self.ribs + 1) if self.ribs else ():
            corners.append((R - self.rib_depth * (0.5 - 0.5 * np.cos(np.pi * self.ribs * (z + 1))), 0.0045 * self.ribs * z))
        corners += [(R, half - 0.003 - 2.2 * self.narrowing), (top, half - 0.003), (top - 0.0008, half - 0.0008), (top - 0.002, half)]
        if self.lid_depth:
            corners += [(top - 0.004, half), (top - 0.0055, half - self.lid_depth)]
        return np.array([*corners, (0.0, half - self.lid_depth)])

    @property
    def box(self) -> tuple[Corner, Corner]:
        """Its height and diameter."""
        return (-self.radius, -self.radius, -self.height / 2), (self.radius, self.radius, self.height / 2)

    def distance(self, p: Points) -> Distances:
        """Exact."""
        return revolved(np.hypot(p[..., 0], p[..., 1]), p[..., 2], self.outline())


@dataclass(frozen=True, kw_only=True)
class Ring(ObjectFamily):
    """Bangle, tape roll or toy ring about z: a rounded rectangle carried round a circle."""

    mean_radius: float
    """Axis to the middle of the section, 26 to 46 mm."""
    half_width: float
    """Half the section's side across the ring, 6 to 14 mm."""
    half_height: float
    """Half the section's side along z, 7 to 24 mm."""
    roundness: float
    """Radius of the section's edges as a share of its shorter half side, 0.15 to 1."""

    @staticmethod
    def draw(generator: np.random.Generator) -> "Ring":
        """A ring with a section of its own."""
        mean_radius = generator.uniform(0.026, 0.046)
        return Ring(
            mean_radius=mean_radius,
            half_width=min(generator.uniform(0.006, 0.014), mean_radius - 0.015),
            half_height=generator.uniform(0.007, 0.024),
            roundness=generator.choice([0.15, 0.5, 1.0]),
        )

    @property
    def rounding(self) -> float:
        """Radius of the section's edges, metres."""
        return self.roundness * min(self.half_width, self.half_height)

    @property
    def box(self) -> tuple[Corner, Corner]:
        """Its height and outer diameter."""
        reach = self.mean_radius + self.half_width
        return (-reach, -reach, -self.half_height), (reach, reach, self.half_height)

    def distance(self, p: Points) -> Distances:
        """Exact."""
        a, b = self.half_width - self.rounding, self.half_height - self.rounding
        section = np.array([(-a, -b), (a, -b), (a, b), (-a, b)]) + [self.mean_radius, 0.0]
        return outline_distance(np.hypot(p[..., 0], p[..., 1]), p[..., 2], section) - self.rounding
