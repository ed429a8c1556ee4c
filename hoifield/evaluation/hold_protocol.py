"""HOLD's own way of measuring (Fan et al. 2024, released code): mesh vertices, an ICP with scale, the first frame.

Kept: centring at the mean vertex, 1000 surface samples each, one-way point-to-point ICP with scale and a 1 cm limit, the vertex
distance of the best start. Changed, so that it repeats: 65 fixed starts in place of identity and 600 unseeded RANSAC starts.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from hoifield.evaluation.align import Similarity, start_rotations
from hoifield.evaluation.shape_metrics import SurfaceDistances, measure_distances
from hoifield.geometry.mesh import Mesh, sample_surface
from hoifield.geometry.rigid import align_points

ICP_SAMPLES, ICP_LIMIT, ICP_STEPS, ICP_CHANGE = 1_000, 0.01, 30, 1e-6
"""Samples of each surface, metres, and the stopping rule of the library that HOLD calls."""
MEASURED_STARTS = 10
"""The best registrations by their samples; these are measured on all vertices."""
HAND_VERTICES = 3_000
"""Vertices drawn of each mesh for the distance in the hand."""


def compare_as_hold(
    prediction: Mesh,
    truth: Mesh,
    T_camera_prediction: Float[np.ndarray, "4 4"],
    T_camera_truth: Float[np.ndarray, "4 4"],
    seed: int = 0,
) -> SurfaceDistances:
    """Vertex distances after HOLD's ICP from the poses of one frame; the smallest two-way squared distance over the starts is kept."""
    source, target = _centred(prediction.moved(T_camera_prediction)), _centred(truth.moved(T_camera_truth))
    generator = np.random.default_rng(seed)
    samples = sample_surface(source, ICP_SAMPLES, generator), sample_surface(target, ICP_SAMPLES, generator)
    return _best_of(source, target, samples, start_rotations(*samples))


def hold_floor(truth: Mesh, seed: int = 0) -> SurfaceDistances:
    """What the truth scores against itself: the two sets of samples differ, so the ICP leaves it a little beside itself."""
    mesh, generator = _centred(truth), np.random.default_rng(seed)
    samples = sample_surface(mesh, ICP_SAMPLES, generator), sample_surface(mesh, ICP_SAMPLES, generator)
    return _best_of(mesh, mesh, samples, [np.eye(3)])


def _centred(mesh: Mesh) -> Mesh:
    """The mesh with its mean vertex at the origin."""
    return replace(mesh, vertices=mesh.vertices - mesh.vertices.mean(0))


def _best_of(
    source: Mesh,
    target: Mesh,
    samples: tuple[Float[np.ndarray, "sample 3"], Float[np.ndarray, "sample 3"]],
    starts: list[Float[np.ndarray, "3 3"]],
) -> SurfaceDistances:
    """Vertex distances of the start that ends nearest."""
    source_points, target_points = samples
    tree = cKDTree(target_points)
    found: list[tuple[float, Similarity]] = []
    for rotation in starts:
        T = np.eye(4)
        T[:3, :3] = rotation
        similarity = _register(source_points, target_points, tree, Similarity(1.0, T))
        found.append((measure_distances(similarity.apply(source_points), target_points).chamfer_squared_cm2, similarity))
    found.sort(key=lambda entry: entry[0])
    source_tree, target_tree = cKDTree(source.vertices), cKDTree(target.vertices)
    measured = []
    for _, similarity in found[:MEASURED_STARTS]:
        forward = target_tree.query(similarity.apply(source.vertices))[0]
        backward = similarity.scale * source_tree.query(similarity.apply_inverse(target.vertices))[0]
        measured.append(SurfaceDistances(forward, backward))
    return min(measured, key=lambda distances: distances.chamfer_squared_cm2)


def _register(source: Float[np.ndarray, "a 3"], target: Float[np.ndarray, "b 3"], tree: cKDTree, start: Similarity) -> Similarity:
    """One-way point-to-point ICP with scale; only pairs nearer than the limit count."""
    current, share, error = start, 0.0, 0.0
    for _ in range(ICP_STEPS):
        distance, nearest = tree.query(current.apply(source), distance_upper_bound=ICP_LIMIT)
        near = np.isfinite(distance)
        if near.sum() < 4:
            break
        new_share, new_error = float(near.mean()), float(np.sqrt(np.mean(distance[near] ** 2)))
        if abs(new_share - share) < ICP_CHANGE and abs(new_error - error) < ICP_CHANGE:
            break
        share, error = new_share, new_error
        current = Similarity(*align_points(source[near], target[nearest[near]], True))
    return current


def placement_as_hold(
    prediction: tuple[Mesh, Float[np.ndarray, "frame 4 4"], Float[np.ndarray, "frame 3"]],
    truth: tuple[Mesh, Float[np.ndarray, "frame 4 4"], Float[np.ndarray, "frame 3"]],
    generator: np.random.Generator,
) -> tuple[Float[np.ndarray, "frame"], Float[np.ndarray, "frame"]]:
    """CD_h per frame: object vertices minus the hand's root joint, nothing aligned; squared (cm^2, HO3D) and plain (cm, ARCTIC).

    Each side is (mesh, T_camera_object, root joint in the camera). At most 3000 vertices a side, drawn anew in every frame. NaN
    where a pose is missing.
    """
    squared, plain = np.full((2, len(truth[1])), np.nan)
    for frame in range(len(squared)):
        clouds = []
        for mesh, poses, roots in (prediction, truth):
            vertices = mesh.vertices[generator.permutation(len(mesh.vertices))[:HAND_VERTICES]]
            clouds.append(vertices @ poses[frame, :3, :3].T + poses[frame, :3, 3] - roots[frame])
        if all(np.isfinite(cloud).all() for cloud in clouds):
            distances = measure_distances(*clouds)
            squared[frame], plain[frame] = distances.chamfer_squared_cm2, distances.chamfer_sum_cm
    return squared, plain
