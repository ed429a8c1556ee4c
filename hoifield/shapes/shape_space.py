"""The shapes that an object may have, as coordinates: one given solid, or the forms of a family about their mean."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from hoifield.shapes.draw_family import ShapeName, draw_family
from hoifield.shapes.object_family import ObjectFamily
from hoifield.shapes.shape_distances import Distances, Points

DRAWS = 600
"""Instances of a family from which its mean and spread are taken; numbers below 1000, which no benchmark uses."""
FURTHEST = 2.5
"""Standard deviations that a coordinate may be off the mean."""

Coordinates = Float[np.ndarray, "coordinate"]


class ShapeSpace(ABC):
    """Solids by a vector of coordinates, standard normal where nothing else is known; each has a frame and units of its own."""

    @property
    @abstractmethod
    def unknowns(self) -> int:
        """Number of coordinates."""

    @abstractmethod
    def distance(self, points: Points, coordinates: Coordinates) -> Distances:
        """Signed distance to the solid, negative inside."""

    @abstractmethod
    def box(self, coordinates: Coordinates) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
        """Lower and upper corner of a box that holds the solid."""


@dataclass(frozen=True)
class GivenSolid(ShapeSpace):
    """One solid and no freedom: distances on a grid, and far from it."""

    signed_distance: Float[np.ndarray, "x y z"]
    lower: Float[np.ndarray, "3"]
    spacing: float
    corners: tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]
    """Of the solid's box."""

    @property
    def unknowns(self) -> int:
        """None."""
        return 0

    def distance(self, points: Points, coordinates: Coordinates) -> Distances:
        """Trilinear; beyond the grid, that of its border."""
        where = ((points - self.lower) / self.spacing).reshape(-1, 3).T
        return ndimage.map_coordinates(self.signed_distance, where, order=1, mode="nearest").reshape(points.shape[:-1])

    def box(self, coordinates: Coordinates) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
        """That of the solid."""
        return self.corners


@dataclass(frozen=True)
class FamilyForm(ShapeSpace):
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
        """As many as the draws have axes."""
        return self.basis.shape[1]

    def solid(self, coordinates: Coordinates) -> ObjectFamily:
        """The family's object there; a length never leaves the range of the draws."""
        values = np.clip(self.mean + self.basis @ coordinates, self.least, self.most)
        return replace(self.example, **dict(zip(self.lengths, map(float, values), strict=True)))

    def distance(self, points: Points, coordinates: Coordinates) -> Distances:
        """The family's own."""
        return self.solid(coordinates).distance(points)

    def box(self, coordinates: Coordinates) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
        """The family's own."""
        lower, upper = self.solid(coordinates).box
        return np.array(lower), np.array(upper)


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
