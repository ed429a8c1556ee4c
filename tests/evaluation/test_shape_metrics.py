"""Shape distances have closed forms on spheres, agree with independent figures on real meshes, and notice what is wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

from hoifield.evaluation.shape_metrics import SurfaceDistances, compare_surfaces, measure_distances, sampling_floor, split_by_seen
from hoifield.geometry.mesh import Mesh


def sphere(radius: float, subdivisions: int = 5) -> Mesh:
    shape = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius)
    return Mesh(np.asarray(shape.vertices), np.asarray(shape.faces))


def load(path: Path) -> Mesh:
    shape = trimesh.load(path, force="mesh", process=False)
    return Mesh(np.asarray(shape.vertices, dtype=np.float64), np.asarray(shape.faces))


def test_concentric_spheres_give_twice_the_squared_gap() -> None:
    gap = 0.004
    distances = compare_surfaces(sphere(0.05 + gap), sphere(0.05), np.random.default_rng(0), 60_000)
    assert distances.chamfer_squared_cm2 == pytest.approx(2 * (100 * gap) ** 2, rel=0.02)
    assert distances.chamfer_sum_cm == pytest.approx(2 * 100 * gap, rel=0.01)
    assert distances.chamfer_mean_cm == pytest.approx(100 * gap, rel=0.01)


def test_the_f_score_jumps_at_the_gap() -> None:
    distances = compare_surfaces(sphere(0.054), sphere(0.05), np.random.default_rng(0), 60_000)
    assert distances.f_score_pct(0.0038) < 1
    assert distances.f_score_pct(0.0044) > 99


def test_the_floor_of_the_truth_against_itself_is_that_of_random_points() -> None:
    count = 20_000
    floor = sampling_floor(sphere(0.05), np.random.default_rng(1), count)
    area_cm2 = 4 * np.pi * 5.0**2
    assert floor.chamfer_squared_cm2 == pytest.approx(2 * area_cm2 / (np.pi * count), rel=0.05)
    assert floor.f_score_pct(0.005) == 100


def test_nearest_distances_equal_the_full_table() -> None:
    generator = np.random.default_rng(2)
    a, b = generator.normal(size=(50, 3)), generator.normal(size=(70, 3))
    table = np.linalg.norm(a[:, None] - b[None], axis=-1)
    measured = measure_distances(a, b)
    np.testing.assert_allclose(measured.prediction_to_truth, table.min(1))
    np.testing.assert_allclose(measured.truth_to_prediction, table.min(0))


def test_nothing_within_reach_scores_zero() -> None:
    assert SurfaceDistances(np.ones(3), np.ones(3)).f_score_pct(0.01) == 0


def test_a_dent_on_the_unseen_side_leaves_the_seen_score_alone() -> None:
    generator = np.random.default_rng(3)
    truth = generator.normal(size=(20_000, 3))
    truth *= 0.05 / np.linalg.norm(truth, axis=1, keepdims=True)
    dented = truth.copy()
    dented[dented[:, 2] < 0, 2] *= 0.5
    seen_part, unseen_part = split_by_seen(dented, truth, truth[:, 2] > 0.005)
    assert seen_part is not None and unseen_part is not None
    assert unseen_part.chamfer_squared_cm2 > 20 * seen_part.chamfer_squared_cm2


def test_a_wholly_seen_surface_has_no_unseen_part() -> None:
    points = np.random.default_rng(4).random((100, 3))
    assert split_by_seen(points, points, np.ones(100, dtype=bool))[1] is None


PAIRS = ("mustard/ours", "AP13/AP13_ours", "sm1/kinectfusion")


@pytest.mark.parametrize("pair", PAIRS)
def test_real_reconstructions_score_as_measured_independently(real_data: Path, pair: str) -> None:
    folder = real_data / "eval-bundlesdf-meshes"
    expected = json.loads((folder / "reference_metrics.json").read_text())["results"][pair]
    sequence, method = pair.split("/")
    truth = load(folder / sequence / ("AP13_gt.glb" if sequence == "AP13" else "gt.glb"))
    prediction = load(folder / sequence / f"{method}_smoothed.glb")
    distances = compare_surfaces(prediction, truth, np.random.default_rng(5), 100_000)
    forward, backward = distances.prediction_to_truth, distances.truth_to_prediction
    measured = (forward.mean(), backward.mean(), np.mean(forward**2), np.mean(backward**2))
    measured += (distances.f_score_pct(0.005) / 100, distances.f_score_pct(0.010) / 100)
    names = ("pred_to_gt_mean_m", "gt_to_pred_mean_m", "pred_to_gt_meansq_m2", "gt_to_pred_meansq_m2", "F@5mm", "F@10mm")
    for name, value, spread in zip(names, measured, expected["std_over_3_seeds"], strict=True):
        assert value == pytest.approx(expected[name], abs=5 * spread + 0.002 * expected[name]), name


def test_the_vertex_convention_is_reproduced_exactly_on_every_pair(real_data: Path) -> None:
    folder = real_data / "eval-bundlesdf-meshes"
    expected = json.loads((folder / "reference_metrics.json").read_text())["hold_convention"]["results"]
    assert len(expected) == 16
    truths = {sequence: load(folder / sequence / ("AP13_gt.glb" if sequence == "AP13" else "gt.glb")) for sequence in ("mustard", "AP13", "sm1")}
    for pair, reference in expected.items():
        sequence, method = pair.split("/")
        distances = measure_distances(load(folder / sequence / f"{method}_smoothed.glb").vertices, truths[sequence].vertices)
        measured = (distances.chamfer_squared_cm2, distances.f_score_pct(0.005) / 100, distances.f_score_pct(0.010) / 100)
        assert measured == pytest.approx([reference[name] for name in ("cd_cm2", "f5", "f10")], rel=1e-4, abs=1e-6), pair
