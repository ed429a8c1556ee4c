"""A grasp of the other hand on an object that one hand holds already."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from hoifield.actors.pose_limits import anatomical_angles
from hoifield.errors import RefusedInput
from hoifield.geometry.mesh import Mesh, vertex_normals
from hoifield.synthetic.grasp import GraspSearch
from hoifield.synthetic.grasp_check import Grasp, GraspMeasure, grasp_holds
from hoifield.synthetic.grasp_parts import ObjectGrid
from hoifield.synthetic.hand_clearance import HandClearance
from hoifield.synthetic.hand_object_motion import Moment, SecondHand
from hoifield.synthetic.scene_mesh import SceneParts

SMALLEST_GAP = 0.001
"""Metres that are left between two hands with their forearms, and between a forearm and the object."""
KEPT_OFF = 0.002
"""How much larger the first hand is made for the search, metres."""
DIRECTIONS, SPINS, HEIGHTS = 40, 8, (-0.5, 0.0, 0.5)
"""Placements tried: sides of the object that the palm faces, turns about the palm's normal, places along the longest side of its box."""
PALM_GAP, FARTHEST_PALM, PALM_STEPS = 0.010, 0.20, 26
"""Gap between the flat hand and what is there already; how far from the object's middle it may be, metres."""
REFINED = 24
ARM_ANGLES = np.radians([35.0, 145.0])
"""Smallest and largest angle between the forearms: two arms of one person who looks at the object."""
ARM_WAY, ARM_RADIUS = np.linspace(0.03, 0.40, 12), 0.055
ALIKE = (np.radians(20), 0.02)
"""Placements that differ by less (turn, metres) end in the same grasp."""


@dataclass(frozen=True)
class _Placement:
    """The flat second hand on the object before its fingers close."""

    cost: float
    T_object_hand: Float[np.ndarray, "4 4"]


def find_second_grasp(parts: SceneParts, first: Grasp, seed: int) -> Grasp:
    """A grasp of the second hand of `parts` that passes the same checks as the first and leaves `SMALLEST_GAP` between the hands.

    Flat hands are placed all around the object, off the first hand, and closed on object and first hand together so that no finger runs
    into either; what touches and how deep is then measured on the object alone. Raises RefusedInput (HF-SYN-011) where none holds.
    """
    assert parts.second is not None
    shape = torch.from_numpy(parts.shape).float()
    together = _object_with_hand(parts, first)
    search = GraspSearch(parts.second, together, shape, seed)
    measure = GraspMeasure.of(parts.second, parts.object_mesh, shape)
    best, widest = 0, -np.inf
    for placement in _chosen_placements(parts, first, search.grid, seed):
        closed = search.near(placement.T_object_hand)
        angles = anatomical_angles(parts.second, torch.from_numpy(closed.pose)[None].float())[0]
        grasp = measure.measured(angles, torch.from_numpy(np.linalg.inv(closed.T_hand_object)).float())
        gap = _smallest_gap(parts, first, grasp)
        best, widest = max(best, len(grasp.touching)), max(widest, gap)
        if grasp_holds(grasp) and gap >= SMALLEST_GAP:
            return grasp
    raise RefusedInput(
        "HF-SYN-011",
        f"no place for a second hand: at most {best} fingers touch, and {1e3 * widest:.0f} mm are left between the hands at most",
        "use a larger object, another seed, or --second-hand beside",
    )


def second_hand_of(first: Grasp, second: Grasp) -> SecondHand:
    """Where the second hand is in the frame of the first while both hold the object."""
    return SecondHand(first.T_hand_object @ np.linalg.inv(second.T_hand_object), second.pose)


def arm_directions(parts: SceneParts, second: SecondHand) -> Float[np.ndarray, "2 3"]:
    """Unit vectors along the forearms of the first and the second hand, away from the hands; frame of the first."""
    sign = 1.0 if parts.actor.side == "right" else -1.0
    return sign * np.stack([np.array([1.0, 0.0, 0.0]), -second.T_hand_second[:3, 0]])


def _smallest_gap(parts: SceneParts, first: Grasp, second: Grasp) -> float:
    """Between the hands with their forearms, and between the second forearm and the object, metres."""
    moment = Moment(np.eye(4), first.T_hand_object, first.pose, np.eye(4), second_hand_of(first, second))
    clearance = HandClearance.of(parts, moment)
    return min(clearance.hands, clearance.arm_object)


def _object_with_hand(parts: SceneParts, grasp: Grasp) -> Mesh:
    """The object and the first hand, a little larger than it is, as one mesh; object frame."""
    faces = parts.actor.faces.numpy()
    hand = Mesh(parts.posed_hand(grasp.pose), faces)
    larger = Mesh(hand.vertices + KEPT_OFF * vertex_normals(hand), faces).moved(np.linalg.inv(grasp.T_hand_object))
    held = parts.object_mesh
    return Mesh(np.concatenate([held.vertices, larger.vertices]), np.concatenate([held.faces, faces + len(held.vertices)]))


def _chosen_placements(parts: SceneParts, first: Grasp, taken: ObjectGrid, seed: int) -> list[_Placement]:
    """The most promising placements that are not alike, best first; `taken` has distances to object and first hand."""
    chosen: list[_Placement] = []
    for placement in sorted(_placements(parts, first, taken, seed), key=lambda candidate: candidate.cost):
        if not any(_alike(placement, other) for other in chosen):
            chosen.append(placement)
        if len(chosen) == REFINED:
            break
    return chosen


def _placements(parts: SceneParts, first: Grasp, taken: ObjectGrid, seed: int) -> list[_Placement]:
    """Flat hands all around the object, each as near as it comes, whose forearms are clear and stand well to the first one."""
    assert parts.second is not None
    sign = 1.0 if parts.second.side == "right" else -1.0
    free = ObjectGrid.of(parts.object_mesh)
    flat = torch.from_numpy(parts.posed_hand(np.zeros((16, 3)), parts.second)[::5]).float()
    T_object_first = np.linalg.inv(first.T_hand_object)
    first_arm, first_palm = -sign * T_object_first[:3, 0], T_object_first[:3, 1]
    middle, axis, half = _long_axis(parts.object_mesh)
    found = []
    for palm in _directions(DIRECTIONS, seed):
        for rotation in _turned_hands(palm, SPINS):
            arm = sign * rotation[:, 0]
            between = float(np.arccos(np.clip(arm @ first_arm, -1, 1)))
            if not ARM_ANGLES[0] <= between <= ARM_ANGLES[1]:
                continue
            for height in HEIGHTS:
                T = np.eye(4)
                T[:3, :3] = rotation
                start = middle + height * half * axis - rotation @ [-0.095 * sign, 0.0, 0.0]
                reach = _nearest_approach(flat, T, start, taken)
                if reach is None:
                    continue
                T[:3, 3] = start + reach * palm
                if _arm_in_the_way(parts, T, T_object_first, arm, first_arm):
                    continue
                cost = _cost(flat, T, free) + 0.004 * (1 + float(palm @ first_palm)) + 0.004 * abs(between - np.radians(80))
                found.append(_Placement(cost, T))
    return found


def _nearest_approach(
    skin: Float[torch.Tensor, "vertex 3"], T: Float[np.ndarray, "4 4"], start: Float[np.ndarray, "3"], taken: ObjectGrid
) -> float | None:
    """How far along the palm's normal from `start` the flat hand is as near as `PALM_GAP` to what is there; None where it stays farther."""
    reach = np.linspace(0.0, FARTHEST_PALM, PALM_STEPS)
    origins = torch.from_numpy(start + reach[:, None] * T[:3, 1]).float()
    turned = skin @ torch.from_numpy(T[:3, :3].T.copy()).float()
    nearest = taken.distance(turned[None] + origins[:, None])[0].min(1).values.numpy()
    blocked = np.nonzero(nearest < PALM_GAP)[0]
    if len(blocked) == 0 or blocked[-1] == len(reach) - 1:
        return None
    return float(reach[blocked[-1] + 1])


def _cost(skin: Float[torch.Tensor, "vertex 3"], T: Float[np.ndarray, "4 4"], free: ObjectGrid) -> float:
    """How far the nearer half of the flat hand is from the object, on the mean, metres."""
    T_tensor = torch.from_numpy(T).float()
    distance = free.distance(skin @ T_tensor[:3, :3].T + T_tensor[:3, 3])[0]
    return float(torch.topk(distance, len(distance) // 2, largest=False).values.clamp(max=0.08).mean())


def _arm_in_the_way(
    parts: SceneParts,
    T: Float[np.ndarray, "4 4"],
    T_first: Float[np.ndarray, "4 4"],
    arm: Float[np.ndarray, "3"],
    first_arm: Float[np.ndarray, "3"],
) -> bool:
    """Whether a forearm would run into the object or the other forearm; all in the object's frame."""
    way, first_way = T[:3, 3] + ARM_WAY[:, None] * arm, T_first[:3, 3] + ARM_WAY[:, None] * first_arm
    if np.linalg.norm(way[:, None] - first_way[None], axis=-1).min() < 2 * ARM_RADIUS:
        return True
    vertices = parts.object_mesh.vertices[::7]
    return bool(np.linalg.norm(way[1:, None] - vertices[None], axis=-1).min() < 0.8 * ARM_RADIUS)


def _directions(count: int, seed: int) -> Float[np.ndarray, "direction 3"]:
    """Unit vectors spread evenly over the sphere (a Fibonacci spiral), turned by seed."""
    turn = np.random.default_rng(seed + 4000).uniform(0, 2 * np.pi)
    z = 1 - (2 * np.arange(count) + 1) / count
    angle = turn + np.arange(count) * np.pi * (3 - np.sqrt(5))
    return np.stack([np.sqrt(1 - z * z) * np.cos(angle), np.sqrt(1 - z * z) * np.sin(angle), z], axis=1)


def _turned_hands(palm: Float[np.ndarray, "3"], count: int) -> list[Float[np.ndarray, "3 3"]]:
    """R_object_hand of hands whose back faces along `palm` (the hand's y), turned about it."""
    across = np.linalg.svd(palm[None])[2][1:]
    turned = []
    for angle in np.arange(count) * 2 * np.pi / count:
        x = np.cos(angle) * across[0] + np.sin(angle) * across[1]
        turned.append(np.stack([x, palm, np.cross(x, palm)], axis=1))
    return turned


def _long_axis(mesh: Mesh) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"], float]:
    """Middle of the mesh's box, the direction of its longest side, and half that side."""
    lower, upper = mesh.vertices.min(0), mesh.vertices.max(0)
    longest = int((upper - lower).argmax())
    return (lower + upper) / 2, np.eye(3)[longest], float(upper[longest] - lower[longest]) / 2


def _alike(first: _Placement, second: _Placement) -> bool:
    """Whether two placements are nearly the same."""
    R = first.T_object_hand[:3, :3].T @ second.T_object_hand[:3, :3]
    turn = np.arccos(np.clip((np.trace(R) - 1) / 2, -1, 1))
    return bool(turn < ALIKE[0] and np.linalg.norm(first.T_object_hand[:3, 3] - second.T_object_hand[:3, 3]) < ALIKE[1])
