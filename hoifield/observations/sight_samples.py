"""Pixels that a clip's classifier learns from when nobody labelled anything: those of which the eyes are sure."""

import numpy as np

from hoifield.observations.training_samples import HAND_CLASS, ClipMaterial, TrainingSamples
from hoifield.observations.working_frames import spread_frames

SURE = 0.95
"""Probability from which a pixel teaches. Less sure ones were measured to teach the eyes' mistakes."""
_PER_FRAME = {1: 700, HAND_CLASS: 500, 0: 900}
_BEYOND = 400
"""Pixels a frame from where the eyes do not look: background."""
_LEAST_SHARE, _LEAST_FRAMES = 0.03, 0.25
"""A held object is seen with this share of the hand's area at least, in this share of the frames at least."""


def samples_of_sights(material: ClipMaterial, rng: np.random.Generator) -> TrainingSamples:
    """Training pixels found without labels; none of class 1 where the eyes see no held object in most of the clip."""
    empty = TrainingSamples(np.zeros((0, 0), np.float32), np.zeros(0, int), np.zeros(0, int))
    if not material.regions:
        return empty
    width, height = material.frames.width, material.frames.height
    whole = (0, 0, width, height)
    features, classes, frames, holding = [], [], [], []
    for frame, picture in material.frames.read(spread_frames(material.frames.frame_count)):
        share, known = material.seen(frame, whole)
        areas = np.bincount(share.argmax(-1)[known], minlength=3)
        holding.append(areas[1] > _LEAST_SHARE * areas[HAND_CLASS])
        layers = material.features(frame, picture, whole).reshape(width * height, -1)
        wheres = [(known & (share[..., label] > SURE), label, count) for label, count in _PER_FRAME.items()]
        for where, label, count in (*wheres, (~known, 0, _BEYOND)):
            chosen = np.flatnonzero(where)
            chosen = rng.choice(chosen, min(len(chosen), count), replace=False)
            features.append(layers[chosen])
            classes.append(np.full(len(chosen), label))
            frames.append(np.full(len(chosen), frame))
    if np.mean(holding) < _LEAST_FRAMES:
        return empty
    return TrainingSamples(np.concatenate(features), np.concatenate(classes), np.concatenate(frames))
