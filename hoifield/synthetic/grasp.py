"""A hand takes an object: by one of its grips where it has some, else by its body. Placed, closed, refined, and checked."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation
from torch import Tensor

from hoifield.actors.skinned_model import FINGERS, SkinnedModel
from hoifield.errors import InternalError
from hoifield.geometry.mesh import Mesh
from hoifield.shapes.object_family import Grip
from hoifield.synthetic.grasp_check import Grasp, GraspMeasure, grasp_holds
from hoifield.synthetic.grasp_parts import FINGER_JOINTS, ObjectGrid
from hoifield.synthetic.grip_energy import shifted
from hoifield.synthetic.grip_search import GripSearch

CLOSING_STEPS, REFINED_PLACEMENTS = 36, 4
BODY_ROUNDS, GRIP_ROUNDS = 6, 8
"""How often new placements are tried before a search gives up."""
GRIP_SEED = 7


@dataclass
class GraspSearch:
    """One actor and one object; `find` returns a grasp that passed the checks."""

    actor: SkinnedModel
    mesh: Mesh
    shape: Float[Tensor, "component=10"]
    seed: int
    grips: tuple[Grip, ...] = ()
    """Places to take it by; without any, the palm goes beside the longest side, anywhere about it, and then about its middle."""

    def __post_init__(self) -> None:
        self.measure = GraspMeasure.of(self.actor, self.mesh, self.shape)
        self.parts = self.measure.parts
        self.sign = 1.0 if self.actor.side == "right" else -1.0
        self._last_search: GripSearch | None = None

    @cached_property
    def grid(self) -> ObjectGrid:
        """Cached distances about the whole object."""
        return ObjectGrid.of(self.mesh)

    def posed(self, angles: Float[Tensor, "frame joint=16 3"]) -> Float[Tensor, "frame vertex 3"]:
        """Skin in the hand frame for anatomical angles (flexion, abduction, twist)."""
        axis_angle = torch.einsum("jab,fjb->fja", self.actor.joint_axes, angles)
        return self.actor.pose(self.shape, axis_angle, torch.eye(4).expand(len(angles), 4, 4)).vertices

    def find(self, accepts: Callable[[Grasp], bool] = grasp_holds) -> Grasp:
        """The first of the most promising placements that is accepted. Raises InternalError (HF-SYN-002) if none is."""
        tried = []
        for grasp in self._by_grips(self.grips) if self.grips else chain(self._by_body(), self._by_grips(_grips_about(self.mesh))):
            if accepts(grasp):
                return grasp
            tried.append(grasp)
        best = min(tried, key=lambda grasp: max(grasp.deepest, grasp.crossing))
        raise InternalError(
            "HF-SYN-002",
            f"none of {len(tried)} grasps holds: in the best one {len(best.touching)} fingers touch, hand and object are "
            f"{1e3 * max(best.deepest, best.crossing):.1f} mm in each other, {best.closure:.3f} of the grip force is not answered",
            "choose another object or seed",
        )

    def near(self, T_object_hand: Float[np.ndarray, "4 4"]) -> Grasp:
        """What closing and refining end in from a placement of the flat hand; `grasp_holds` says whether it is a grasp."""
        T = torch.from_numpy(T_object_hand).float()
        if self.grips:
            return self._around(min(self.grips, key=lambda grip: float(np.linalg.norm(grip.point - T_object_hand[:3, 3])))).near(T)
        _, angles, T = self._close(T)
        return self.measure.measured(*self._refined(angles, T))

    def _by_body(self) -> Iterator[Grasp]:
        """Fingertip grasps about the longest side, the most promising first; then from other placements."""
        for attempt in range(BODY_ROUNDS):
            closed = sorted((self._close(T) for T in self._placements(attempt)), key=lambda candidate: candidate[0])
            for _, angles, T in closed[:REFINED_PLACEMENTS]:
                yield self.measure.measured(*self._refined(angles, T))

    def _by_grips(self, offered: tuple[Grip, ...]) -> Iterator[Grasp]:
        """Grasps by some grips; which kind of grip comes first is drawn."""
        generator = np.random.default_rng([self.seed, GRIP_SEED])
        kinds = sorted({grip.kind for grip in offered})
        order = [kinds[k] for k in generator.permutation(len(kinds))]
        for _ in range(GRIP_ROUNDS):
            for kind in order:
                grips = [grip for grip in offered if grip.kind == kind]
                yield from self._around(grips[int(generator.integers(len(grips)))]).candidates(generator)

    def _around(self, grip: Grip) -> GripSearch:
        """The search about one grip; the last one is kept."""
        if self._last_search is None or self._last_search.grip is not grip:
            self._last_search = GripSearch.of(self.measure, grip)
        return self._last_search

    def _placements(self, attempt: int) -> list[Float[Tensor, "4 4"]]:
        """T_object_hand for several turns about the long axis and heights of the grip; the palm just off the surface."""
        generator = np.random.default_rng(self.seed if attempt == 0 else [self.seed, attempt])
        axes = _long_axis_first(self.mesh)
        half = float(np.abs(self.mesh.vertices @ axes[:, 2]).max())
        placements = []
        for turn in np.arange(0, 360, 45) + generator.uniform(-8, 8):
            for height in (0.25, 0.45):
                T_hand_object = np.eye(4)
                T_hand_object[:3, :3] = Rotation.from_euler("z", turn, degrees=True).as_matrix() @ axes.T
                along = min(height * half, max(half - 0.03, 0.0)) + 0.006
                gap = float(generator.uniform(0.010, 0.018))
                T_hand_object[:3, 3] = [-0.108 * self.sign, 0.0, along]
                T_hand_object[1, 3] = -self._offset_below_palm(T_hand_object, gap)
                placements.append(torch.from_numpy(np.linalg.inv(T_hand_object)).float())
        return placements

    def _offset_below_palm(self, T_hand_object: Float[np.ndarray, "4 4"], gap: float) -> float:
        """How far below the palm the object's centre lies when the flat hand is `gap` from it, metres (bisection)."""
        skin = self.posed(torch.zeros(1, 16, 3))[0]
        low, high = 0.0, 0.2
        for _ in range(18):
            middle = (low + high) / 2
            T = T_hand_object.copy()
            T[1, 3] -= middle
            T_object_hand = torch.from_numpy(np.linalg.inv(T)).float()
            palm = torch.cat([self.parts.palm, *(self.parts.finger[name] for name in FINGERS[1:])])
            nearest = float(self.grid.distance(skin[palm] @ T_object_hand[:3, :3].T + T_object_hand[:3, 3])[0].min())
            low, high = (low, middle) if nearest > gap else (middle, high)
        return high

    def _close(self, T_object_hand: Float[Tensor, "4 4"]) -> tuple[float, Float[Tensor, "joint=16 3"], Float[Tensor, "4 4"]]:
        """Cost, anatomical angles and placement after each finger has bent until it touches."""
        share = torch.linspace(0, 1, CLOSING_STEPS)
        angles = torch.zeros(16, 3)
        bent = torch.zeros(CLOSING_STEPS, 16, 3)
        for name in FINGERS[1:]:
            for joint, limit in zip(FINGER_JOINTS[name], (1.15, 1.25, 0.75), strict=True):
                bent[:, joint, 0] = share * limit
        distances = self._distances(bent, T_object_hand)
        for name in FINGERS[1:]:
            first = _first_touch(distances[:, self.parts.finger[name]].min(1).values)
            for joint in FINGER_JOINTS[name]:
                angles[joint] = bent[first, joint]
        best_cost, best_thumb = np.inf, angles[[13, 14, 15]]
        for opposition in (-0.5, -0.25, 0.0, 0.25, 0.5):
            bent = torch.zeros(CLOSING_STEPS, 16, 3)
            bent[:, 13, 1] = opposition
            for joint, (start, end) in zip(FINGER_JOINTS["thumb"], ((-0.5, 0.6), (-0.2, 0.8), (0.0, 0.9)), strict=True):
                bent[:, joint, 0] = start + share * (end - start)
            thumb = self._distances(bent, T_object_hand)
            first = _first_touch(thumb[:, self.parts.finger["thumb"]].min(1).values)
            cost = abs(float(thumb[first, self.parts.pad["thumb"]].min())) + 0.004 * abs(opposition)
            if cost < best_cost:
                best_cost, best_thumb = cost, bent[first, [13, 14, 15]]
        angles[[13, 14, 15]] = best_thumb
        return self._closed_cost(angles, T_object_hand), angles, T_object_hand

    def _closed_cost(self, angles: Float[Tensor, "joint=16 3"], T_object_hand: Float[Tensor, "4 4"]) -> float:
        """How far pads are from the surface, how deep the skin is, how little the pads oppose, how far the centre is."""
        skin = self.posed(angles[None])[0] @ T_object_hand[:3, :3].T + T_object_hand[:3, 3]
        distance, gradient = self.grid.distance(skin)
        reach = sum(float(distance[self.parts.pad[name]].min().clamp(min=0)) for name in ("thumb", "index", "middle"))
        normals = {name: gradient[pad[distance[pad].argmin()]] for name, pad in self.parts.pad.items()}
        opposed = float(normals["thumb"] @ (normals["index"] + normals["middle"]) / 2)
        away = float(torch.linalg.inv(T_object_hand)[:3, 3].abs()[1])
        return reach + 2 * float(-distance.min().clamp(max=0)) + 0.012 * opposed + 0.4 * away

    def _distances(self, angles: Float[Tensor, "frame joint=16 3"], T_object_hand: Float[Tensor, "4 4"]) -> Float[Tensor, "frame vertex"]:
        """Signed distances of the skin to the object."""
        return self.grid.distance(self.posed(angles) @ T_object_hand[:3, :3].T + T_object_hand[:3, 3])[0]

    def _refined(
        self, angles: Float[Tensor, "joint=16 3"], T_object_hand: Float[Tensor, "4 4"], steps: int = 160
    ) -> tuple[Float[Tensor, "joint=16 3"], Float[Tensor, "4 4"]]:
        """Gradient descent on pad distance, penetration, and distance to the start."""
        lower, upper = self.actor.lower_limits, self.actor.upper_limits
        change = torch.zeros(16, 3, requires_grad=True)
        shift = torch.zeros(6, requires_grad=True)
        optimiser = torch.optim.Adam([{"params": [change], "lr": 0.012}, {"params": [shift], "lr": 0.0006}])
        movable = (upper - lower) > 1e-6
        for _ in range(steps):
            bent = torch.clamp(angles + change * movable, lower, upper)
            T = shifted(T_object_hand, shift)
            skin = self.posed(bent[None])[0] @ T[:3, :3].T + T[:3, 3]
            distance, _ = self.grid.distance(skin)
            loss = 6e4 * torch.relu(0.0004 - distance).square().sum() + 0.05 * change.square().sum() + 20.0 * shift.square().sum()
            for name, weight in (("thumb", 3.0), ("index", 1.0), ("middle", 1.0), ("ring", 0.6), ("little", 0.3)):
                pad = self.parts.pad[name]
                nearest = torch.topk(distance[pad], 6, largest=False)
                loss = loss + weight * 3e3 * (nearest.values - 0.0002).square().sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return torch.clamp(angles + change.detach() * movable, lower, upper), shifted(T_object_hand, shift.detach())


def _first_touch(nearest: Float[Tensor, "step"]) -> int:
    """First step whose nearest skin comes within 0.5 mm of the surface; the nearest step where none does."""
    touching: Bool[Tensor, "step"] = nearest < 0.0005
    return int(touching.int().argmax()) if touching.any() else int(nearest.argmin())


def _grips_about(mesh: Mesh) -> tuple[Grip, ...]:
    """The body held at its middle from four sides across the longest."""
    axes = _long_axis_first(mesh)
    return tuple(Grip(np.zeros(3), axes[:, 2], sign * axes[:, k], "body") for k in (0, 1) for sign in (1.0, -1.0))


def _long_axis_first(mesh: Mesh) -> Float[np.ndarray, "3 3"]:
    """Right-handed axes of the object as columns, the third along its longest box side (z is kept when sides tie within 15 %)."""
    extent = mesh.extent
    longest = 2 if extent[2] > 0.85 * extent.max() or extent[2] > 0.75 * extent[:2].max() else int(extent.argmax())
    order = [(longest + 1) % 3, (longest + 2) % 3, longest]
    return np.eye(3)[:, order]
