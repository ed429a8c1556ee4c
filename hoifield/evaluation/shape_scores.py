"""Scores of the object's shape: every convention in use, each under its own name (docs/scores.md)."""

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Bool
from scipy.spatial import cKDTree

from hoifield.evaluation.align import align_surfaces
from hoifield.evaluation.hold_protocol import compare_as_hold, hold_floor
from hoifield.evaluation.matched_frames import MatchedFrames
from hoifield.evaluation.scorecard import Score
from hoifield.evaluation.shape_metrics import SURFACE_SAMPLES, SurfaceDistances, compare_surfaces, sampling_floor, split_by_seen
from hoifield.geometry.mesh import Mesh, sample_surface

SAMPLED = f"{SURFACE_SAMPLES} area-weighted samples each"
REGISTERED = "rigid+scale ICP, best of 65 fixed starts"
DIFFHOI_SAMPLES = 10_000


def score_shape(
    matched: MatchedFrames, vertex_seen: Bool[np.ndarray, "vertex"] | None, generator: np.random.Generator, seed: int
) -> list[Score]:
    """Every shape score; those of the seen and the unseen part where the truth says which is which."""
    prediction, truth = matched.prediction.object_mesh, matched.truth.object_mesh
    registered = align_surfaces(prediction, truth, True, seed).apply_to_mesh(prediction)
    scores = _registered_scores(registered, truth, generator, seed)
    if vertex_seen is not None:
        scores += _seen_scores(registered, truth, vertex_seen, generator)
    return scores + _diffhoi_scores(registered, truth, seed) + _hold_scores(matched, seed)


def _registered_scores(registered: Mesh, truth: Mesh, generator: np.random.Generator, seed: int) -> list[Score]:
    """Shape after rigid + scale ICP, and in the two rigid conventions of ForeHOI (true size given)."""
    floor = sampling_floor(truth, generator)
    aligned = compare_surfaces(registered, truth, generator)
    scores = [
        Score("cd_icp_cm2", aligned.chamfer_squared_cm2, "cm2", REGISTERED, SAMPLED, 1, 1, floor.chamfer_squared_cm2),
        Score("f5_icp_pct", aligned.f_score_pct(0.005), "percent", REGISTERED, SAMPLED, 1, 1, floor.f_score_pct(0.005)),
        Score("f10_icp_pct", aligned.f_score_pct(0.010), "percent", REGISTERED, SAMPLED, 1, 1, floor.f_score_pct(0.010)),
    ]
    sized = _given_true_size(registered, truth)
    rigid = compare_surfaces(align_surfaces(sized, truth, False, seed).apply_to_mesh(sized), truth, generator)
    how = "true size given (RMS radius), then rigid ICP"
    lengths = {"diagonal": float(np.linalg.norm(truth.extent)), "extent": float(truth.extent.max())}
    scores.append(Score("cd_rigid_mean_cm", rigid.chamfer_mean_cm, "cm", how, SAMPLED, 1, 1, floor.chamfer_mean_cm))
    scores.append(Score("cd_rigid_sum_cm", rigid.chamfer_sum_cm, "cm", how, SAMPLED, 1, 1, floor.chamfer_sum_cm))
    for reference, length in lengths.items():
        for percent in (5, 10):
            threshold = percent / 100 * length
            value, best = rigid.f_score_pct(threshold), floor.f_score_pct(threshold)
            scores.append(Score(f"f{percent}pct{reference}_rigid_pct", value, "percent", how, SAMPLED, 1, 1, best))
    return scores


def _given_true_size(prediction: Mesh, truth: Mesh) -> Mesh:
    """The prediction scaled about its centre to the truth's RMS radius over the surface."""
    generator = np.random.default_rng(0)
    clouds = [sample_surface(mesh, SURFACE_SAMPLES, generator) for mesh in (prediction, truth)]
    centre = clouds[0].mean(0)
    ratio = np.linalg.norm(clouds[1] - clouds[1].mean(0)) / np.linalg.norm(clouds[0] - centre)
    return replace(prediction, vertices=(prediction.vertices - centre) * ratio + centre)


def _seen_scores(registered: Mesh, truth: Mesh, vertex_seen: Bool[np.ndarray, "vertex"], generator: np.random.Generator) -> list[Score]:
    """Shape of the surface that the camera saw and of the rest."""
    points, true_points = sample_surface(registered, SURFACE_SAMPLES, generator), sample_surface(truth, SURFACE_SAMPLES, generator)
    again = sample_surface(truth, SURFACE_SAMPLES, generator)
    seen = vertex_seen[cKDTree(truth.vertices).query(true_points)[1]]
    parts, floors = split_by_seen(points, true_points, seen), split_by_seen(again, true_points, seen)
    return [score for name, part, floor in zip(("seen", "unseen"), parts, floors, strict=True) for score in _part_scores(name, part, floor)]


def _part_scores(name: str, part: SurfaceDistances | None, floor: SurfaceDistances | None) -> list[Score]:
    """Squared distance and F at 5 mm of one part; NaN for an empty one."""
    how, count = "rigid+scale ICP of the whole shape", int(part is not None)
    distance, best = (math.nan if distances is None else distances.chamfer_squared_cm2 for distances in (part, floor))
    share, best_share = (math.nan if distances is None else distances.f_score_pct(0.005) for distances in (part, floor))
    return [
        Score(f"cd_{name}_cm2", distance, "cm2", how, SAMPLED, count, 1, best),
        Score(f"f5_{name}_pct", share, "percent", how, SAMPLED, count, 1, best_share),
    ]


def _diffhoi_scores(registered: Mesh, truth: Mesh, seed: int) -> list[Score]:
    """DiffHOI (Ye et al. 2023): similarity registration that lowers the two-way squared distance, 10000 samples."""
    generator = np.random.default_rng((seed, 1))
    distances = compare_surfaces(registered, truth, generator, DIFFHOI_SAMPLES)
    floor = sampling_floor(truth, generator, DIFFHOI_SAMPLES)
    where = f"{DIFFHOI_SAMPLES} area-weighted samples each"
    scores = [Score("cd_diffhoi_cm2", distances.chamfer_squared_cm2, "cm2", REGISTERED, where, 1, 1, floor.chamfer_squared_cm2)]
    for millimetres in (5, 10, 20):
        value, best = (part.f_score_pct(millimetres / 1000) for part in (distances, floor))
        scores.append(Score(f"f{millimetres}_diffhoi_pct", value, "percent", REGISTERED, where, 1, 1, best))
    return scores


def _hold_scores(matched: MatchedFrames, seed: int) -> list[Score]:
    """HOLD's vertices and ICP, from the poses of the first frame that both sides place; squared (HO3D) and plain (ARCTIC)."""
    prediction, truth = matched.prediction.object_mesh, matched.truth.object_mesh
    poses = (matched.T_camera_object, matched.truth.T_camera_object)
    placed = np.flatnonzero(np.isfinite(np.stack(poses)).all((0, 2, 3)))
    start = [T[placed[0]] if len(placed) else np.eye(4) for T in poses]
    distances, floor = compare_as_hold(prediction, truth, start[0], start[1], seed), hold_floor(truth, seed)
    how, where = "one-way ICP with scale, 1 cm limit, best of 65 fixed starts", "all mesh vertices, unweighted"
    scores = [
        Score("cd_hold_cm2", distances.chamfer_squared_cm2, "cm2", how, where, 1, 1, floor.chamfer_squared_cm2),
        Score("cd_arctic_cm", distances.chamfer_sum_cm, "cm", how, where, 1, 1, floor.chamfer_sum_cm),
    ]
    for millimetres in (5, 10):
        value, best = (part.f_score_pct(millimetres / 1000) for part in (distances, floor))
        scores.append(Score(f"f{millimetres}_hold_pct", value, "percent", how, where, 1, 1, best))
    return scores
