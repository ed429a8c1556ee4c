"""Labels of hand, object and background in every frame: what the eyes see, sharpened by one classifier and one smoothing."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8
from torch import nn

from hoifield.clip.clip import Clip
from hoifield.geometry.cameras import Camera
from hoifield.observations.clip_appearance import learn_appearance
from hoifield.observations.colour_models import to_lab
from hoifield.observations.frame_masks import (
    LEFT_HAND,
    NOT_OBJECT,
    OBJECT,
    RIGHT_HAND,
    UNLABELLED,
    FrameMasks,
    MaskSource,
)
from hoifield.observations.hand_region import HandRegion, hand_regions, region_distance, wide_arm
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.label_smoothing import edge_weights, smooth_labels
from hoifield.observations.mask_confidence import SeedSource, area_agreement, confidence_of, expected_overlap
from hoifield.observations.pixel_classifier import PixelClassifier, fit_pixel_classifier
from hoifield.observations.point_seed import require_point_in_clip, samples_of_point
from hoifield.observations.read_given_masks import read_given_masks
from hoifield.observations.see_hands import see_clip
from hoifield.observations.sight_samples import PER_FRAME, SURE, samples_of_sights
from hoifield.observations.still_background import weigh_background
from hoifield.observations.training_samples import (
    HAND_CLASS,
    ClipMaterial,
    TrainingSamples,
    draw_samples,
    join_samples,
    samples_of_masks,
    samples_of_position,
)
from hoifield.observations.working_frames import WorkingFrames, spread_frames
from hoifield.priors.eyes_weights import load_eyes

Masks = dict[int, UInt8[np.ndarray, "height width"]]
_BORDER_STRENGTH = 1.9
EYES_WEIGHT = 0.5
"""Exponent on what the eyes say beside what the clip's colours say, which the eyes have taught."""
_AUTOMATIC_REACH = 0.8
"""Hand lengths around the hand that are searched at first when no frame is labelled."""


@dataclass(frozen=True)
class _Judgement:
    """What was made of one frame inside the box that was searched."""

    box: tuple[int, int, int, int]
    probability: Float32[np.ndarray, "rows columns 3"]
    classes: UInt8[np.ndarray, "rows columns"]
    kept: Bool[np.ndarray, "rows columns"]
    """Pixels of class 1 that belong to the held object."""
    margin: float


@dataclass(frozen=True)
class _FrameLabels:
    labels: UInt8[np.ndarray, "height width"]
    object_overlap: float
    hand_overlap: float


def find_masks(
    clip: Clip,
    camera: Camera,
    hands: tuple[HandTrack, ...],
    given_masks: Path | None = None,
    object_point: tuple[float, float, int] | None = None,
    seed: int = 0,
    network: nn.Module | None = None,
) -> FrameMasks:
    """Masks of every frame at the working size (longest side 640 pixels at most).

    `given_masks` is a folder of `%06d.png`: labels given for a frame are kept as they are and carried on to the other frames.
    Without it, `object_point` = (x, y, frame) in clip pixels names the object once; without either, the object is what the eyes
    (`network`, else the kept ones) see in the hand. A classifier of the clip's own colours, taught by labels or eyes, sharpens what they see.
    `camera` fixes the clip's size. Errors: HF-MSK-001 to -009, HF-NET-001, -002.
    """
    frames = WorkingFrames(clip)
    size = (frames.width, frames.height)
    regions = hand_regions(hands, frames.scale)
    given: Masks = {}
    if given_masks is not None:
        given = read_given_masks(given_masks, clip.frame_count, (camera.width, camera.height), size)
        if len(given) == clip.frame_count and not any(np.isin(mask, (NOT_OBJECT, UNLABELLED)).any() for mask in given.values()):
            return _as_given(given)
    rng = np.random.default_rng(seed)
    reach = _reach(given, regions)
    sights = see_clip(network or load_eyes(), frames, regions, _clicks(frames, object_point))
    material = ClipMaterial(frames, regions, learn_appearance(frames, regions, reach + 0.3, rng), sights)
    seeded_by: SeedSource = "masks"
    if given:
        samples = join_samples(samples_of_masks(material, given, rng), samples_of_position(material, reach + 0.4, set(given), rng))
    elif object_point is not None:
        seeded_by, samples = "point", samples_of_point(material, object_point, rng)
    else:
        seeded_by, samples = "nothing", samples_of_sights(material, rng)
    if not (samples.classes == 1).any():
        return _without_object(frames)
    return _label_clip(material, samples, given, seeded_by, reach, seed)


def _clicks(frames: WorkingFrames, object_point: tuple[float, float, int] | None) -> dict[int, Float[np.ndarray, "2"]]:
    """The object's point in working pixels, by frame. Raises RefusedInput HF-MSK-008 for one outside the clip."""
    if object_point is None:
        return {}
    require_point_in_clip(frames.clip, object_point)
    return {int(object_point[2]): frames.scale * np.array(object_point[:2])}


def _reach(masks: Masks, regions: tuple[tuple[HandRegion, ...], ...]) -> float:
    """How far from the hand the labelled object extends, hand lengths."""
    reaches = []
    for frame, mask in masks.items():
        if regions and (mask == OBJECT).any():
            distance = region_distance(regions[frame], 0, 0, mask.shape[1], mask.shape[0])
            reaches.append(float(np.quantile(distance[mask == OBJECT], 0.99)))
    return max(max(reaches), 0.3) if reaches else _AUTOMATIC_REACH


def _as_given(given: Masks) -> FrameMasks:
    labels = np.stack([given[frame] for frame in sorted(given)])
    has_object, has_hand = (labels == OBJECT).any((1, 2)), (labels >= RIGHT_HAND).any((1, 2))
    source: MaskSource = "given"
    return FrameMasks(labels, has_object.astype(float), has_hand.astype(float), tuple(source for _ in labels))


def _without_object(frames: WorkingFrames) -> FrameMasks:
    count = frames.frame_count
    labels = np.zeros((count, frames.height, frames.width), np.uint8)
    source: MaskSource = "automatic"
    return FrameMasks(labels, np.zeros(count), np.zeros(count), tuple(source for _ in labels))


def _label_clip(
    material: ClipMaterial, samples: TrainingSamples, given: Masks, seeded_by: SeedSource, reach: float, seed: int
) -> FrameMasks:
    """Run classifier and smoothing over the clip."""
    classifier = fit_pixel_classifier(samples.features, samples.classes, seed)
    if seeded_by != "masks":
        again = _samples_of_labels(material, classifier, reach + 0.3, np.random.default_rng(seed))
        if (again.classes == 1).any():
            both = join_samples(samples, again)
            classifier = fit_pixel_classifier(both.features, both.classes, seed)
    results: list[_FrameLabels] = []
    sources: list[MaskSource] = []
    margin = reach + 0.3
    previous: Bool[np.ndarray, "height width"] | None = None
    for frame, picture in material.frames.read():
        judged = _judge_frame(material, classifier, frame, picture, margin, given.get(frame), previous)
        result = _label_frame(material, frame, judged, given.get(frame))
        results.append(result)
        margin, previous = max(judged.margin * 0.97, reach + 0.3), result.labels == OBJECT
        covered = frame in given and float((given[frame] == UNLABELLED).mean()) < 0.05
        sources.append("given" if covered else "automatic" if seeded_by == "nothing" else "carried")
    areas = np.array([float((result.labels == OBJECT).sum()) for result in results])
    overlap = np.array([result.object_overlap for result in results]) * np.sqrt(area_agreement(areas))
    labels = np.stack([result.labels for result in results])
    is_given = np.array([name == "given" for name in sources])
    return FrameMasks(
        labels=labels,
        object_confidence=np.where(
            is_given, (areas > 0).astype(float), confidence_of(overlap, seeded_by) * (labels == OBJECT).any((1, 2))
        ),
        hand_confidence=np.array([result.hand_overlap for result in results]),
        source=tuple(sources),
    )


def _label_frame(
    material: ClipMaterial, frame: int, judged: _Judgement, given: UInt8[np.ndarray, "height width"] | None
) -> _FrameLabels:
    """Labels of the whole frame, the hands by their sides; what was given stays."""
    left, top, right, bottom = judged.box
    labels = np.zeros((material.frames.height, material.frames.width), np.uint8)
    inside = labels[top:bottom, left:right]
    inside[judged.kept] = OBJECT
    hand = judged.classes == HAND_CLASS
    _paint_hands(inside, hand, material.regions_of(frame), left, top)
    if given is not None:
        fixed = given <= LEFT_HAND
        labels[fixed] = given[fixed]
    probability = judged.probability
    return _FrameLabels(labels, expected_overlap(probability[..., 1], judged.kept), expected_overlap(probability[..., 2], hand))


def _samples_of_labels(material: ClipMaterial, classifier: PixelClassifier, margin: float, rng: np.random.Generator) -> TrainingSamples:
    """What eyes and colours together are sure of teaches the colours anew: more of the object than the eyes alone are sure of."""
    parts = []
    for frame, picture in material.frames.read(spread_frames(material.frames.frame_count)):
        judged = _judge_frame(material, classifier, frame, picture, margin, None, None)
        found = np.where(judged.kept, 1, np.where(judged.classes == 1, -1, judged.classes))
        wanted = [((found == label) & (judged.probability[..., label] > SURE), label, count) for label, count in PER_FRAME.items()]
        parts.append(draw_samples(material.features(frame, picture, judged.box), wanted, rng))
    return join_samples(*parts)


def _judge_frame(
    material: ClipMaterial,
    classifier: PixelClassifier,
    frame: int,
    picture: UInt8[np.ndarray, "height width 3"],
    margin: float,
    given: UInt8[np.ndarray, "height width"] | None,
    previous: Bool[np.ndarray, "height width"] | None,
) -> _Judgement:
    """Classes in a box that grows until the object does not touch its border."""
    height, width = picture.shape[:2]
    regions = material.regions_of(frame)
    while True:
        box = _search_box(regions, margin, width, height)
        probability = _with_sight(_probability(material, classifier, frame, picture, box), *material.seen(frame, box))
        left, top, right, bottom = box
        part = np.ascontiguousarray(picture[top:bottom, left:right])
        if material.appearance.still is not None:
            changed = material.appearance.difference(to_lab(part), left, top)
            probability = weigh_background(probability, changed, wide_arm(regions, left, top, right - left, bottom - top))
        if given is not None:
            probability = _with_given(probability, given[top:bottom, left:right])
        cost = -np.log(np.maximum(probability, 0.01))
        classes = smooth_labels(cost, edge_weights(part, _BORDER_STRENGTH), iterations=3)
        kept = _keep_held(classes, previous[top:bottom, left:right] if previous is not None else None, regions, box)
        if margin > 2.5 or not _touches_inner_border(kept, box, width, height):
            return _Judgement(box, probability, classes, kept, margin)
        margin *= 1.35


def _search_box(regions: tuple[HandRegion, ...], margin: float, width: int, height: int) -> tuple[int, int, int, int]:
    if not regions:
        return 0, 0, width, height
    boxes = np.array([region.box(margin, width, height) for region in regions])
    return int(boxes[:, 0].min()), int(boxes[:, 1].min()), int(boxes[:, 2].max()), int(boxes[:, 3].max())


def _probability(
    material: ClipMaterial,
    classifier: PixelClassifier,
    frame: int,
    picture: UInt8[np.ndarray, "height width 3"],
    box: tuple[int, int, int, int],
) -> Float32[np.ndarray, "rows columns 3"]:
    """Class probabilities inside the box: predicted on every fourth pixel, on every second where these leave doubt."""
    left, top, right, bottom = box
    middle = material.features(frame, picture, box, step=2)
    coarse = middle[::2, ::2]
    probability = classifier.predict(coarse.reshape(-1, coarse.shape[-1])).reshape(*coarse.shape[:2], 3)
    lifted = _lift(probability, middle.shape[1], middle.shape[0])
    unsure = (lifted.max(-1) < 0.85).astype(np.uint8)
    doubtful = cv2.dilate(unsure, np.ones((3, 3), np.uint8)).astype(bool)
    lifted[doubtful] = classifier.predict(middle[doubtful])
    return _lift(lifted, right - left, bottom - top)


def _lift(probability: Float32[np.ndarray, "rows columns 3"], width: int, height: int) -> Float32[np.ndarray, "height width 3"]:
    """Twice the resolution: sample k stays at pixel 2 k, those between are interpolated."""
    double = np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    return cv2.warpAffine(probability, double, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _with_sight(
    probability: Float32[np.ndarray, "rows columns 3"], share: Float32[np.ndarray, "rows columns 3"], known: Bool[np.ndarray, "rows columns"]
) -> Float32[np.ndarray, "rows columns 3"]:
    """Probabilities of the clip's colours and of the eyes together: their product, the eyes' to the power EYES_WEIGHT."""
    product = np.maximum(probability, 0.02) * np.where(known[..., None], np.maximum(share, 0.02) ** EYES_WEIGHT, 1.0)
    return (product / product.sum(-1, keepdims=True)).astype(np.float32)


def _with_given(
    probability: Float32[np.ndarray, "rows columns 3"], given: UInt8[np.ndarray, "rows columns"]
) -> Float32[np.ndarray, "rows columns 3"]:
    """Probabilities after what the user said of each pixel."""
    fixed = probability.copy()
    fixed[given == NOT_OBJECT, 1] = 0.0
    for class_number, said in enumerate((given == 0, given == OBJECT, (given == RIGHT_HAND) | (given == LEFT_HAND))):
        fixed[said] = np.eye(3, dtype=np.float32)[class_number]
    return fixed / np.maximum(fixed.sum(-1, keepdims=True), 1e-6)


def _keep_held(
    classes: UInt8[np.ndarray, "rows columns"],
    previous: Bool[np.ndarray, "rows columns"] | None,
    regions: tuple[HandRegion, ...],
    box: tuple[int, int, int, int],
) -> Bool[np.ndarray, "rows columns"]:
    """Object pieces that touch a hand or overlap the object of the frame before, without specks."""
    count, pieces, statistics, _ = cv2.connectedComponentsWithStats((classes == 1).astype(np.uint8), connectivity=8)
    kept = np.zeros(classes.shape, bool)
    if count <= 1:
        return kept
    touch = cv2.dilate((classes == HAND_CLASS).astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)
    for region in regions:
        touch |= region.capsules(box[0], box[1], classes.shape[1], classes.shape[0], radius=0.15)
    largest = statistics[1:, cv2.CC_STAT_AREA].max()
    for piece in range(1, count):
        area = statistics[piece, cv2.CC_STAT_AREA]
        where = pieces == piece
        held = not regions or (where & touch).any()
        followed = previous is not None and (where & previous).sum() > 0.3 * area
        if area >= max(0.03 * largest, 20) and (held or followed):
            kept |= where
    return kept


def _touches_inner_border(kept: Bool[np.ndarray, "rows columns"], box: tuple[int, int, int, int], width: int, height: int) -> bool:
    left, top, right, bottom = box
    sides = ((left > 0, kept[:, 0]), (top > 0, kept[0]), (right < width, kept[:, -1]), (bottom < height, kept[-1]))
    return any(inner and side.sum() > 3 for inner, side in sides)


def _paint_hands(
    labels: UInt8[np.ndarray, "rows columns"], hand: Bool[np.ndarray, "rows columns"], regions: tuple[HandRegion, ...], left: int, top: int
) -> None:
    """Write the hand pixels into `labels`, each as the side of the nearest hand (right when no hand is tracked)."""
    if not regions:
        labels[hand] = RIGHT_HAND
        return
    height, width = labels.shape
    distance = np.stack([region.signed_distance(left, top, width, height) for region in regions])
    nearest, closest = distance.argmin(0), distance.min(0)
    sides = np.array([RIGHT_HAND if region.side == "right" else LEFT_HAND for region in regions], np.uint8)
    near = hand & (closest < 0.2)
    labels[near] = sides[nearest][near]
