"""Distances between two surfaces, in every convention in use, from area-weighted samples."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import cKDTree

from hoifield.geometry.mesh import Mesh, sample_surface

SURFACE_SAMPLES = 30_000


@dataclass(frozen=True)
class SurfaceDistances:
    """Nearest distances both ways between two point sets, metres."""

    prediction_to_truth: Float[np.ndarray, "predicted"]
    truth_to_prediction: Float[np.ndarray, "true"]

    @property
    def chamfer_squared_cm2(self) -> float:
        """Mean squared distance, both directions summed, cm^2 (HOLD, DiffHOI)."""
        return float(1e4 * (np.mean(self.prediction_to_truth**2) + np.mean(self.truth_to_prediction**2)))

    @property
    def chamfer_sum_cm(self) -> float:
        """Mean distance, both directions summed, cm (ForeHOI on HOT3D)."""
        return float(1e2 * (self.prediction_to_truth.mean() + self.truth_to_prediction.mean()))

    @property
    def chamfer_mean_cm(self) -> float:
        """Mean distance, both directions averaged, cm (ForeHOI on HO3D)."""
        return self.chamfer_sum_cm / 2

    def f_score_pct(self, threshold: float) -> float:
        """Harmonic mean of the shares of points within `threshold` metres, percent."""
        precision = float(np.mean(self.prediction_to_truth < threshold))
        recall = float(np.mean(self.truth_to_prediction < threshold))
        return 200 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def measure_distances(prediction: Float[np.ndarray, "predicted 3"], truth: Float[np.ndarray, "true 3"]) -> SurfaceDistances:
    """Exact nearest distances between two point sets, both ways."""
    return SurfaceDistances(cKDTree(truth).query(prediction)[0], cKDTree(prediction).query(truth)[0])


def compare_surfaces(prediction: Mesh, truth: Mesh, generator: np.random.Generator, count: int = SURFACE_SAMPLES) -> SurfaceDistances:
    """Nearest distances between area-weighted samples of two meshes, as they lie (no alignment)."""
    return measure_distances(sample_surface(prediction, count, generator), sample_surface(truth, count, generator))


def sampling_floor(truth: Mesh, generator: np.random.Generator, count: int = SURFACE_SAMPLES) -> SurfaceDistances:
    """What a perfect answer scores: the truth against itself, sampled anew."""
    return compare_surfaces(truth, truth, generator, count)


def split_by_seen(
    prediction: Float[np.ndarray, "predicted 3"], truth: Float[np.ndarray, "true 3"], seen: Bool[np.ndarray, "true"]
) -> tuple[SurfaceDistances | None, SurfaceDistances | None]:
    """Distances of the surface that was seen and of the rest; None for a part that is empty.

    A truth point belongs to its own part, a predicted point to the part of its nearest truth point.
    """
    to_truth, nearest = cKDTree(truth).query(prediction)
    to_prediction = cKDTree(prediction).query(truth)[0]
    parts: list[SurfaceDistances | None] = []
    for part in (seen, ~seen):
        predicted_part = part[nearest]
        filled = part.any() and predicted_part.any()
        parts.append(SurfaceDistances(to_truth[predicted_part], to_prediction[part]) if filled else None)
    return parts[0], parts[1]
