"""A hand closes on an object: palm placed, fingers bent until they touch, then refined, and checked."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial.transform import Rotation
from torch import Tensor

from hoifield.actors.skinned_model import FINGERS, SkinnedModel
from hoifield.errors import InternalError
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hoifield.geometry.trilinear import lookup_distance

FINGER_JOINTS = {"thumb": (13, 14, 15), "index": (1, 2, 3), "middle": (4, 5, 6), "ring": (10, 11, 12), "little": (7, 8, 9)}
CONTACT_REACH, DEEPEST_PENETRATION = 0.002, 0.002
GRID_MARGIN, GRID_CELLS = 0.08, 72
CLOSING_STEPS, REFINED_PLACEMENTS = 36, 4


@dataclass(frozen=True)
class Grasp:
    """A hand on an object: finger angles and where the object lies in the hand frame."""

    pose: Float[np.ndarray, "joint=16 3"]
    """Axis-angle per joint; the root row is zero."""
    T_hand_object: Float[np.ndarray, "4 4"]
    touching: tuple[str, ...]
    """Fingers within 2 mm of the object."""
    deepest: float
    """Largest depth of a skin vertex inside the object, metres."""


@dataclass(frozen=True)
class ObjectGrid:
    """Cached signed distances about an object, object frame."""

    values: Float[Tensor, "1 x y z"]
    lower: Float[Tensor, "1 3"]
    spacing: Float[Tensor, "1"]

    @staticmethod
    def of(mesh: Mesh) -> "ObjectGrid":
        """Distances on a regular grid that reaches 8 cm beyond the object."""
        lower = mesh.vertices.min(0) - GRID_MARGIN
        side = mesh.extent + 2 * GRID_MARGIN
        spacing = float(side.max() / GRID_CELLS)
        counts = np.ceil(side / spacing).astype(int) + 1
        axes = [lower[k] + spacing * np.arange(counts[k]) for k in range(3)]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        values = MeshDistance(mesh.vertices, mesh.faces).closest(grid.reshape(-1, 3)).signed_distance.reshape(counts)
        tensors = [torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)) for array in (values[None], lower[None], [spacing])]
        return ObjectGrid(tensors[0], tensors[1], tensors[2])

    def distance(self, points: Float[Tensor, "*batch 3"]) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch 3"]]:
        """Signed distances and their gradients at object-frame points."""
        flat = points.reshape(-1, 3)
        row = torch.zeros(len(flat), dtype=torch.int64)
        value, gradient = lookup_distance(self.values, row, flat, self.lower, self.spacing)
        return value.reshape(points.shape[:-1]), gradient.reshape(points.shape)


@dataclass(frozen=True)
class HandParts:
    """Which vertices of an actor belong to each finger, to its touching pad and to the palm."""

    finger: dict[str, Int[Tensor, "vertex"]]
    pad: dict[str, Int[Tensor, "vertex"]]
    palm: Int[Tensor, "vertex"]

    @staticmethod
    def of(actor: SkinnedModel) -> "HandParts":
        """Parts from the skinning weights and the flexion axes."""
        owner = actor.weights.argmax(1)
        centred = actor.template - actor.joint_template[owner]
        finger, pad = {}, {}
        for name, joints in FINGER_JOINTS.items():
            finger[name] = torch.nonzero(torch.isin(owner, torch.tensor(joints)))[:, 0]
            flexion, bone = actor.joint_axes[joints[2], :, 0], actor.joint_axes[joints[2], :, 2]
            tip = actor.template[actor.fingertip_vertices[FINGERS.index(name)]] - actor.joint_template[joints[2]]
            inward = torch.linalg.cross(flexion, bone * torch.sign(bone @ tip))
            facing = (centred @ inward > 0.002) & (centred @ tip > 0.25 * (tip @ tip))
            pad[name] = torch.nonzero((owner == joints[2]) & facing)[:, 0]
        inward = torch.linalg.cross(actor.joint_axes[4, :, 0], actor.joint_template[4])
        inward = inward / inward.norm()
        palm = torch.nonzero((owner == 0) & (actor.template @ inward > 0.004))[:, 0]
        return HandParts(finger, pad, palm)


@dataclass
class GraspSearch:
    """One actor and one object; `find` returns a grasp that passed the checks."""

    actor: SkinnedModel
    mesh: Mesh
    shape: Float[Tensor, "component=10"]
    seed: int

    def __post_init__(self) -> None:
        self.grid = ObjectGrid.of(self.mesh)
        self.parts = HandParts.of(self.actor)
        self.sign = 1.0 if self.actor.side == "right" else -1.0

    def posed(self, angles: Float[Tensor, "frame joint=16 3"]) -> Float[Tensor, "frame vertex 3"]:
        """Skin in the hand frame for anatomical angles (flexion, abduction, twist)."""
        axis_angle = torch.einsum("jab,fjb->fja", self.actor.joint_axes, angles)
        return self.actor.pose(self.shape, axis_angle, torch.eye(4).expand(len(angles), 4, 4)).vertices

    def find(self) -> Grasp:
        """The best of several placements: fingers closed by search, then refined. Raises InternalError (HF-SYN-002) if none holds."""
        closed = [self._close(T) for T in self._placements()]
        closed.sort(key=lambda candidate: candidate[0])
        grasps = []
        for _, angles, T in closed[:REFINED_PLACEMENTS]:
            grasps.append(self._finished(*self._refined(angles, T)))
            if grasp_holds(grasps[-1]):
                return grasps[-1]
        best = min(grasps, key=lambda grasp: grasp.deepest)
        raise InternalError(
            "HF-SYN-002",
            f"no grasp found: {len(best.touching)} fingers touch, the skin is {1e3 * best.deepest:.1f} mm inside",
            "choose another object or seed",
        )

    def near(self, T_object_hand: Float[np.ndarray, "4 4"]) -> Grasp:
        """What closing and refining end in from a placement of the flat hand; `grasp_holds` says whether it is a grasp."""
        _, angles, T = self._close(torch.from_numpy(T_object_hand).float())
        return self._finished(*self._refined(angles, T))

    def _placements(self) -> list[Float[Tensor, "4 4"]]:
        """T_object_hand for several turns about the long axis and heights of the grip; the palm just off the surface."""
        generator = np.random.default_rng(self.seed)
        axes = _long_axis_first(self.mesh)
        half = float(np.abs(self.mesh.vertices @ axes[:, 2]).max())
        placements = []
        for turn in np.arange(0, 360, 45) + generator.uniform(-8, 8):
            for height in (0.25, 0.45):
                T_hand_object = np.eye(4)
                T_hand_object[:3, :3] = Rotation.from_euler("z", turn, degrees=True).as_matrix() @ axes.T
                along = min(height * half, max(half - 0.03, 0.0)) + 0.006
                gap = float(generator.uniform(0.010, 0.018))
                T_hand_object[:3, 3] = [-0.108 * self.sign, -0.2, along]
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
            T[1, 3] = -middle
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
            T = _shifted(T_object_hand, shift)
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
        return torch.clamp(angles + change.detach() * movable, lower, upper), _shifted(T_object_hand, shift.detach())

    def _finished(self, angles: Float[Tensor, "joint=16 3"], T_object_hand: Float[Tensor, "4 4"]) -> Grasp:
        """The grasp with its exact distances to the mesh."""
        T = T_object_hand.double().numpy()
        skin = self.posed(angles[None])[0].double().numpy() @ T[:3, :3].T + T[:3, 3]
        distance = MeshDistance(self.mesh.vertices, self.mesh.faces).closest(skin).signed_distance
        touching = tuple(name for name in FINGERS if distance[self.parts.finger[name].numpy()].min() < CONTACT_REACH)
        matrices = matrix_from_axis_angle(torch.einsum("jab,jb->ja", self.actor.joint_axes, angles))
        pose = axis_angle_from_matrix(matrices).double().numpy()
        pose[0] = 0
        return Grasp(pose, np.linalg.inv(T), touching, float(max(-distance.min(), 0.0)))


def grasp_holds(grasp: Grasp) -> bool:
    """Whether thumb and at least two fingers touch, and the skin is nowhere deeper than 2 mm."""
    return "thumb" in grasp.touching and len(grasp.touching) >= 3 and grasp.deepest <= DEEPEST_PENETRATION


def _first_touch(nearest: Float[Tensor, "step"]) -> int:
    """First step whose nearest skin comes within 0.5 mm of the surface; the nearest step where none does."""
    touching: Bool[Tensor, "step"] = nearest < 0.0005
    return int(touching.int().argmax()) if touching.any() else int(nearest.argmin())


def _shifted(T_object_hand: Float[Tensor, "4 4"], shift: Float[Tensor, "6"]) -> Float[Tensor, "4 4"]:
    """The placement moved by a small turn and translation in the hand frame."""
    turn = torch.cat([matrix_from_axis_angle(20.0 * shift[:3]), shift[3:, None]], dim=1)
    return T_object_hand @ torch.cat([turn, torch.tensor([[0.0, 0.0, 0.0, 1.0]])])


def _long_axis_first(mesh: Mesh) -> Float[np.ndarray, "3 3"]:
    """Right-handed axes of the object as columns, the third along its longest box side (z is kept when sides tie within 15 %)."""
    extent = mesh.extent
    longest = 2 if extent[2] > 0.85 * extent.max() or extent[2] > 0.75 * extent[:2].max() else int(extent.argmax())
    order = [(longest + 1) % 3, (longest + 2) % 3, longest]
    return np.eye(3)[:, order]
