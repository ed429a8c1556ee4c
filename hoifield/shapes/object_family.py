"""What every family of objects offers."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float

from hoifield.shapes.shape_distances import Distances, Points

Corner = tuple[float, float, float]
GripKind = Literal["handle", "edge", "body"]
"""A handle lies in the palm with the fingers around it; an edge is pinched between thumb and fingers; a body is held by the fingertips."""


@dataclass(frozen=True)
class Grip:
    """A place to take an object by, as a hand needs to know it: object frame, metres."""

    point: Float[np.ndarray, "3"]
    """Middle of the stretch that is held, on the handle's centre line."""
    axis: Float[np.ndarray, "3"]
    """Unit direction along the handle, towards the side of the thumb. Of an edge: for a right hand, whose fingers then lie outside."""
    outward: Float[np.ndarray, "3"]
    """Unit direction from the handle to the palm, across `axis`."""
    kind: GripKind = "handle"


@dataclass(frozen=True)
class ObjectFamily(ABC):
    """One object of a family; subclasses are frozen dataclasses of their parameters with a `draw` of their own, metres."""

    grid_scale: ClassVar[Corner] = (1.0, 1.0, 1.0)
    """Grid spacing along x, y and z as a share of the usual one: smaller across thin blades."""

    @property
    @abstractmethod
    def box(self) -> tuple[Corner, Corner]:
        """Lower and upper corner of a box that holds the object."""

    @abstractmethod
    def distance(self, p: Points) -> Distances:
        """Signed distance at points of the object frame, negative inside: exact, or a tight bound."""

    def grips(self) -> tuple[Grip, ...]:
        """Places to take it by; empty for objects that a hand takes anywhere about their longest side."""
        return ()
