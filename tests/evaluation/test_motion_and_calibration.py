"""Jerk is exact for cubic motion; calibration has closed forms."""

import numpy as np
import pytest
import trimesh

from hoifield.evaluation.calibration import measure_calibration
from hoifield.evaluation.motion_metrics import jerk, surface_centre
from hoifield.geometry.mesh import Mesh


def cubic(time_s: np.ndarray, third: np.ndarray) -> np.ndarray:
    """A motion whose third derivative is `third`."""
    lower = np.random.default_rng(0).normal(size=(3, 3))
    return np.vander(time_s, 3) @ lower + time_s[:, None] ** 3 * third / 6


def test_a_cubic_motion_has_the_jerk_of_its_coefficient_even_at_uneven_times() -> None:
    third = np.array([3.0, -4.0, 12.0])
    time_s = np.cumsum(np.random.default_rng(1).uniform(0.02, 0.06, 20))
    np.testing.assert_allclose(jerk(cubic(time_s, third), time_s, np.arange(20)), 13.0, rtol=1e-6)


def test_constant_acceleration_has_no_jerk() -> None:
    time_s = np.arange(10) / 30
    np.testing.assert_allclose(jerk(cubic(time_s, np.zeros(3)), time_s, np.arange(10)), 0, atol=1e-8)


def test_one_frame_off_by_a_millimetre_shakes_the_four_windows_around_it() -> None:
    positions, step = np.zeros((12, 3)), 1 / 30
    positions[6, 0] = 0.001
    expected = 0.001 / step**3 * np.array([1, 3, 3, 1])
    measured = jerk(positions, np.arange(12) * step, np.arange(12))
    np.testing.assert_allclose(measured[3:7], expected)
    assert not measured[:3].any() and not measured[7:].any()


def test_windows_across_a_gap_or_without_a_pose_are_not_measured() -> None:
    positions, frames = np.zeros((9, 3)), np.array([0, 1, 2, 3, 8, 9, 10, 11, 12])
    positions[8] = np.nan
    assert np.isfinite(jerk(positions, frames / 30, frames)).tolist() == [True, False, False, False, True, False]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_fewer_than_four_frames_have_no_jerk(count: int) -> None:
    assert jerk(np.zeros((count, 3)), np.arange(count) / 30, np.arange(count)).size == 0


def test_the_centre_of_a_surface_does_not_depend_on_its_tessellation() -> None:
    shape = trimesh.creation.box(extents=(0.1, 0.2, 0.3)).apply_translation((0.5, 0, 0))
    for mesh in (shape, shape.subdivide(face_index=[0, 5]).subdivide(face_index=[0, 1, 2])):
        np.testing.assert_allclose(surface_centre(Mesh(np.asarray(mesh.vertices), np.asarray(mesh.faces))), [0.5, 0, 0], atol=1e-12)


def test_confidences_that_are_success_rates_are_calibrated_to_chance() -> None:
    generator = np.random.default_rng(2)
    confidence = generator.random(200_000)
    measured = measure_calibration(list(zip(confidence, generator.random(len(confidence)) > confidence)))
    assert measured.expected_error < 0.006
    for entry in measured.bins:
        assert entry.success_rate == pytest.approx(entry.mean_confidence, abs=0.02)


def test_the_floor_of_the_calibration_error_is_what_chance_gives() -> None:
    generator = np.random.default_rng(3)
    errors, floors = [], []
    for _ in range(300):
        confidence = generator.uniform(0.1, 0.9, 400)
        measured = measure_calibration(list(zip(confidence, generator.random(400) > confidence)))
        errors.append(measured.expected_error)
        floors.append(measured.expected_error_floor)
    assert np.mean(errors) == pytest.approx(np.mean(floors), rel=0.05)


def test_overconfidence_is_the_distance_to_the_success_rate() -> None:
    measured = measure_calibration([(0.95, False)] * 70 + [(0.95, True)] * 30)
    assert measured.expected_error == pytest.approx(0.25)
    assert (measured.count, measured.failures, measured.bins[9].count) == (100, 30, 100)


def test_the_auroc_is_the_share_of_pairs_in_the_right_order() -> None:
    failures, successes = [0.1, 0.4, 0.4, 0.8], [0.3, 0.4, 0.9]
    expected = np.mean([(f < s) + 0.5 * (f == s) for f in failures for s in successes])
    measured = measure_calibration([(f, True) for f in failures] + [(s, False) for s in successes])
    assert measured.failure_auroc == pytest.approx(expected)


@pytest.mark.parametrize(("low", "expected"), [(True, 1.0), (False, 0.0)])
def test_confidences_in_perfect_and_in_perfectly_wrong_order(low: bool, expected: float) -> None:
    pairs = [(0.1 * k, (k < 4) == low) for k in range(10)]
    assert measure_calibration(pairs).failure_auroc == expected


def test_without_failures_there_is_nothing_to_predict_and_without_outcomes_nothing_to_measure() -> None:
    assert np.isnan(measure_calibration([(0.5, False)] * 4).failure_auroc)
    nothing = measure_calibration([])
    assert np.isnan(nothing.expected_error) and nothing.count == 0
    assert nothing.as_json()["expected_error"] is None
