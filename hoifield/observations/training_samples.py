"""Labelled pixels that a clip's classifier learns from: the user's masks, and what position alone makes certain."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int, UInt8

from hoifield.observations.clip_appearance import ClipAppearance
from hoifield.observations.colour_models import to_lab
from hoifield.observations.frame_masks import BACKGROUND, LEFT_HAND, NOT_OBJECT, OBJECT, RIGHT_HAND
from hoifield.observations.hand_region import HandRegion, region_distance
from hoifield.observations.pixel_classifier import pixel_features
from hoifield.observations.see_hands import Sight
from hoifield.observations.working_frames import WorkingFrames, spread_frames

HAND_CLASS = 2


@dataclass(frozen=True)
class TrainingSamples:
    """Pixels with their class (0 background, 1 object, 2 hand)."""

    features: Float32[np.ndarray, "pixel feature"]
    classes: Int[np.ndarray, "pixel"]

    def thinned(self, step: int) -> "TrainingSamples":
        """Every `step`-th of them."""
        return TrainingSamples(self.features[::step], self.classes[::step])


NO_SAMPLES = TrainingSamples(np.zeros((0, 0), np.float32), np.zeros(0, int))


@dataclass(frozen=True)
class ClipMaterial:
    """What every step of one clip's masks shares."""

    frames: WorkingFrames
    regions: tuple[tuple[HandRegion, ...], ...]
    appearance: ClipAppearance
    sights: tuple[tuple[Sight, ...], ...]
    """What the eyes see about every hand of every frame."""

    def regions_of(self, frame: int) -> tuple[HandRegion, ...]:
        """Hands of one frame; empty when the clip has none."""
        return self.regions[frame] if self.regions else ()

    def seen(self, frame: int, box: tuple[int, int, int, int]) -> tuple[Float32[np.ndarray, "rows columns 3"], Bool[np.ndarray, "rows columns"]]:
        """Probabilities of background, object and hand inside `box` by what the eyes see about all hands, and where they look."""
        left, top, right, bottom = box
        taken, known = np.zeros((2, bottom - top, right - left), np.float32), np.zeros((bottom - top, right - left), bool)
        for sight in self.sights[frame] if self.sights else ():
            share, here = sight.lifted(left, top, right - left, bottom - top)
            taken = np.maximum(taken, np.where(here, share[..., 1:3].transpose(2, 0, 1), 0))
            known |= here
        taken /= np.maximum(taken.sum(0), 1)
        return np.stack([1 - taken.sum(0), *taken], axis=-1), known

    def features(
        self, frame: int, picture: UInt8[np.ndarray, "height width 3"], box: tuple[int, int, int, int], step: int = 1
    ) -> Float32[np.ndarray, "rows columns feature"]:
        """Features of every `step`-th pixel inside `box` = (left, top, right, bottom) of a working picture."""
        left, top, right, bottom = box
        part = np.ascontiguousarray(picture[top:bottom, left:right])
        changed = () if self.appearance.still is None else (self.appearance.difference(to_lab(part), left, top),)
        return pixel_features(part, self.regions_of(frame), left, top, (*changed, self.appearance.skin_map(part)), step)


def certain_hand(
    material: ClipMaterial, frame: int, features: Float32[np.ndarray, "rows columns feature"], radius: float
) -> Bool[np.ndarray, "rows columns"]:
    """Pixels of a whole picture that lie within `radius` palm sizes of a finger bone and have the clip's skin colour."""
    height, width = features.shape[:2]
    bones = np.zeros((height, width), bool)
    for region in material.regions_of(frame):
        bones |= region.capsules(0, 0, width, height, radius)
    return bones & (_skin_layer(features) > 0.6)


def _skin_layer(features: Float32[np.ndarray, "rows columns feature"]) -> Float32[np.ndarray, "rows columns"]:
    return features[..., -1]


def classes_of_mask(
    material: ClipMaterial, frame: int, mask: UInt8[np.ndarray, "height width"], features: Float32[np.ndarray, "height width feature"]
) -> Int[np.ndarray, "height width"]:
    """Class of every pixel of a labelled frame, -1 where it stays open.

    "Anything but the object" becomes hand on skin inside the hand's hull, open on other skin near the hand and on other colours
    at the finger bones, else background.
    """
    height, width = mask.shape
    classes = np.full(mask.shape, -1)
    classes[mask == OBJECT] = 1
    classes[mask == BACKGROUND] = 0
    classes[(mask == RIGHT_HAND) | (mask == LEFT_HAND)] = HAND_CLASS
    other = mask == NOT_OBJECT
    regions = material.regions_of(frame)
    distance = region_distance(regions, 0, 0, width, height) if regions else np.ones(mask.shape, np.float32)
    skin = _skin_layer(features) > 0.5
    bones = np.zeros(mask.shape, bool)
    for region in regions:
        bones |= region.capsules(0, 0, width, height, 0.15)
    classes[other & ~bones & ~(skin & (distance < 0.4))] = 0
    classes[other & skin & (distance < 0.08)] = HAND_CLASS
    return classes


def samples_of_masks(
    material: ClipMaterial, masks: dict[int, UInt8[np.ndarray, "height width"]], rng: np.random.Generator
) -> TrainingSamples:
    """Pixels of the labelled frames: per frame up to 6000 object, 5000 hand and 10000 background, half of these near the object."""
    parts = []
    for frame, picture in material.frames.read(sorted(masks)):
        layers = material.features(frame, picture, (0, 0, material.frames.width, material.frames.height))
        labels = classes_of_mask(material, frame, masks[frame], layers)
        distance = region_distance(material.regions_of(frame), 0, 0, material.frames.width, material.frames.height)
        reach = float(np.quantile(distance[labels == 1], 0.98)) if (labels == 1).any() else 0.5
        near = distance < reach + 0.15
        wanted = [
            (labels == 1, 1, 6000),
            (labels == HAND_CLASS, HAND_CLASS, 5000),
            ((labels == 0) & near, 0, 6000),
            ((labels == 0) & ~near, 0, 4000),
        ]
        parts.append(draw_samples(layers, wanted, rng))
    return join_samples(*parts)


def samples_of_position(material: ClipMaterial, far: float, labelled: set[int], rng: np.random.Generator) -> TrainingSamples:
    """Pixels of other frames whose class position makes certain: skin on the bones, the strip of the arm, and all beyond `far`."""
    parts = []
    chosen_frames = [frame for frame in spread_frames(material.frames.frame_count, 24) if frame not in labelled]
    width, height = material.frames.width, material.frames.height
    for frame, picture in material.frames.read(chosen_frames) if material.regions else ():
        layers = material.features(frame, picture, (0, 0, width, height))
        regions = material.regions_of(frame)
        arm = np.logical_or.reduce([region.arm_strip(0, 0, width, height, spread=0.15) for region in regions])
        distance = region_distance(regions, 0, 0, width, height)
        wanted = [
            (certain_hand(material, frame, layers, 0.06), HAND_CLASS, 300),
            (arm & (distance < far), 0, 200),
            (distance > far, 0, 400),
        ]
        parts.append(draw_samples(layers, wanted, rng))
    return join_samples(*parts)


def draw_samples(
    layers: Float32[np.ndarray, "rows columns feature"],
    wanted: list[tuple[Bool[np.ndarray, "rows columns"], int, int]],
    rng: np.random.Generator,
) -> TrainingSamples:
    """Pixels of one frame by lot: for each (where, class, count) up to so many."""
    flat = layers.reshape(-1, layers.shape[-1])
    chosen = [np.flatnonzero(where) for where, _, _ in wanted]
    chosen = [rng.choice(pixels, min(len(pixels), count), replace=False) for pixels, (_, _, count) in zip(chosen, wanted, strict=True)]
    classes = np.repeat([label for _, label, _ in wanted], [len(pixels) for pixels in chosen])
    return TrainingSamples(flat[np.concatenate(chosen)], classes)


def join_samples(*parts: TrainingSamples) -> TrainingSamples:
    """All of them as one, in order; those without pixels are left out."""
    filled = [part for part in parts if len(part.classes)]
    if not filled:
        return NO_SAMPLES
    return TrainingSamples(np.concatenate([part.features for part in filled]), np.concatenate([part.classes for part in filled]))
