"""Choosing the frames worth fitting: sharp ones, spread over the motion."""

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from hoifield.clip.clip import Clip

_NEIGHBOURS = 15
_SMALLEST_CROP = 8


def measure_sharpness(clip: Clip, boxes: Float[np.ndarray, "frame 4"] | None = None, size: tuple[int, int] | None = None) -> Float[np.ndarray, "frame"]:
    """Sharpness of every frame relative to its 15 neighbours on each side: about 1 for the sharper of them, near 0 for motion blur.

    The figure is the variance of the Laplacian over the variance of the brightness within `boxes` (left, top, right, bottom in
    pixels of the clip, the whole frame where not finite or None), divided by the upper quartile of the neighbours: content and
    lighting cancel. Frames are streamed at `size` = (width, height). After Pech-Pacheco et al., ICPR 2000.
    """
    scale = np.array([1.0, 1.0]) if size is None else np.array([size[0] / clip.width, size[1] / clip.height])
    absolute = np.zeros(clip.frame_count)
    for number, image in clip.read_frames(size=size):
        box = None if boxes is None else boxes[number] * np.tile(scale, 2)
        absolute[number] = laplacian_contrast(_crop(image, box))
    return compare_with_neighbours(absolute)


def laplacian_contrast(image: UInt8[np.ndarray, "height width 3"]) -> float:
    """Variance of the Laplacian over the variance of the brightness; 0 for an image without contrast."""
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY).astype(np.float32)
    variance = float(grey.var())
    # Below a variance of 1 (of 255 squared) the quantisation of 8 bit dominates.
    return float(cv2.Laplacian(grey, cv2.CV_32F).var()) / variance if variance > 1.0 else 0.0


def compare_with_neighbours(absolute: Float[np.ndarray, "frame"]) -> Float[np.ndarray, "frame"]:
    """Each value over the upper quartile of the values at most 15 frames away; 0 where that is 0."""
    relative = np.zeros(len(absolute))
    for number in range(len(absolute)):
        window = absolute[max(0, number - _NEIGHBOURS) : number + _NEIGHBOURS + 1]
        reference = float(np.quantile(window, 0.75))
        relative[number] = absolute[number] / reference if reference > 0 else 0.0
    return relative


def choose_fit_frames(
    sharpness: Float[np.ndarray, "frame"], usable: Bool[np.ndarray, "frame"], motion: Float[np.ndarray, "frame"], count: int
) -> Int[np.ndarray, "fitted"]:
    """Ascending numbers of min(count, usable) frames: the sharpest usable one of `count` equal shares of the motion.

    `motion` is the cumulative amount of motion up to each frame (any unit, never falling), so that slow parts get few frames.
    Where nothing moves the frames are spread over time. Shares without a usable frame give their place to the frame farthest in
    motion from those chosen, the sharper one on a tie.
    """
    candidates = np.flatnonzero(usable)
    if len(candidates) <= count:
        return candidates.astype(np.int64)
    if count <= 0:
        return np.zeros(0, dtype=np.int64)
    position = _spread_position(motion, candidates)
    shares = np.minimum((position * count).astype(np.int64), count - 1)
    chosen: list[int] = []
    for share in np.unique(shares):
        members = np.flatnonzero(shares == share)
        centre_distance = np.abs(position[members] * count - share - 0.5)
        best = np.lexsort((centre_distance, -sharpness[candidates[members]]))[0]
        chosen.append(int(members[best]))
    while len(chosen) < count:
        distance = np.abs(position[:, None] - position[chosen][None]).min(axis=1)
        distance[chosen] = -1.0
        chosen.append(int(np.lexsort((-sharpness[candidates], -distance))[0]))
    return np.sort(candidates[chosen]).astype(np.int64)


def _spread_position(motion: Float[np.ndarray, "frame"], candidates: Int[np.ndarray, "candidate"]) -> Float[np.ndarray, "candidate"]:
    """Place of each candidate in [0, 1]: its share of the motion, mixed with 1 % of its share of time so that no two are equal."""
    travelled = motion[candidates] - motion[candidates[0]]
    elapsed = (candidates - candidates[0]) / float(candidates[-1] - candidates[0])
    total = float(travelled[-1])
    return np.asarray(elapsed if total <= 0 else 0.99 * travelled / total + 0.01 * elapsed)


def _crop(image: UInt8[np.ndarray, "height width 3"], box: Float[np.ndarray, "4"] | None) -> UInt8[np.ndarray, "height width 3"]:
    """The part of the image in a box; the whole image where the box is absent, not finite or smaller than 8 pixels."""
    if box is None or not np.isfinite(box).all():
        return image
    left, top = np.maximum(np.floor(box[:2]), 0).astype(int)
    right, bottom = np.ceil(box[2:]).astype(int)
    part = image[top:bottom, left:right] if right > 0 and bottom > 0 else image[:0]
    return part if min(part.shape[:2]) >= _SMALLEST_CROP else image
