"""How far a mask can be trusted: the IoU that the classifier itself expects, and jumps against the neighbours."""

from typing import Literal, assert_never

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from hoifield.observations.still_background import EQUALS

SeedSource = Literal["masks", "point", "still", "nothing"]


def expected_overlap(probability: Float[np.ndarray, "height width"], mask: Bool[np.ndarray, "height width"]) -> float:
    """IoU to expect of `mask` when each pixel is object with `probability`: sum inside / (area + sum outside); 0 for no mask.

    Probabilities of a forest are timid: they are sharpened to p^2 / (p^2 + (1 - p)^2) first.
    """
    area = int(mask.sum())
    if area == 0:
        return 0.0
    squared, opposite = probability**2, (1.0 - probability) ** 2
    sharpened = squared / (squared + opposite)
    return float(sharpened[mask].sum() / (area + sharpened[~mask].sum()))


def border_contrast(picture: UInt8[np.ndarray, "height width 3"], labels: UInt8[np.ndarray, "height width"]) -> float:
    """Share of the border between object (1) and background (0) where the picture has an edge (Lab step over 12 across 6 pixels).

    A real thing ends at edges; a stretch of wall that merely lies near the hand does not. 0 where there is no such border.
    """
    mask = (labels == 1).astype(np.uint8)
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 3) - cv2.distanceTransform(1 - mask, cv2.DIST_L2, 3)
    rows, columns = np.nonzero((distance > 0) & (distance < 1.5) & (cv2.dilate((labels == 0).astype(np.uint8), np.ones((3, 3))) > 0))
    height, width = mask.shape
    if len(rows) == 0:
        return 0.0
    smooth = cv2.GaussianBlur(distance, (0, 0), 1.5)
    along_y, along_x = cv2.Sobel(smooth, cv2.CV_32F, 0, 1)[rows, columns], cv2.Sobel(smooth, cv2.CV_32F, 1, 0)[rows, columns]
    size = np.maximum(np.hypot(along_x, along_y), 1e-6)
    step_y, step_x = np.round(3 * along_y / size).astype(int), np.round(3 * along_x / size).astype(int)
    lab = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB), (0, 0), 1.0).astype(np.float32)
    inner = lab[np.clip(rows + step_y, 0, height - 1), np.clip(columns + step_x, 0, width - 1)]
    outer = lab[np.clip(rows - step_y, 0, height - 1), np.clip(columns - step_x, 0, width - 1)]
    return float((np.linalg.norm(inner - outer, axis=-1) > 12.0).mean())


def area_agreement(areas: Float[np.ndarray, "frame"], radius: int = 6) -> Float[np.ndarray, "frame"]:
    """Share in (0, 1] by which each frame's area agrees with the median of its neighbourhood: smaller / larger."""
    agreement = np.ones(len(areas))
    for frame in range(len(areas)):
        around = areas[max(0, frame - radius) : frame + radius + 1]
        middle = float(np.median(around))
        low, high = min(areas[frame], middle), max(areas[frame], middle)
        agreement[frame] = low / high if high > 0 else 1.0
    return agreement


def confidence_of(overlap: Float[np.ndarray, "frame"], seeds: SeedSource) -> Float[np.ndarray, "frame"]:
    """Expected IoU of masks whose own classifier expects `overlap`, by what it learned from.

    A classifier that chose its own seeds believes in them: for "nothing" the line was fitted to nine labelled frames of three clips
    (IoU 0.4 at an overlap of 0.82, 0.8 at 0.94), and no more than 0.8 is ever promised. "still" is the same with a
    known still background, fitted to generated clips (IoU 0.8 at an overlap of 0.73, 0.92 at 0.84).
    """
    match seeds:
        case "masks":
            return np.minimum(overlap, 0.95)
        case "point":
            return np.clip(0.75 * overlap, 0.0, 0.7)
        case "still":
            return np.where(overlap > 0.0, np.clip(0.8 + 1.15 * (overlap - 0.73), 0.05, 0.9), 0.0)
        case "nothing":
            return np.where(overlap > 0.0, np.clip(0.4 + 3.3 * (overlap - 0.82), 0.05, 0.8), 0.0)
        case _:
            assert_never(seeds)


def trust_of_border(contrast: Float[np.ndarray, "frame"]) -> Float[np.ndarray, "frame"]:
    """Factor in [0, 1] for masks found with no help: 0 up to a border contrast of 0.55, 1 from 0.85.

    Measured: 0.50 to 0.56 for a bare hand before a wall, 0.70 to 0.87 for masks of IoU 0.4 to 0.6, 0.98 and more for good ones.
    """
    return np.clip((contrast - 0.55) / 0.3, 0.0, 1.0)


def stands_off_background(distance: Float[np.ndarray, "height width"], labels: UInt8[np.ndarray, "height width"]) -> float:
    """Share of the object's pixels that differ from a known background, of those where it is known; 0 where that is under a tenth.

    `distance` as of `StillBackground.distance`: negative where the background is unknown.
    """
    of_object = distance[labels == 1]
    known = of_object[of_object >= 0.0]
    return float((known > EQUALS).mean()) if len(known) > 0.1 * len(of_object) else 0.0
