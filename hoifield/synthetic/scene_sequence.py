"""The scene at any time of a clip, with the light that reaches each vertex past hand and object."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.synthetic.appearance import ambient_access, lit_share
from hoifield.synthetic.hand_object_motion import HandObjectMotion, Moment
from hoifield.synthetic.scene_mesh import Arrangement, SceneParts

ACCESS_SPACING = 6
"""Frames between traces of the sky where fingers or object move in the hand; it changes slowly and is blended between them."""
KEPT_TRACES = 3


@dataclass
class SceneSequence:
    """Scenes of one clip, in the order of its frames. What does not change inside the hand frame is made once."""

    parts: SceneParts
    motion: HandObjectMotion
    seed: int
    _arranged: tuple[Moment, Arrangement] | None = field(default=None, init=False)
    _traced: tuple[Arrangement, MeshDistance] | None = field(default=None, init=False)
    _access: list[tuple[Moment, np.ndarray]] = field(default_factory=list, init=False)

    def arrangement(self, moment: Moment) -> Arrangement:
        """Hands, object and forearms in the hand frame; the same object for the same arrangement as at the last call."""
        if self._arranged is None or not moment.same_arrangement(self._arranged[0]):
            self._arranged = (moment, self.parts.arranged(moment.pose, moment.T_hand_object, moment.second))
        return self._arranged[1]

    def access(self, time: float) -> Float[np.ndarray, "vertex"]:
        """Share of the sky that each vertex sees at a time counted in frames, in [0, 1]."""
        last = self.motion.frames - 1
        before = min(ACCESS_SPACING * int(time // ACCESS_SPACING), last)
        after = min(before + ACCESS_SPACING, last)
        first, second = (self._traced_access(self.motion.at(frame)) for frame in (before, after))
        if first is second:
            return first
        share = (time - before) / (after - before)
        return (1 - share) * first + share * second

    def lit(self, moment: Moment, towards_key: Float[np.ndarray, "3"]) -> Float[np.ndarray, "vertex"]:
        """Share of the key light that reaches each vertex, in [0, 1]; the direction is in the hand frame."""
        arrangement = self.arrangement(moment)
        if self._traced is None:
            self._traced = (arrangement, MeshDistance(arrangement.mesh.vertices, arrangement.mesh.faces))
        elif self._traced[0] is not arrangement:
            self._traced[1].refit(arrangement.mesh.vertices)
            self._traced = (arrangement, self._traced[1])
        return lit_share(self._traced[1], arrangement.mesh, arrangement.normals, towards_key)

    def _traced_access(self, moment: Moment) -> Float[np.ndarray, "vertex"]:
        """Ambient access of an arrangement, remembered for the last few."""
        for known, access in self._access:
            if moment.same_arrangement(known):
                return access
        arrangement = self.parts.arranged(moment.pose, moment.T_hand_object, moment.second)
        self._access = [*self._access[1 - KEPT_TRACES :], (moment, ambient_access(arrangement.mesh, arrangement.normals, self.seed))]
        return self._access[-1][1]
