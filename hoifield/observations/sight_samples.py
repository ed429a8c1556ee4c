"""Pixels that a clip's classifier learns from when nobody labelled anything: those of which the eyes are sure."""

import numpy as np

from hoifield.observations.training_samples import HAND_CLASS, NO_SAMPLES, ClipMaterial, TrainingSamples, draw_samples, join_samples
from hoifield.observations.working_frames import spread_frames

SURE = 0.95
"""Probability from which a pixel teaches. Less sure ones were measured to teach the eyes' mistakes."""
PER_FRAME = {1: 700, HAND_CLASS: 500, 0: 900}
"""Pixels of each class that one frame teaches."""
_BEYOND = 400
"""Pixels a frame from where the eyes do not look: background."""
_LEAST_SHARE, _LEAST_FRAMES = 0.03, 0.25
"""A held object is seen with this share of the hand's area at least, in this share of the frames at least."""


def samples_of_sights(material: ClipMaterial, rng: np.random.Generator) -> TrainingSamples:
    """Training pixels found without labels; none of class 1 where the eyes see no held object in most of the clip."""
    if not material.regions:
        return NO_SAMPLES
    width, height = material.frames.width, material.frames.height
    whole = (0, 0, width, height)
    parts, holding = [], []
    for frame, picture in material.frames.read(spread_frames(material.frames.frame_count)):
        share, known = material.seen(frame, whole)
        areas = np.bincount(share.argmax(-1)[known], minlength=3)
        holding.append(areas[1] > _LEAST_SHARE * areas[HAND_CLASS])
        wanted = [(known & (share[..., label] > SURE), label, count) for label, count in PER_FRAME.items()]
        parts.append(draw_samples(material.features(frame, picture, whole), [*wanted, (~known, 0, _BEYOND)], rng))
    return join_samples(*parts) if np.mean(holding) >= _LEAST_FRAMES else NO_SAMPLES
