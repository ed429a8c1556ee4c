"""Kettles and teapots: a closed body with lid and knob, a spout, and a handle at the back or over the lid."""

from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np

from hoifield.shapes.object_family import Corner, Grip, ObjectFamily
from hoifield.shapes.shape_distances import Distances, Path2, Path3, Points, carved, revolved, rounded_path, smooth_union, tube
from hoifield.shapes.vessels import bar_distance, draw_handle_path

KettleHandle = Literal["back", "over"]
SPOUT_WALL, SPOUT_DEPTH = 0.004, 0.014


@dataclass(frozen=True, kw_only=True)
class Kettle(ObjectFamily):
    """Kettle standing on z = 0 with its axis along z and its spout on +x; the defaults are the standard kettle."""

    base_radius: float = 0.048
    """36 to 56 mm."""
    belly_radius: float = 0.056
    """46 to 58 mm."""
    belly_height: float = 0.035
    """Of the widest place, metres."""
    lid_radius: float = 0.030
    """24 to 34 mm."""
    body_height: float = 0.085
    """72 to 105 mm, without the lid."""
    lid_height: float = 0.012
    """7 to 18 mm."""
    knob_radius: float = 0.009
    """8 to 11 mm."""
    spout_start: float = 0.35
    """Where the spout leaves, as a share of the body's height, 0.25 to 0.45."""
    spout_end: float = 0.95
    """Where it ends, 0.85 to 1.0."""
    spout_reach: float = 0.042
    """Beyond the belly, 32 to 50 mm."""
    spout_root: float = 0.015
    """Radius at the body, 12 to 17 mm."""
    spout_tip: float = 0.0095
    """Radius at its mouth, 9 to 11 mm."""
    handle: KettleHandle = "back"
    handle_reach: float = 0.043
    """Free way from the body or the knob to the handle's centre line, 40 to 48 mm."""
    handle_thickness: float = 0.011
    """10 to 14 mm."""
    handle_width: float = 0.018
    """14 to 22 mm."""

    @staticmethod
    def draw(handle: KettleHandle, generator: np.random.Generator) -> "Kettle":
        """A kettle with a body and a spout of its own."""
        belly, height = generator.uniform(0.046, 0.058), generator.uniform(0.072, 0.105)
        return Kettle(
            base_radius=max(0.036, belly * generator.uniform(0.75, 1.0)),
            belly_radius=belly,
            belly_height=height * generator.uniform(0.25, 0.55),
            lid_radius=generator.uniform(0.024, 0.034),
            body_height=height,
            lid_height=generator.uniform(0.007, 0.018),
            knob_radius=generator.uniform(0.008, 0.011),
            spout_start=generator.uniform(0.25, 0.45),
            spout_end=generator.uniform(0.85, 1.0),
            spout_reach=generator.uniform(0.032, 0.050),
            spout_root=generator.uniform(0.012, 0.017),
            spout_tip=generator.uniform(0.009, 0.011),
            handle=handle,
            handle_reach=generator.uniform(0.040, 0.048),
            handle_thickness=generator.uniform(0.010, 0.014),
            handle_width=generator.uniform(0.014, 0.022),
        )

    def body_outline(self) -> Path2:
        """Corners (radius, z) of body and lid, from the bottom's centre to the lid's."""
        base, belly, lid, top = self.base_radius, self.belly_radius, self.lid_radius, self.body_height
        low, full = self.belly_height, 0.18 * top
        corners = [(0.0, 0.0), (base - 0.006, 0.0), (base, 0.0), (belly, max(low - full, 0.008)), (belly, low + full)]
        wall = rounded_path(np.array([*corners, (0.4 * belly + 0.6 * lid, top - 0.003), (lid + 0.002, top)]))
        angle = np.linspace(0, np.pi / 2, 9)
        dome = np.stack([(lid - 0.002) * np.cos(angle), top + 0.004 + (self.lid_height - 0.004) * np.sin(angle)], axis=1)
        return np.concatenate([wall, [(lid - 0.001, top), (lid - 0.001, top + 0.003)], dome * [1.0, 1.0]])

    def radius_at(self, z: float) -> float:
        """Outer radius of the body at a height below the lid."""
        outline = self.body_outline()
        side = outline[(outline[:, 1] > 1e-6) & (outline[:, 0] > self.lid_radius)]
        return float(np.interp(z, side[:, 1], side[:, 0]))

    def spout_path(self) -> Path3:
        """Centre line of the spout, from inside the body to its mouth."""
        low, high = self.spout_start * self.body_height, self.spout_end * self.body_height
        root, rise = self.radius_at(low), high - low
        corners = [(0.6 * root, low - 0.05 * rise), (root + 0.35 * self.spout_reach, low + 0.10 * rise)]
        corners += [(self.belly_radius + 0.55 * self.spout_reach, low + 0.60 * rise), (self.belly_radius + self.spout_reach, high)]
        path = rounded_path(np.array(corners))
        return np.stack([path[:, 0], np.zeros(len(path)), path[:, 1]], axis=1)

    def handle_path(self) -> Path2:
        """Centre line (x, z) of the handle."""
        match self.handle:
            case "back":
                high, low = 0.86 * self.body_height, 0.22 * self.body_height
                roots = [(self.radius_at(z) - 0.003, z) for z in (high, low)]
                return draw_handle_path("ear", roots[0], roots[1], self.handle_reach) * [-1.0, 1.0]
            case "over":
                foot, x = 0.80 * self.body_height, self.radius_at(0.80 * self.body_height) - 0.003
                top = self.body_height + self.lid_height + 1.6 * self.knob_radius + self.handle_reach
                half = [(x, foot), (x + 0.004, foot + 0.45 * (top - foot)), (0.92 * x, top), (0.40 * x, top)]
                return rounded_path(np.array([*half, *((-x, z) for x, z in reversed(half))]))
            case _:
                assert_never(self.handle)

    @property
    def box(self) -> tuple[Corner, Corner]:
        """Body, spout, handle and knob."""
        path, margin = self.handle_path(), self.handle_thickness / 2
        left, right = min(-self.belly_radius, path[:, 0].min() - margin), self.belly_radius + self.spout_reach + self.spout_tip
        top = max(path[:, 1].max() + margin, self.body_height + self.lid_height + 2 * self.knob_radius)
        return (float(left), -self.belly_radius, 0.0), (right, self.belly_radius, float(top))

    def distance(self, p: Points) -> Distances:
        """Exact at the body; a bound at the joints and along the tapered spout."""
        radius = np.hypot(p[..., 0], p[..., 1])
        knob = np.hypot(radius, p[..., 2] - self.body_height - self.lid_height - 0.6 * self.knob_radius) - self.knob_radius
        body = smooth_union(revolved(radius, p[..., 2], self.body_outline()), knob, 0.003)
        path = self.spout_path()
        mouth, forward = path[-1], path[-1] - path[-2]
        forward = forward / np.linalg.norm(forward)
        spout = np.maximum(tube(p, path, np.linspace(self.spout_root, self.spout_tip, len(path))), (p - mouth) @ forward)
        opening = np.array([mouth - (SPOUT_DEPTH - self.spout_tip) * forward, mouth + 0.02 * forward])
        solid = smooth_union(body, spout, 0.006)
        solid = carved(solid, tube(p, opening, np.full(2, self.spout_tip - SPOUT_WALL)))
        return smooth_union(solid, bar_distance(p, self.handle_path(), self.handle_thickness, self.handle_width), 0.004)

    def grips(self) -> tuple[Grip, ...]:
        """The outermost place of the handle."""
        path = self.handle_path()
        match self.handle:
            case "back":
                x, z = path[path[:, 0].argmin()]
                return (Grip(np.array([x, 0.0, z]), np.array([0.0, 0.0, 1.0]), np.array([-1.0, 0.0, 0.0])),)
            case "over":
                return (Grip(np.array([0.0, 0.0, path[:, 1].max()]), np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])),)
            case _:
                assert_never(self.handle)
