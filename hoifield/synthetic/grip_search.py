"""Grasps by one grip: several hands are put on the grip, close, and the best of them are refined and checked."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hoifield.actors.skinned_model import FINGERS
from hoifield.shapes.object_family import Grip, GripKind
from hoifield.synthetic.grasp_check import Grasp, GraspMeasure
from hoifield.synthetic.grasp_parts import ObjectGrid
from hoifield.synthetic.grip_closing import GripClosing
from hoifield.synthetic.grip_energy import GripRefinement
from hoifield.synthetic.grip_placement import hand_on_grip
from hoifield.synthetic.grip_shape import HandBones

GRIP_REACH, GRIP_MARGIN = 0.11, 0.03
"""Half a side of the box about a grip in which distances are cached, and how far the box may reach beyond the object, metres."""
PLACEMENTS, REFINED = 8, 3
GAP: dict[GripKind, tuple[float, float]] = {"handle": (0.0005, 0.003), "edge": (0.010, 0.024), "body": (0.006, 0.016)}
"""Between the flat hand and the object, metres."""


@dataclass(frozen=True)
class GripSearch:
    """One grip's surroundings as a hand sees them."""

    measure: GraspMeasure
    grip: Grip
    closing: GripClosing
    refinement: GripRefinement

    @staticmethod
    def of(measure: GraspMeasure, grip: Grip) -> "GripSearch":
        """Distances about the grip, and the hand's bones."""
        vertices = measure.mesh.vertices
        lower = np.maximum(vertices.min(0) - GRIP_MARGIN, grip.point - GRIP_REACH)
        upper = np.minimum(vertices.max(0) + GRIP_MARGIN, grip.point + GRIP_REACH)
        grid = ObjectGrid.fine(measure.surface, lower, upper)
        bones = HandBones.of(measure.actor, measure.shape, measure.parts)
        closing = GripClosing(measure.actor, measure.shape, measure.parts, bones, grid, grip)
        near = vertices[((vertices > lower) & (vertices < upper)).all(1)]
        return GripSearch(measure, grip, closing, GripRefinement(closing, near))

    def candidates(self, generator: np.random.Generator) -> Iterator[Grasp]:
        """Refined grasps from the most promising of several placements, most promising first."""
        placements = [self._placement(generator) for _ in range(PLACEMENTS)]
        closed = [(*self.closing.closed(T), T) for T in placements]
        for _, angles, T in sorted(closed, key=lambda candidate: candidate[0])[:REFINED]:
            yield self.measure.measured(*self.refinement.refined(angles, T))

    def near(self, T_object_hand: Float[Tensor, "4 4"]) -> Grasp:
        """What closing and refining end in from a placement of the flat hand."""
        return self.measure.measured(*self.refinement.refined(self.closing.closed(T_object_hand)[1], T_object_hand))

    def _placement(self, generator: np.random.Generator) -> Float[Tensor, "4 4"]:
        """T_object_hand of a hand that has come down on the grip until the flat hand is a small gap away."""
        side = 1.0 if self.measure.actor.side == "right" else -1.0
        T = hand_on_grip(self.grip, side, generator)
        gap = generator.uniform(*GAP[self.grip.kind])
        parts = self.measure.parts
        flat = self.closing.posed(torch.zeros(1, 16, 3)).vertices[0]
        flat = flat[torch.cat([parts.palm, *(parts.finger[name] for name in FINGERS[1:])])].double().numpy()
        low, high, start = -0.02, 0.12, T[1, 3]
        for _ in range(16):
            middle = (low + high) / 2
            T[1, 3] = start - middle
            skin = torch.from_numpy((flat - T[:3, 3]) @ T[:3, :3]).float()
            low, high = (low, middle) if float(self.closing.grid.distance(skin)[0].min()) > gap else (middle, high)
        T[1, 3] = start - high
        return torch.from_numpy(np.linalg.inv(T)).float()
