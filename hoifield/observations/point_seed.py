"""Training pixels from one clicked point: what the eyes see there, or where they see nothing, what GrabCut grows from it."""

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from hoifield.clip.clip import Clip
from hoifield.errors import RefusedInput
from hoifield.observations.frame_masks import NOT_OBJECT, OBJECT, UNLABELLED
from hoifield.observations.hand_region import region_distance
from hoifield.observations.sight_samples import samples_of_sights
from hoifield.observations.training_samples import ClipMaterial, TrainingSamples, certain_hand, join_samples, samples_of_masks, samples_of_position

_BESIDE_SIGHTS = 6
"""Every so many pixels of the clicked frame are taken beside those of the whole clip: one frame must not outweigh it."""
_FAR = 1.2
"""Hand lengths beyond which all is background where a point is all that is known."""


def samples_of_point(material: ClipMaterial, point: tuple[float, float, int], rng: np.random.Generator) -> TrainingSamples:
    """Training pixels of a clip in which `point` = (x, y, frame), clip pixels, lies on the object.

    Where the eyes see an object at the point, its pixels join those of which the eyes are sure in the other frames. Where they do not, the
    region that grows from the point is all there is. Raises RefusedInput HF-MSK-009 when none grows.
    """
    frame, frames = int(point[2]), material.frames
    column, row = (min(int(value * frames.scale), size - 1) for value, size in zip(point[:2], (frames.width, frames.height), strict=True))
    share, _ = material.seen(frame, (0, 0, frames.width, frames.height))
    _, pieces = cv2.connectedComponents((share[..., 1] > 0.5).astype(np.uint8))
    if pieces[row, column] > 0:
        clicked = samples_of_masks(material, {frame: _as_labels(pieces == pieces[row, column])}, rng)
        return join_samples(samples_of_sights(material, rng), clicked.thinned(_BESIDE_SIGHTS))
    grown = {frame: _as_labels(_grow(material, point))}
    return join_samples(samples_of_masks(material, grown, rng), samples_of_position(material, _FAR, {frame}, rng))


def _as_labels(region: Bool[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width"]:
    """1 inside, 254 outside, 255 in the doubtful band between."""
    inner = cv2.erode(region.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    outer = cv2.dilate(region.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)
    return np.where(inner, OBJECT, np.where(outer, UNLABELLED, NOT_OBJECT)).astype(np.uint8)


def _grow(material: ClipMaterial, point: tuple[float, float, int]) -> Bool[np.ndarray, "height width"]:
    """The region of the clicked frame that GrabCut (Rother et al. 2004) grows from a small disc around the point, outside the hand."""
    frames = material.frames
    x, y = min(point[0] * frames.scale, frames.width - 0.5), min(point[1] * frames.scale, frames.height - 0.5)
    frame = int(point[2])
    (_, picture) = next(iter(frames.read([frame])))
    regions = material.regions_of(frame)
    features = material.features(frame, picture, (0, 0, frames.width, frames.height))
    distance = region_distance(regions, 0, 0, frames.width, frames.height)
    radius = max(3, round(0.04 * regions[0].length)) if regions else max(3, frames.width // 60)
    state = np.full(picture.shape[:2], cv2.GC_PR_BGD, np.uint8)
    rows, columns = np.mgrid[: frames.height, : frames.width]
    from_point = np.hypot(columns + 0.5 - x, rows + 0.5 - y)
    unit = regions[0].length if regions else frames.width / 3
    state[from_point < 0.35 * unit] = cv2.GC_PR_FGD
    if regions:
        state[distance > max(1.3, float(distance[int(y), int(x)]) + 0.8)] = cv2.GC_BGD
        for region in regions:
            state[region.arm_strip(0, 0, frames.width, frames.height, spread=0.15)] = cv2.GC_BGD
        state[certain_hand(material, frame, features, 0.06)] = cv2.GC_BGD
    state[from_point < radius] = cv2.GC_FGD
    cv2.setRNGSeed(0)
    cv2.grabCut(picture, state, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_MASK)
    found = ((state == cv2.GC_FGD) | (state == cv2.GC_PR_FGD)).astype(np.uint8)
    _, pieces = cv2.connectedComponents(found)
    region_mask = (pieces == pieces[int(y), int(x)]) & (found > 0)
    share = float(region_mask.mean())
    if region_mask.sum() < 4 * radius**2 or share > 0.6:
        raise RefusedInput(
            "HF-MSK-009",
            f"the region grown from the object point covers {100 * share:.2f} % of the picture",
            "click another point of the object, or give a mask of one frame with --masks",
        )
    return region_mask


def require_point_in_clip(clip: Clip, point: tuple[float, float, int]) -> None:
    """Raises RefusedInput HF-MSK-008 for `point` = (x, y, frame) outside the clip."""
    x, y, frame = point
    if not (0 <= x < clip.width and 0 <= y < clip.height and 0 <= frame < clip.frame_count):
        raise RefusedInput(
            "HF-MSK-008",
            f"object point ({x:g}, {y:g}) in frame {frame} lies outside the clip ({clip.width}x{clip.height}, {clip.frame_count} frames)",
            "give a point in pixels of the clip and a frame number counted from 0",
        )
