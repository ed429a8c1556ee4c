"""Toy cars: a body, a cabin with sunk windows, and four wheels in their arches."""

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
    rounded_cylinder,
    rounded_path,
    smooth_union,
)

CarForm = Literal["saloon", "hatchback", "van", "pickup", "racer"]
ARCH_GAP, WINDOW_DEPTH, HUB_DEPTH = 0.0028, 0.0016, 0.0016
FENDER = 0.004
"""Least thickness between a wheel arch and what lies above it, metres."""


@dataclass(frozen=True, kw_only=True)
class ToyCar(ObjectFamily):
    """Car that stands on z = 0 and faces +x; the defaults are the standard car."""

    form: CarForm = "saloon"
    length: float = 0.115
    """90 to 135 mm."""
    width: float = 0.052
    """42 to 58 mm."""
    waist: float = 0.029
    """Height of bonnet and boot, 24 to 35 mm."""
    roof: float = 0.046
    """34 to 58 mm."""
    clearance: float = 0.006
    """Under the body, 4 to 9 mm."""
    wheel_radius: float = 0.0090
    """7 to 11 mm, so that the arches end below the bonnet."""
    wheel_width: float = 0.010
    """8 to 12 mm."""
    wheel_base: float = 0.58
    """Distance of the axles as a share of the length, 0.54 to 0.64."""
    nose: float = 0.003
    """How far bonnet and boot fall towards the ends, 1 to 5 mm."""
    rounding: float = 0.004
    """Radius of the long edges, 2.5 to 6 mm."""

    @staticmethod
    def draw(form: CarForm, generator: np.random.Generator) -> "ToyCar":
        """A car of a form with proportions of its own."""
        low = form == "racer"
        waist = generator.uniform(0.024, 0.026) if low else generator.uniform(0.028, 0.035)
        nose = generator.uniform(0.001, 0.002 if low else 0.005)
        return ToyCar(
            form=form,
            length=generator.uniform(0.090, 0.135),
            width=generator.uniform(0.042, 0.058),
            waist=waist,
            roof=waist + (generator.uniform(0.010, 0.013) if low else generator.uniform(0.014, 0.024)),
            clearance=generator.uniform(0.004, 0.006) if low else generator.uniform(0.005, 0.009),
            wheel_radius=min(generator.uniform(0.0085, 0.011), (waist - nose - ARCH_GAP - FENDER) / 2),
            wheel_width=generator.uniform(0.008, 0.012),
            wheel_base=generator.uniform(0.54, 0.64),
            nose=nose,
            rounding=generator.uniform(0.0025, 0.006),
        )

    def body_outline(self) -> Path2:
        """Corners (x, z) of the body below the windows."""
        half, low, high, fall = self.length / 2, self.clearance, self.waist, self.nose
        corners = [(-half + 0.004, low), (half - 0.004, low), (half, low + 0.004), (half, high - fall - 0.004), (half - 0.005, high - fall)]
        corners += [(0.3 * half, high), (-0.5 * half, high), (-half + 0.004, high - fall), (-half, high - fall - 0.004), (-half, low + 0.004)]
        return rounded_path(np.array(corners), rounds=2, closed=True)

    def cabin_outline(self, grown: float = 0.0) -> Path2:
        """Corners (x, z) of the cabin, from below the waist up to the roof plus `grown`."""
        half, foot, roof = self.length / 2, self.waist - 0.006, self.roof + grown
        match self.form:
            case "saloon":
                x = (-0.66, -0.36, 0.22, 0.52)
            case "hatchback":
                x = (-0.97, -0.80, 0.18, 0.48)
            case "van":
                x = (-0.99, -0.96, 0.52, 0.80)
            case "pickup":
                x = (-0.14, -0.06, 0.34, 0.60)
            case "racer":
                x = (-0.62, -0.22, 0.02, 0.34)
            case _:
                assert_never(self.form)
        rear, rear_top, front_top, front = (half * share for share in x)
        corners = [(rear, foot), (front, foot), (front, self.waist - 0.002), (front_top, roof), (rear_top, roof), (rear, self.waist - 0.002)]
        return rounded_path(_tightened(np.array(corners), 0.006), rounds=2, closed=True)

    @property
    def box(self) -> tuple[Corner, Corner]:
        """Body and wheels."""
        half = self.width / 2 + 0.001
        return (-self.length / 2, -half, 0.0), (self.length / 2, half, self.roof)

    def distance(self, p: Points) -> Distances:
        """A bound: exact away from arches and windows."""
        x, y, z = p[..., 0], np.abs(p[..., 1]), p[..., 2]
        half = self.width / 2
        body = extruded(outline_distance(x, z, self.body_outline()), y, half, self.rounding)
        lean = half - 0.003 - 0.25 * np.maximum(z - self.waist, 0)
        roof = 0.88 * extruded(outline_distance(x, z, self.cabin_outline()), y - lean + half, half, self.rounding)
        solid = carved(smooth_union(body, roof, 0.003), self._openings(p, lean))
        for axle in (-1, 1):
            centred = np.stack([x - axle * self.wheel_base * self.length / 2, z - self.wheel_radius, y - half], axis=-1)
            arch = rounded_cylinder(centred, self.wheel_radius + ARCH_GAP, self.wheel_width + 0.001, 0.001)
            tyre = rounded_cylinder(centred + [0, 0, self.wheel_width / 2 + 0.002], self.wheel_radius, self.wheel_width / 2 + 0.003, 0.002)
            hub = rounded_cylinder(centred - [0, 0, 0.001], 0.55 * self.wheel_radius, HUB_DEPTH, 0.0005)
            solid = np.minimum(carved(solid, arch), carved(tyre, hub))
        return solid

    def grips(self) -> tuple[Grip, ...]:
        """Over the roof, the fingers on one flank and the thumb on the other."""
        middle, up = np.array([0.0, 0.0, self.roof / 2]), np.array([0.0, 0.0, 1.0])
        return tuple(Grip(middle, np.array([forward, 0.0, 0.0]), up, "body") for forward in (1.0, -1.0))

    def _openings(self, p: Points, lean: Distances) -> Distances:
        """Side windows between their pillars, and the bed of a pickup."""
        x, y, z = p[..., 0], np.abs(p[..., 1]), p[..., 2]
        pane = np.maximum(outline_distance(x, z, self.cabin_outline()) + 0.0045, self.waist + 0.002 - z)
        middle = 0.0 if self.form == "van" else self.cabin_outline()[:, 0].mean()
        pane = np.maximum(np.maximum(pane, 0.0022 - np.abs(x - middle)), lean - WINDOW_DEPTH - y)
        if self.form != "pickup":
            return pane
        bed = np.maximum(np.abs(x + 0.56 * self.length / 2) - 0.34 * self.length / 2, y - self.width / 2 + 0.0055)
        return np.minimum(pane, np.maximum(bed, 2 * self.wheel_radius + ARCH_GAP + FENDER - z))


def _tightened(corners: Path2, distance: float) -> Path2:
    """A polygon whose corners are flanked by points on their sides, so that rounding stays within `distance` metres of them."""
    before, after = np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0)
    flanks = []
    for side in (before, after):
        length = np.linalg.norm(side - corners, axis=1, keepdims=True)
        flanks.append(corners + (side - corners) * np.minimum(distance / length, 0.45))
    return np.stack([flanks[0], corners, flanks[1]], axis=1).reshape(-1, 2)
