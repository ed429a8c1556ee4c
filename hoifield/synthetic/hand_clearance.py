"""How near two hands with their forearms come to each other, and the second one to the object."""

from dataclasses import dataclass

import numpy as np

from hoifield.geometry.mesh import Mesh
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.synthetic.hand_object_motion import Moment
from hoifield.synthetic.scene_mesh import SceneParts


@dataclass(frozen=True)
class HandClearance:
    """Gaps at one moment, metres; negative is the depth of the deepest vertex inside."""

    hands: float
    """Between one hand with its forearm and the other with its own."""
    hand_object: float
    """Between the second hand and the object."""
    arm_object: float
    """Between the forearm of the second hand and the object."""

    @staticmethod
    def of(parts: SceneParts, moment: Moment) -> "HandClearance":
        """Measured from the vertices of each mesh to the surface of the other; the moment has a second hand."""
        assert parts.second is not None and parts.second_arm is not None and moment.second is not None
        T = moment.second.T_hand_second
        first = [Mesh(parts.posed_hand(moment.pose), parts.actor.faces.numpy()), parts.arm]
        hand = Mesh(parts.posed_hand(moment.second.pose, parts.second), parts.second.faces.numpy()).moved(T)
        arm, held = parts.second_arm.moved(T), parts.object_mesh.moved(moment.T_hand_object)
        return HandClearance(
            hands=min(gap_between(mine, theirs) for mine in first for theirs in (hand, arm)),
            hand_object=gap_between(hand, held),
            arm_object=gap_between(arm, held),
        )


def gap_between(first: Mesh, second: Mesh) -> float:
    """Least signed distance of a vertex of either mesh to the other's surface, metres; for closed meshes."""
    distances = [
        float(MeshDistance(solid.vertices, solid.faces).closest(other.vertices).signed_distance.min())
        for solid, other in ((first, second), (second, first))
    ]
    return float(np.min(distances))
