"""A hand that lets go of an object, moves away, and takes it again elsewhere: contact comes and goes."""

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from hoifield.actors.pose_limits import anatomical_angles, pose_from_anatomical
from hoifield.actors.skinned_model import SkinnedModel
from hoifield.synthetic.grasp import GraspSearch
from hoifield.synthetic.grasp_check import Grasp, grasp_holds
from hoifield.synthetic.hand_object_motion import HandObjectMotion, between_poses
from hoifield.synthetic.motion import make_motion
from hoifield.synthetic.scene_mesh import SceneParts

OPENS, LEAVES, AWAY, COMES, CLOSES, HOLDS = 0.26, 0.34, 0.46, 0.56, 0.68, 0.78
"""Shares of the clip's time at which fingers open, the hand leaves, is away, comes back, closes its fingers, and holds again."""
RETREAT = 0.05
"""How far the open hand moves off the object, along the back of the hand, metres."""
OWN_TURN = np.radians(25)
"""Turn of the free object about the vertical, as on a stand that the picture does not show."""
NEW_PLACES = ((25.0, 0.0), (-25.0, 0.0), (12.0, 0.012), (-12.0, -0.012))
"""Turns about the object's longest side (degrees) and shifts along it (metres) that a second grasp is tried at."""
BASE_FRAMES = 64


def make_release(parts: SceneParts, search: GraspSearch, grasp: Grasp, frames: int, focal_ratio: float) -> HandObjectMotion:
    """Hold and sway, open, leave, come back to another place, close, hold and sway; the free object rests, then turns on its own, rests.

    The hand sways as in `everyday` while it holds. The motion may leave the picture; the caller moves it farther away.
    """
    second = _second_grasp(search, grasp)
    body = parts.held_body(grasp.pose, grasp.T_hand_object)
    base = HandObjectMotion.held(make_motion("everyday", parts.actor.side, body, BASE_FRAMES, focal_ratio, search.seed), grasp)
    T_let_go = base.at(OPENS * (BASE_FRAMES - 1)).T_camera_hand
    T_rest = T_let_go @ grasp.T_hand_object
    T_turned = _turned_in_place(T_rest, OWN_TURN if parts.actor.side == "right" else -OWN_TURN)
    open_pose = opened_pose(parts.actor, grasp.pose)
    rows = []
    for share in np.arange(frames) / max(frames - 1, 1):
        if share <= OPENS or share >= HOLDS:
            first = share <= OPENS
            eased = _ease(share / OPENS) * OPENS if first else OPENS + _ease((share - HOLDS) / (1 - HOLDS)) * (1 - HOLDS)
            T_sway = base.at(eased * (BASE_FRAMES - 1)).T_camera_hand
            held = grasp if first else second
            T_hand = T_sway if first else T_sway @ np.linalg.inv(T_let_go) @ T_turned @ np.linalg.inv(second.T_hand_object)
            rows.append((T_hand, held.T_hand_object, held.pose))
            continue
        T_object = between_poses(T_rest, T_turned, _ease((share - AWAY) / (COMES - AWAY)))
        T_object_hand = _free_hand(grasp, second, share)
        closed = grasp.pose if share < (AWAY + COMES) / 2 else second.pose
        openness = min(_ease((share - OPENS) / (LEAVES - OPENS)), 1 - _ease((share - CLOSES) / (HOLDS - CLOSES)))
        rows.append((T_object @ T_object_hand, np.linalg.inv(T_object_hand), (1 - openness) * closed + openness * open_pose))
    T_camera_hand, T_hand_object, pose = (np.stack(column) for column in zip(*rows, strict=True))
    return HandObjectMotion(T_camera_hand, T_hand_object, pose, np.tile(np.eye(4), (frames, 1, 1)))


def _free_hand(first: Grasp, second: Grasp, share: float) -> Float[np.ndarray, "4 4"]:
    """T_object_hand of the hand that has let go: off the first grasp, over to the second, onto it."""
    across = _ease((share - AWAY) / (COMES - AWAY))
    T = between_poses(np.linalg.inv(first.T_hand_object), np.linalg.inv(second.T_hand_object), across)
    distance = RETREAT * min(_ease((share - LEAVES) / (AWAY - LEAVES)), 1 - _ease((share - COMES) / (CLOSES - COMES)))
    T[:3, 3] += distance * T[:3, 1]
    return T


def _second_grasp(search: GraspSearch, first: Grasp) -> Grasp:
    """A grasp that holds at another place of the object; the first one where none of those tried does."""
    longest = np.eye(3)[int(search.mesh.extent.argmax())]
    for degrees, shift in NEW_PLACES:
        T = np.eye(4)
        T[:3, :3] = Rotation.from_rotvec(np.radians(degrees) * longest).as_matrix()
        T[:3, 3] = shift * longest
        grasp = search.near(T @ np.linalg.inv(first.T_hand_object))
        if grasp_holds(grasp):
            return grasp
    return first


def opened_pose(actor: SkinnedModel, pose: Float[np.ndarray, "joint=16 3"]) -> Float[np.ndarray, "joint=16 3"]:
    """The relaxed open hand: fingers nearly straight, the thumb where the grasp opposes it but stretched."""
    angles = anatomical_angles(actor, torch.from_numpy(pose)[None].float())[0]
    opened = torch.zeros_like(angles)
    opened[1:13, 0] = 0.08
    opened[13, 1] = 0.5 * angles[13, 1]
    opened[13, 0] = -0.3
    return pose_from_anatomical(actor, opened[None])[0].double().numpy()


def _turned_in_place(T: Float[np.ndarray, "4 4"], angle: float) -> Float[np.ndarray, "4 4"]:
    """The object turned about the vertical through its own origin."""
    turned = T.copy()
    turned[:3, :3] = Rotation.from_rotvec([0.0, angle, 0.0]).as_matrix() @ T[:3, :3]
    return turned


def _ease(share: float) -> float:
    """Smooth rise from 0 to 1, clamped, at rest at both ends."""
    share = float(np.clip(share, 0, 1))
    return share * share * (3 - 2 * share)
