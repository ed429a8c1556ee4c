"""The shapes that an object may have, as coordinates: one given solid, or the forms of a family about their mean."""

from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Float

from hoifield.geometry.mesh import Mesh
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.shapes.draw_family import ShapeName, draw_family
from hoifield.shapes.object_family import ObjectFamily
from hoifield.shapes.shape_distances import Distances, Points

DRAWS = 600
"""Instances of a family from which its mean and spread are taken; numbers below 1000, which no benchmark uses."""
FURTHEST = 2.5
"""Standard deviations that a coordinate may be off the mean."""

Coordinates = Float[np.ndarray, "coordinate"]


@dataclass(frozen=True)
class GivenSolid:
    """One closed mesh, and no freedom."""

    mesh: Mesh

    @property
    def unknowns(self) -> int:
        """Number of coordinates: none."""
        return 0

    def distance(self, points: Points, coordinates: Coordinates) -> Distances:
        """Exact signed distance, negative inside."""
        found = MeshDistance(self.mesh.vertices, self.mesh.faces).closest(points.reshape(-1, 3))
        return found.signed_distance.reshape(points.shape[:-1])

    def box(self, coordinates: Coordinates) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
        """Lower and upper corner of the mesh."""
        return self.mesh.vertices.min(0), self.mesh.vertices.max(0)


@dataclass(frozen=True)
class FamilyForm:
    """What the lengths of one form of a family may be: principal components of its draws, metres."""

    example: ObjectFamily
    lengths: tuple[str, ...]
    """The parameters that vary."""
    mean: Float[np.ndarray, "length"]
    basis: Float[np.ndarray, "length coordinate"]
    """Principal axes, each as long as its standard deviation."""
    least: Float[np.ndarray, "length"]
    most: Float[np.ndarray, "length"]

    @property
    def unknowns(self) -> int:
        """Number of coordinates: as many as the draws have axes."""
        return self.basis.shape[1]

    def solid(self, coordinates: Coordinates) -> ObjectFamily:
        """The family's object there; a length never leaves the range of the draws."""
        values = np.clip(self.mean + self.basis @ coordinates, self.least, self.most)
        return replace(self.example, **dict(zip(self.lengths, map(float, values), strict=True)))

    def distance(self, points: Points, coordinates: Coordinates) -> Distances:
        """Signed distance to the family's object there, negative inside."""
        return self.solid(coordinates).distance(points)

    def box(self, coordinates: Coordinates) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
        """Lower and upper corner of a box that holds the object."""
        lower, upper = self.solid(coordinates).box
        return np.array(lower), np.array(upper)


ShapeSpace = GivenSolid | FamilyForm
"""Solids by a vector of coordinates, standard normal where nothing else is known, each in a frame and units of its own."""


def family_forms(name: ShapeName) -> tuple[FamilyForm, ...]:
    """The forms of a family (handles of mugs, blades of knives), each with what its draws have in common."""
    drawn: dict[tuple[object, ...], list[ObjectFamily]] = {}
    for instance in range(1, DRAWS + 1):
        solid = draw_family(name, instance)
        kept = [getattr(solid, field.name) for field in fields(solid)]
        form = (type(solid), *(value for value in kept if isinstance(value, (str, bool))))
        drawn.setdefault(form, []).append(solid)
    return tuple(_form_of(solids) for solids in drawn.values())


def _form_of(solids: list[ObjectFamily]) -> FamilyForm:
    example = solids[0]
    lengths = tuple(field.name for field in fields(example) if isinstance(getattr(example, field.name), float))
    values = np.array([[getattr(solid, name) for name in lengths] for solid in solids])
    # of correlations: lengths and exponents have different units
    unit = np.maximum(values.std(0), 1e-12)
    variance, axes = np.linalg.eigh(np.atleast_2d(np.cov((values / unit).T)))
    real = variance > 1e-6 * variance.max()
    basis = unit[:, None] * axes[:, real] * np.sqrt(variance[real])
    return FamilyForm(example, lengths, values.mean(0), basis, values.min(0), values.max(0))
