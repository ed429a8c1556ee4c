"""Bottles: a body of round, oval or square section, a shoulder, a neck and a cap."""

from dataclasses import dataclass

import numpy as np

from hoifield.shapes.object_family import Corner, ObjectFamily
from hoifield.shapes.shape_distances import Distances, Path2, Points, revolved, rounded_cylinder, rounded_path, smooth_union


@dataclass(frozen=True, kw_only=True)
class Bottle(ObjectFamily):
    """Closed bottle about z."""

    height: float
    """125 to 235 mm, cap included."""
    body_radius: float
    """25 to 38 mm, along x."""
    flatness: float
    """Depth along y as a share of the width along x, 0.62 to 1."""
    squareness: float
    """Exponent of the section: 2 is round, 4 nearly square."""
    waist: float
    """How far the middle of the body draws in, 0 to 4 mm."""
    shoulder: float
    """Height of the shoulder, 12 to 55 mm."""
    shoulder_fullness: float
    """0.1 falls straight from body to neck, 0.6 is round."""
    neck_radius: float
    """9.5 to 20 mm."""
    neck_height: float
    """Between shoulder and cap, 6 to 35 mm."""
    cap_radius: float
    """1.5 to 4 mm more than the neck's."""
    cap_height: float
    """10 to 26 mm."""

    @staticmethod
    def draw(generator: np.random.Generator) -> "Bottle":
        """A bottle with proportions of its own."""
        body = generator.uniform(0.025, 0.038)
        neck = min(generator.uniform(0.0095, 0.020), body - 0.010)
        oval = bool(generator.choice([False, False, True]))
        return Bottle(
            height=generator.uniform(0.125, 0.235),
            body_radius=body,
            flatness=generator.uniform(0.62, 0.85) if oval else 1.0,
            squareness=generator.choice([2.0, 2.0, 2.6, 4.0]),
            waist=generator.choice([0.0, 1.0]) * generator.uniform(0.002, 0.004),
            shoulder=generator.uniform(0.012, 0.055),
            shoulder_fullness=generator.uniform(0.1, 0.6),
            neck_radius=neck,
            neck_height=generator.uniform(0.006, 0.035),
            cap_radius=neck + generator.uniform(0.0015, 0.004),
            cap_height=generator.uniform(0.010, 0.026),
        )

    def body_outline(self) -> Path2:
        """Corners (radius, z) of the body's section from bottom to the foot of the neck."""
        low, top = -self.height / 2, self.height / 2 - self.cap_height - self.neck_height
        R, straight = self.body_radius, top - self.shoulder
        middle, half = (low + straight) / 2, (straight - low) / 2
        corners = [(0.0, low), (R - 0.006, low), (R, low), (R, low + 0.006), (R, middle - 0.55 * half)]
        corners += [(R - 1.4 * self.waist, middle - 0.15 * half), (R - 1.4 * self.waist, middle + 0.15 * half), (R, middle + 0.55 * half)]
        full, neck = self.shoulder_fullness * self.shoulder, self.neck_radius
        corners += [(R, straight), (R, straight + full), (neck, top - 0.2 * self.shoulder), (neck, top)]
        return np.concatenate([rounded_path(np.array(corners)), [(0.0, top)]])

    @property
    def box(self) -> tuple[Corner, Corner]:
        """Body or cap, whichever is wider."""
        x, y = self.body_radius, max(self.body_radius * self.flatness, self.cap_radius)
        return (-x, -y, -self.height / 2), (x, y, self.height / 2)

    def distance(self, p: Points) -> Distances:
        """Exact for round sections; a bound for others (the section's norm changes by at most 1 a metre, 0.84 at its corners)."""
        x, y = np.abs(p[..., 0]), np.abs(p[..., 1]) / self.flatness
        section = np.hypot(x, y) if self.squareness == 2 else (x**self.squareness + y**self.squareness) ** (1 / self.squareness)
        body = revolved(section, p[..., 2], self.body_outline()) * self.flatness
        half = (self.cap_height + self.neck_height) / 2 + 0.004
        neck = rounded_cylinder(p - np.array([0, 0, self.height / 2 - half]), self.neck_radius, half, 0.002)
        cap = rounded_cylinder(
            p - np.array([0, 0, (self.height - self.cap_height) / 2]), self.cap_radius, self.cap_height / 2, min(0.002, self.cap_radius / 4)
        )
        return np.minimum(smooth_union(body, neck, 0.004), cap)
