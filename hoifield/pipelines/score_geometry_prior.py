"""How good the geometry prior is on scenes that it was not taught with: denoising by time, samples against the truth, and its confidence."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hoifield.priors.geometry_network import CATEGORIES
from hoifield.priors.geometry_prior import GeometryPrior
from hoifield.priors.noise_schedule import add_noise, picture_from
from hoifield.synthetic.geometry_lessons import GeometryBatch, PosedScene, gather_batch

TIMES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
BINS = 10
COVERED_WELL = 0.7
"""Overlap from which a sample counts as having found the truth."""


@dataclass(frozen=True)
class PriorScoring:
    """How much is looked at."""

    pictures: int = 48
    samples: int = 4
    steps: int = 24
    guidance: float = 1.0
    seed: int = 0


def draw_unseen_batch(scenes: tuple[PosedScene, ...], count: int, seed: int) -> GeometryBatch:
    """Pictures of the scenes in turn, as they were grasped: nothing stretched or shifted."""
    generator = np.random.default_rng((seed, 29))
    chosen = [scenes[number % len(scenes)] for number in range(count)]
    pictures = [posed.seen(posed.draw_view(generator)) for posed in chosen]
    return gather_batch([one for one, _ in pictures], [hand for _, hand in pictures], [posed.scene.category for posed in chosen])


def score_geometry_prior(prior: GeometryPrior, scenes: tuple[PosedScene, ...], settings: PriorScoring) -> dict[str, Any]:
    """Scores as plain data (schema "hoifield.prior/1"), for what is told: hand and category, the hand alone, nothing."""
    batch = draw_unseen_batch(scenes, settings.pictures, settings.seed)
    nothing = torch.zeros_like(batch.hand_picture)
    told = {
        "hand_and_category": (batch.hand_picture, batch.category),
        "hand": (batch.hand_picture, torch.zeros_like(batch.category)),
        "nothing": (nothing, torch.zeros_like(batch.category)),
    }
    scored = {name: _score_told(prior, batch, hand, category, settings) for name, (hand, category) in told.items()}
    categories = sorted({posed.scene.category for posed in scenes})
    return {"schema": "hoifield.prior/1", "weights_sha256": prior.card["sha256"], "categories": categories, **vars(settings), "told": scored}


def _score_told(prior: GeometryPrior, batch: GeometryBatch, hand: Tensor, category: Tensor, settings: PriorScoring) -> dict[str, Any]:
    truth = batch.object_picture
    samples = torch.stack([_sample_each(prior, hand, category, settings, number) for number in range(settings.samples)])
    overlap = torch.stack([cover_overlap(sample, truth) for sample in samples])
    angle = torch.stack([normal_error_deg(sample, truth) for sample in samples])
    best_angle = angle.gather(0, overlap.argmax(0)[None])[0]
    confidence = (samples[:, :, 0] > 0).float().mean(0)
    return {
        "denoising_mse": {f"{time:.1f}": denoising_error(prior, batch, hand, category, time, settings.seed) for time in TIMES},
        "mask_iou_mean": float(overlap.mean()),
        "mask_iou_best": float(overlap.max(0).values.mean()),
        "normal_error_best_deg": None if bool(best_angle.isnan().all()) else float(best_angle.nanmean()),
        "coverage": float((overlap.max(0).values > COVERED_WELL).float().mean()),
        "calibration": _calibration(confidence, truth[:, 0] > 0),
    }


@torch.no_grad()
def denoising_error(prior: GeometryPrior, batch: GeometryBatch, hand: Tensor, category: Tensor, time: float, seed: int) -> float:
    """Mean squared error of the picture that is believed to lie behind noise of a time."""
    truth = batch.object_picture
    drawn = torch.randn(truth.shape, generator=torch.Generator().manual_seed(seed))
    times = torch.full((len(truth),), time)
    noisy = add_noise(truth, drawn, times)
    return float((picture_from(noisy, prior.network(noisy, times, hand, category), times) - truth).square().mean())


def _sample_each(prior: GeometryPrior, hand: Tensor, category: Tensor, settings: PriorScoring, number: int) -> Float[Tensor, "picture 5 row column"]:
    """One sample for each picture, each with the word of its own category."""
    samples = torch.zeros(len(hand), 5, *hand.shape[-2:])
    for word in category.unique().tolist():
        rows = (category == word).nonzero()[:, 0]
        seed = settings.seed * 1009 + number * 31 + word
        samples[rows] = prior.sample(hand[rows], CATEGORIES[word], seed, settings.steps, settings.guidance)
    return samples


def cover_overlap(one: Float[Tensor, "picture 5 row column"], other: Float[Tensor, "picture 5 row column"]) -> Float[Tensor, "picture"]:
    """Intersection over union of the covers; 1 where both are empty."""
    first, second = one[:, 0] > 0, other[:, 0] > 0
    union = (first | second).sum((1, 2))
    return torch.where(union > 0, (first & second).sum((1, 2)) / union.clamp(min=1), 1.0)


def normal_error_deg(one: Float[Tensor, "picture 5 row column"], other: Float[Tensor, "picture 5 row column"]) -> Float[Tensor, "picture"]:
    """Mean angle between normals where both cover, degrees; nan where they share no pixel."""
    both = (one[:, 0] > 0) & (other[:, 0] > 0)
    angle = torch.rad2deg(torch.arccos((one[:, 1:4] * other[:, 1:4]).sum(1).clamp(-1, 1)))
    return (angle * both).sum((1, 2)) / both.sum((1, 2))


def _calibration(confidence: Float[Tensor, "picture row column"], truth: Tensor) -> list[dict[str, float]]:
    """How often pixels are covered, by how many of the samples cover them."""
    rows = []
    place = (confidence * BINS).long().clamp(max=BINS - 1)
    for number in range(BINS):
        inside = place == number
        if inside.any():
            rows.append({"stated": float(confidence[inside].mean()), "true": float(truth[inside].float().mean()), "pixels": int(inside.sum())})
    return rows
