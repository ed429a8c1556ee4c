"""Alignments that scores may apply first: rigid (+ scale) registration of two surfaces, one constant offset between two frames."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from hoifield.geometry.mesh import Mesh, sample_surface
from hoifield.geometry.rigid import align_points

COARSE_SAMPLES, COARSE_STEPS, COARSE_KEPT = 400, 12, 8
MIDDLE_STEPS, MIDDLE_KEPT = 40, 3
FINE_SAMPLES, FINE_STEPS = 4_000, 120
SPREAD_STARTS = 40


@dataclass(frozen=True)
class Similarity:
    """Maps x to T (scale x)."""

    scale: float
    T: Float[np.ndarray, "4 4"]

    def apply(self, points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, "point 3"]:
        """Mapped points."""
        return self.scale * points @ self.T[:3, :3].T + self.T[:3, 3]

    def apply_inverse(self, points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, "point 3"]:
        """Points mapped back."""
        return (points - self.T[:3, 3]) @ self.T[:3, :3] / self.scale

    def apply_to_mesh(self, mesh: Mesh) -> Mesh:
        """The mapped mesh."""
        return Mesh(self.apply(mesh.vertices), mesh.faces, mesh.colours)


@dataclass(frozen=True)
class _Cloud:
    """Points with their search tree."""

    points: Float[np.ndarray, "point 3"]
    tree: cKDTree

    @staticmethod
    def of(points: Float[np.ndarray, "point 3"]) -> "_Cloud":
        return _Cloud(points, cKDTree(points))


def _spread_rotations(count: int) -> Float[np.ndarray, "count 3 3"]:
    """Evenly spread rotations (super-Fibonacci spirals, Alexa 2022)."""
    s = np.arange(count) + 0.5
    radius, complement = np.sqrt(s / count), np.sqrt(1 - s / count)
    alpha, beta = 2 * np.pi * s / np.sqrt(2), 2 * np.pi * s / 1.533751168755204288118041
    quaternions = np.stack([radius * np.sin(alpha), radius * np.cos(alpha), complement * np.sin(beta), complement * np.cos(beta)], 1)
    return Rotation.from_quat(quaternions).as_matrix()


def _principal_axes(points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, "3 3"]:
    """Right-handed principal axes as columns."""
    axes = np.linalg.svd(points - points.mean(0), full_matrices=False)[2].T
    axes[:, 2] *= np.sign(np.linalg.det(axes))
    return axes


def start_rotations(source: Float[np.ndarray, "point 3"], target: Float[np.ndarray, "point 3"]) -> list[Float[np.ndarray, "3 3"]]:
    """Identity, the 24 ways to lay principal axes on principal axes, and an even spread."""
    target_axes, source_axes = _principal_axes(target), _principal_axes(source)
    crossed = [target_axes @ turn @ source_axes.T for turn in Rotation.create_group("O").as_matrix()]
    return [np.eye(3), *crossed, *_spread_rotations(SPREAD_STARTS)]


def _descend(source: _Cloud, target: _Cloud, start: Similarity, with_scale: bool, steps: int) -> tuple[float, Similarity]:
    """Two-way point-to-point ICP; each step lowers the mean of both squared distances, which is returned with the result."""
    current, previous = start, np.inf
    for _ in range(steps):
        moved = current.apply(source.points)
        forward, forward_index = target.tree.query(moved)
        backward, backward_index = source.tree.query(current.apply_inverse(target.points))
        cost = float(np.mean(forward**2) + np.mean((current.scale * backward) ** 2))
        if previous - cost < 1e-7 * max(cost, 1e-12):
            break
        previous = cost
        from_points = np.concatenate([source.points, source.points[backward_index]])
        to_points = np.concatenate([target.points[forward_index], target.points])
        current = Similarity(*align_points(from_points, to_points, with_scale))
    return min(previous, cost), current


def align_surfaces(source: Mesh, target: Mesh, with_scale: bool, seed: int = 0) -> Similarity:
    """The rigid (+ scale) map of `source` onto `target` with the smallest two-way squared distance over 65 starts.

    HOLD's convention (centred start, point-to-point ICP, best distance over the starts is kept), made repeatable: fixed
    starts in place of 600 random ones, two-way pairs so that a scale cannot shrink into a patch. Reflections are not tried.
    """
    generator = np.random.default_rng(seed)
    source_points = sample_surface(source, FINE_SAMPLES, generator)
    target_points = sample_surface(target, FINE_SAMPLES, generator)
    source_mean, target_mean = source_points.mean(0), target_points.mean(0)
    scale = float(np.linalg.norm(target_points - target_mean) / np.linalg.norm(source_points - source_mean)) if with_scale else 1.0
    candidates: list[tuple[float, Similarity]] = []
    for rotation in start_rotations(source_points, target_points):
        T = np.eye(4)
        T[:3, :3], T[:3, 3] = rotation, target_mean - scale * rotation @ source_mean
        candidates.append((0.0, Similarity(scale, T)))
    stages = (
        (COARSE_SAMPLES, COARSE_STEPS, COARSE_KEPT),
        (COARSE_SAMPLES, MIDDLE_STEPS, MIDDLE_KEPT),
        (FINE_SAMPLES, FINE_STEPS, 1),
    )
    for samples, steps, kept in stages:
        sources, targets = _Cloud.of(source_points[:samples]), _Cloud.of(target_points[:samples])
        candidates = [_descend(sources, targets, start, with_scale, steps) for _, start in candidates]
        candidates = sorted(candidates, key=lambda candidate: candidate[0])[:kept]
    return candidates[0][1]


def align_frames(
    T_camera_a: Float[np.ndarray, "frame 4 4"], T_camera_b: Float[np.ndarray, "frame 4 4"], rounds: int = 20
) -> Float[np.ndarray, "4 4"]:
    """The constant T_a_b with T_camera_a(t) T_a_b = T_camera_b(t) as nearly as possible over the frames.

    Least absolute deviations by re-weighting, so that a few wrong frames do not tilt the frames that are right.
    """
    relative = np.linalg.inv(T_camera_a) @ T_camera_b
    weights = np.ones(len(relative))
    translation_weights = np.ones(len(relative))
    T = np.eye(4)
    for _ in range(rounds):
        u, _, vt = np.linalg.svd(np.einsum("f,fij->ij", weights, relative[:, :3, :3]))
        T[:3, :3] = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
        T[:3, 3] = (translation_weights[:, None] * relative[:, :3, 3]).sum(0) / translation_weights.sum()
        turn = np.linalg.norm(Rotation.from_matrix(relative[:, :3, :3] @ T[:3, :3].T).as_rotvec(), axis=1)
        weights = 1 / np.maximum(turn, 1e-3)
        translation_weights = 1 / np.maximum(np.linalg.norm(relative[:, :3, 3] - T[:3, 3], axis=1), 1e-4)
    return T
