"""Solids of no family: what objects are like beside mugs and bottles, for networks that must not know families alone."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from hoifield.geometry.isosurface import extract_isosurface
from hoifield.geometry.mesh import Mesh
from hoifield.shapes.shape_distances import Distances, Points, revolved, rounded_box, rounded_cylinder, rounded_path, smooth_union, tube

NODES = 72
"""Along the longest side of the grid that a mesh comes from."""
SHORTEST, LONGEST = 0.06, 0.26
"""What the longest side may be, metres."""
PARTS = 4


@dataclass(frozen=True)
class _Placed:
    """One simple part somewhere in the unit cube."""

    rotation: Float[np.ndarray, "3 3"]
    centre: Float[np.ndarray, "3"]
    half: tuple[float, float, float]
    round: bool

    def distance(self, p: Points) -> Distances:
        """Signed distance."""
        local = (p - self.centre) @ self.rotation
        if self.round:
            return rounded_cylinder(local, self.half[0], self.half[2], 0.3 * min(self.half[0], self.half[2]))
        return rounded_box(local, self.half, 0.4 * min(self.half))


def draw_random_solid(generator: np.random.Generator) -> Mesh:
    """A closed mesh, the middle of its box at the origin, metres: turned on a lathe, bent from a bar, or put together of boxes and rods."""
    axis = np.linspace(-1.3, 1.3, NODES)
    p = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    draw = (_draw_turned, _draw_bar, _draw_parts)[int(generator.integers(3))]
    mesh = extract_isosurface(draw(p, generator), np.full(3, -1.3), float(axis[1] - axis[0]))
    longest = np.exp(generator.uniform(np.log(SHORTEST), np.log(LONGEST)))
    middle = 0.5 * (mesh.vertices.min(0) + mesh.vertices.max(0))
    return Mesh((mesh.vertices - middle) * (longest / mesh.extent.max()), mesh.faces)


def _draw_turned(p: Points, generator: np.random.Generator) -> Distances:
    """A body of revolution with a section of its own, sometimes flattened."""
    corners = int(generator.integers(3, 7))
    widest = np.exp(generator.uniform(np.log(0.15), np.log(0.9)))
    radii = widest * generator.uniform(0.25, 1.0, corners)
    heights = np.linspace(-1.0, 1.0, corners)
    path = np.concatenate([[[0.0, -1.0]], np.stack([radii, heights], axis=1), [[0.0, 1.0]]])
    flat = generator.choice([1.0, generator.uniform(0.4, 1.0)])
    radius = np.hypot(p[..., 0], p[..., 1] / flat)
    return revolved(radius, p[..., 2], rounded_path(path, int(generator.integers(0, 3)))) * flat


def _draw_bar(p: Points, generator: np.random.Generator) -> Distances:
    """A bent bar of changing thickness."""
    corners = int(generator.integers(3, 6))
    path = np.stack([np.linspace(-0.9, 0.9, corners), *generator.normal(size=(2, corners)) * generator.uniform(0.0, 0.35)], axis=1)
    path = rounded_path(np.clip(path, -0.95, 0.95), 2)
    radii = np.interp(np.linspace(0, 1, len(path)), np.linspace(0, 1, 4), generator.uniform(0.07, 0.3, 4))
    return tube(p, path, radii)


def _draw_parts(p: Points, generator: np.random.Generator) -> Distances:
    """Boxes and rods, each joined to one of the others with a fillet."""
    centre, solid = np.zeros(3), None
    for _ in range(int(generator.integers(1, PARTS + 1))):
        first = solid is None
        half = np.exp(generator.uniform(np.log(0.1), np.log(0.6 if first else 0.4), 3))
        half[2] *= 1.6
        turn = Rotation.random(random_state=int(generator.integers(2**31))) if generator.random() < 0.5 else Rotation.identity()
        part = _Placed(turn.as_matrix(), centre, (float(half[0]), float(half[1]), float(half[2])), bool(generator.random() < 0.4))
        solid = part.distance(p) if solid is None else smooth_union(solid, part.distance(p), 0.06)
        centre = np.clip(part.centre + part.rotation @ (half * generator.uniform(-1, 1, 3)), -0.7, 0.7)
    assert solid is not None
    return solid
