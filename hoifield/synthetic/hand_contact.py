"""Where and how deep the hands of a clip touch the object, frame by frame."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from hoifield.actors.skinned_model import Side, SkinnedModel
from hoifield.evaluation.contact_metrics import CONTACT_DISTANCE
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.synthetic.grasp_check import CONTACT_REACH
from hoifield.synthetic.grasp_parts import HandParts
from hoifield.synthetic.hand_object_motion import HandObjectMotion
from hoifield.synthetic.scene_mesh import SceneParts


@dataclass(frozen=True)
class HandContact:
    """Contact of one hand over the frames."""

    contact: Bool[np.ndarray, "frame vertex"]
    """Hand vertices nearer than 5 mm to the object's surface, on either side (evaluation's rule)."""
    penetration: Float[np.ndarray, "frame"]
    """Depth of the deepest hand vertex inside the object, metres; negative is the width of the gap."""
    fingers_touching: Float[np.ndarray, "frame"]
    """Share of the five fingers within 2 mm of the object (the grasp's rule)."""


def measure_contacts(parts: SceneParts, motion: HandObjectMotion) -> dict[Side, HandContact]:
    """Contact of each hand in the clip, the first hand first, by its side."""
    contacts = {parts.actor.side: measure_contact(parts, motion, parts.actor)}
    if parts.second is not None:
        contacts[parts.second.side] = measure_contact(parts, motion.of_second(), parts.second)
    return contacts


def measure_contact(parts: SceneParts, motion: HandObjectMotion, actor: SkinnedModel) -> HandContact:
    """Contact of one hand in each frame, from exact distances of its vertices to the object's mesh; the motion is that of the hand."""
    surface = MeshDistance(parts.object_mesh.vertices, parts.object_mesh.faces)
    fingers = [members.numpy() for members in HandParts.of(actor).finger.values()]
    distances: list[np.ndarray] = []
    for frame in range(motion.frames):
        moment = motion.at(frame)
        if frame > 0 and moment.same_arrangement(motion.at(frame - 1)):
            distances.append(distances[-1])
            continue
        T = moment.T_hand_object
        distances.append(surface.closest((parts.posed_hand(moment.pose, actor) - T[:3, 3]) @ T[:3, :3]).signed_distance)
    distance = np.stack(distances)
    touching = np.stack([distance[:, members].min(1) < CONTACT_REACH for members in fingers], axis=1)
    return HandContact(np.abs(distance) < CONTACT_DISTANCE, -distance.min(1), touching.mean(1))
