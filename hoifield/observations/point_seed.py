"""The object of one frame from one clicked point: GrabCut outside the hand and the arm."""

import cv2
import numpy as np
from jaxtyping import UInt8

from hoifield.clip.clip import Clip
from hoifield.errors import RefusedInput
from hoifield.observations.frame_masks import NOT_OBJECT, OBJECT, UNLABELLED
from hoifield.observations.hand_region import region_distance
from hoifield.observations.training_samples import ClipMaterial, certain_hand


def mask_of_point(material: ClipMaterial, point: tuple[float, float, int]) -> dict[int, UInt8[np.ndarray, "height width"]]:
    """A label picture for the clicked frame: 1 inside, 254 outside, 255 in the doubtful band between. `point` = (x, y, frame), clip pixels.

    GrabCut (Rother et al. 2004) from a small disc around the point. Raises RefusedInput: HF-MSK-008 for a point outside the clip,
    -009 when no region grows from it.
    """
    frames = material.frames
    require_point_in_clip(frames.clip, point)
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
    inner = cv2.erode(region_mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    outer = cv2.dilate(region_mask.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)
    mask = np.full(region_mask.shape, UNLABELLED, np.uint8)
    mask[~outer] = NOT_OBJECT
    mask[inner] = OBJECT
    return {frame: mask}


def require_point_in_clip(clip: Clip, point: tuple[float, float, int]) -> None:
    """Raises RefusedInput HF-MSK-008 for `point` = (x, y, frame) outside the clip."""
    x, y, frame = point
    if not (0 <= x < clip.width and 0 <= y < clip.height and 0 <= frame < clip.frame_count):
        raise RefusedInput(
            "HF-MSK-008",
            f"object point ({x:g}, {y:g}) in frame {frame} lies outside the clip ({clip.width}x{clip.height}, {clip.frame_count} frames)",
            "give a point in pixels of the clip and a frame number counted from 0",
        )
