"""Seeds for the classifier when nobody labelled anything: near the hand, unlike skin, unlike what is far away."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int, UInt8

from hoifield.observations.colour_models import ColourDensity, to_lab
from hoifield.observations.hand_region import region_distance, wide_arm
from hoifield.observations.still_background import DIFFERS, EQUALS
from hoifield.observations.training_samples import HAND_CLASS, ClipMaterial, TrainingSamples, certain_hand
from hoifield.observations.working_frames import spread_frames

_NEAR, _LEAST_FAR = 0.15, 0.25
"""Hand lengths: object colours are gathered nearer than the first; background beyond the second and in the farther half."""
_WINDOWS = 4
_HIDDEN = 0.4
"""Share of the seeds whose distance from the still background is hidden: the classifier must know them without it."""
_ENOUGH = 100
"""Differing pixels a frame needs for the object's colours to be taken from them."""


@dataclass(frozen=True)
class _Gathered:
    """One sampled frame, every second pixel."""

    lab: UInt8[np.ndarray, "rows columns 3"]
    features: Float32[np.ndarray, "rows columns feature"]
    distance: Float32[np.ndarray, "rows columns"]
    hand: Bool[np.ndarray, "rows columns"]
    barred: Bool[np.ndarray, "rows columns"]
    """Arm or skin: no object seed here."""
    arm: Bool[np.ndarray, "rows columns"]
    """The narrow strip beyond the wrist: never object."""
    changed: Float32[np.ndarray, "rows columns"]
    """Distance from the still background in units of its spread; -1 where unknown."""


def _gather(material: ClipMaterial) -> list[_Gathered]:
    width, height = material.frames.width, material.frames.height
    gathered = []
    for frame, picture in material.frames.read(spread_frames(material.frames.frame_count)):
        regions = material.regions_of(frame)
        features = material.features(frame, picture, (0, 0, width, height))
        lab = to_lab(picture)
        skin = material.appearance.skin_map(picture)
        near_bones = np.logical_or.reduce([region.capsules(0, 0, width, height, 0.25) for region in regions])
        barred = wide_arm(regions, 0, 0, width, height) | (skin > 0.35) & (near_bones | (skin > 0.7))
        layers = (
            lab,
            features,
            region_distance(regions, 0, 0, width, height),
            certain_hand(material, frame, features, 0.08),
            barred,
            np.logical_or.reduce([region.arm_strip(0, 0, width, height, spread=0.15) for region in regions]),
            material.appearance.difference(lab, 0, 0),
        )
        gathered.append(_Gathered(*(layer[::2, ::2] for layer in layers)))
    return gathered


def samples_of_appearance(material: ClipMaterial, rng: np.random.Generator) -> TrainingSamples:
    """Training pixels found without labels; no pixel of class 1 where nothing near the hand stands out.

    The object's colours are those denser near the hand than farther away in most parts of the clip (density subtraction); for a
    still camera, pixels that equal the uncovered background are never object, and pixels that differ from it are.
    """
    empty = TrainingSamples(np.zeros((0, 0), np.float32), np.zeros(0, int), np.zeros(0, int))
    if not material.regions:
        return empty
    gathered = _gather(material)
    near = _near_colours(gathered)
    far = [_far_limit(part) for part in gathered]
    away = [part.lab[(part.distance > limit) & ~part.barred] for part, limit in zip(gathered, far)]
    if sum(map(len, near)) < 500 or sum(map(len, away)) < 500:
        return empty
    background = ColourDensity.measure(np.concatenate(away)).spread_in_lightness()
    groups = np.array_split(np.arange(len(gathered)), min(_WINDOWS, len(gathered)))
    windows = [ColourDensity.measure(np.concatenate([near[index] for index in group])) for group in groups]
    typical = ColourDensity(share=np.median([window.share for window in windows], axis=0).astype(np.float32))
    features, classes, frames = [], [], []
    for number, part in enumerate(gathered):
        here, there = typical.at(part.lab), background.at(part.lab)
        score = here / (here + 1.5 * there + 5e-6)
        object_seed, background_seed = _seed_regions(part, score)
        for where, class_number, wanted in (
            (object_seed, 1, 700),
            (part.hand, HAND_CLASS, 500),
            (background_seed & (part.distance < far[number]), 0, 700),
            (background_seed & (part.distance >= far[number]), 0, 500),
        ):
            chosen = np.flatnonzero(where)
            chosen = rng.choice(chosen, min(len(chosen), wanted), replace=False)
            features.append(part.features.reshape(-1, part.features.shape[-1])[chosen])
            classes.append(np.full(len(chosen), class_number))
            frames.append(np.full(len(chosen), number))
    layers = np.concatenate(features)
    if material.appearance.still is not None:
        layers[rng.random(len(layers)) < _HIDDEN, -2] = -1.0
    return _gated(TrainingSamples(layers, np.concatenate(classes), np.concatenate(frames)), empty)


def _near_colours(gathered: list[_Gathered]) -> list[UInt8[np.ndarray, "pixel 3"]]:
    """Per frame the colours near the hand; where a still camera shows enough that differs from the background, of that alone."""
    differing = [part.lab[(part.distance < 2 * _NEAR) & (part.changed > DIFFERS) & ~part.barred] for part in gathered]
    if sum(map(len, differing)) > _ENOUGH * len(gathered):
        return differing
    return [part.lab[(part.distance < _NEAR) & ~part.barred] for part in gathered]


def _far_limit(part: _Gathered) -> float:
    free = part.distance[~part.barred]
    return max(_LEAST_FAR, float(np.median(free))) if len(free) else _LEAST_FAR


def _seed_regions(
    part: _Gathered, score: Float32[np.ndarray, "rows columns"]
) -> tuple[Bool[np.ndarray, "rows columns"], Bool[np.ndarray, "rows columns"]]:
    """Object and background seeds of one frame."""
    known = part.changed >= 0.0
    differs, equals = part.changed > DIFFERS, known & (part.changed < EQUALS)
    far = part.distance > _far_limit(part)
    free = ~part.barred & ~part.hand & (part.distance < 0.6)
    if known.any():
        object_seed = differs & (score > 0.3) & free
        background_seed = equals | part.arm | far & (score < 0.7) & ~differs
    else:
        object_seed = (score > 0.75) & free
        background_seed = far & (score < 0.7) | (part.distance > 1.2) | (score < 0.45) & ~part.barred | (score < 0.25) | part.arm
    return object_seed, background_seed & ~part.hand


def _gated(samples: TrainingSamples, empty: TrainingSamples) -> TrainingSamples:
    """The samples, or none where the object seeds are too few to be an object."""
    classes: Int[np.ndarray, "pixel"] = samples.classes
    return samples if (classes == 1).sum() > 400 and (classes == 0).sum() > 400 else empty
