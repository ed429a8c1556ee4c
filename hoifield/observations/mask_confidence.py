"""How far a mask can be trusted: the IoU that the classifier itself expects, and jumps against the neighbours."""

from typing import Literal, assert_never

import numpy as np
from jaxtyping import Bool, Float

SeedSource = Literal["masks", "point", "nothing"]
_OVERLAPS, _SCORES = (0.0, 0.5, 0.65, 0.75, 0.83, 0.88, 0.92, 1.0), (0.0, 0.16, 0.45, 0.6, 0.77, 0.85, 0.91, 0.95)
"""Expected overlap of masks found with no help, and the IoU they had: means over 297 frames of 24 generated and three real clips."""


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

    With no help the eyes have taught it, and a mask that it half expects is worth less than that: a curve through measured frames.
    """
    match seeds:
        case "masks":
            return np.minimum(overlap, 0.95)
        case "point" | "nothing":
            return np.interp(overlap, _OVERLAPS, _SCORES)
        case _:
            assert_never(seeds)
