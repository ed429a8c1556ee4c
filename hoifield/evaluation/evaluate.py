"""The scorecard of a result against a truth folder: every name of docs/scores.md, every frame counted."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from hoifield.datasets.read_truth import read_truth
from hoifield.datasets.truth import Labels
from hoifield.evaluation.hand_scores import score_hands
from hoifield.evaluation.image_metrics import mask_overlaps
from hoifield.evaluation.matched_frames import MatchedFrames, match_frames
from hoifield.evaluation.motion_scores import score_motion
from hoifield.evaluation.scorecard import Score, Scorecard
from hoifield.evaluation.shape_scores import score_shape
from hoifield.result.fit_result import FitResult


def evaluate(prediction: FitResult, truth_path: Path, seed: int = 0) -> Scorecard:
    """All scores of `prediction` against the truth at `truth_path`: a folder written by `synth`, or a part of a real set that
    `read_truth` knows.

    Frames are matched by clip frame number. Frames of the truth that the prediction does not place are counted in each score
    (`count` of `total`) and shown as `frames_placed_pct`. The same arguments give the same digits. Raises RefusedInput (HF-EVA-001)
    where no frame is common to both.
    """
    truth = read_truth(truth_path)
    matched = match_frames(prediction, truth.result)
    generator = np.random.default_rng(seed)
    scores = score_shape(matched, truth.vertex_seen, generator, seed)
    scores += score_motion(matched)
    scores += score_hands(matched, generator, seed)
    if truth.read_labels is not None:
        scores += _mask_scores(matched, truth.read_labels)
    return Scorecard(tuple(scores))


def evaluate_shape(prediction: FitResult, truth_path: Path, seed: int = 0) -> Scorecard:
    """The scores of the object's shape alone, with the digits of `evaluate`."""
    truth = read_truth(truth_path)
    return Scorecard(tuple(score_shape(match_frames(prediction, truth.result), truth.vertex_seen, np.random.default_rng(seed), seed)))


def _mask_scores(matched: MatchedFrames, read_labels: Callable[[int], Labels | None]) -> list[Score]:
    """Agreement of the drawn meshes with the true masks."""
    hand_iou, object_iou = mask_overlaps(matched.prediction, matched.rows, matched.truth.frame_index, read_labels)
    named = (("mask_iou_hand", hand_iou), ("mask_iou_object", object_iou))
    return [Score.over_frames(name, values, "ratio", "none", "all pixels; frames not placed score 0", floor=1.0) for name, values in named]
