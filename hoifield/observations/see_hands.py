"""What the eyes see around the hands of each frame: shares of background, held object, hand and other limbs."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, UInt8
from torch import nn

from hoifield.observations.hand_region import HandRegion
from hoifield.observations.working_frames import WorkingFrames
from hoifield.priors.eyes_input import BEYOND, EYES_SIZE, eyes_maps, stack_maps

REACHES = (2.1, 3.0)
"""Sides of the crops that are looked at, as shares of the hand's extent; the answers are averaged."""
_FORESHORTENED = 0.75
"""The extent is at least this share of the hand's length, however the hand is turned."""
_LINEAR = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


@dataclass(frozen=True)
class Sight:
    """What is seen about one hand in one frame, on the grid of the widest crop."""

    share: UInt8[np.ndarray, "rows columns class=4"]
    """Probabilities of background, object, this hand and other limbs; 255 is certain."""
    window: Float[np.ndarray, "2 3"]
    """Working picture from grid, for pixel coordinates of cv2 (centres at whole numbers)."""

    def lifted(self, left: int, top: int, width: int, height: int) -> tuple[Float32[np.ndarray, "height width class=4"], Bool[np.ndarray, "height width"]]:
        """Probabilities in a box of the working picture, and where they are known."""
        to_grid = np.asarray(cv2.invertAffineTransform(self.window), np.float64)
        to_grid[:, 2] += to_grid[:, :2] @ np.array([left, top])
        share = cv2.warpAffine(self.share, to_grid, (width, height), flags=_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        known = np.full(self.share.shape[:2], 255, np.uint8)
        return share.astype(np.float32) / 255, cv2.warpAffine(known, to_grid, (width, height), flags=_LINEAR) > 127


def see_clip(
    network: nn.Module, frames: WorkingFrames, regions: tuple[tuple[HandRegion, ...], ...], clicks: dict[int, Float[np.ndarray, "2"]]
) -> tuple[tuple[Sight, ...], ...]:
    """What is seen about every hand of every frame; `clicks` are points of the object in some frames, working pixels. Empty without hands."""
    if not regions:
        return ()
    return tuple(tuple(see_hand(network, picture, region, clicks.get(frame)) for region in regions[frame]) for frame, picture in frames.read())


def see_hand(
    network: nn.Module, picture: UInt8[np.ndarray, "height width 3"], region: HandRegion, click: Float[np.ndarray, "2"] | None = None
) -> Sight:
    """Look at one hand of a working picture in crops of several sizes; `click` is a point of the object, pixels of the picture."""
    windows = [_window_of(region, reach) for reach in REACHES]
    crops = [_crop(picture, window) for window in windows]
    lessons = []
    for crop, window in zip(crops, windows, strict=True):
        inverse = cv2.invertAffineTransform(window)
        points = (region.keypoints - 0.5) @ inverse[:, :2].T + inverse[:, 2] + 0.5
        point = None if click is None else (click - 0.5) @ inverse[:, :2].T + inverse[:, 2] + 0.5
        lessons.append(eyes_maps(crop, points, point))
    with torch.inference_mode():
        scores = network(*stack_maps(lessons))
        shares = torch.nn.functional.interpolate(scores, size=(EYES_SIZE, EYES_SIZE), mode="bilinear", align_corners=False).softmax(1)
    fields = shares.permute(0, 2, 3, 1).contiguous().numpy()
    total, weight = fields[-1].copy(), np.ones((EYES_SIZE, EYES_SIZE, 1), np.float32)
    for field, window in zip(fields[:-1], windows[:-1], strict=True):
        to_inner = cv2.invertAffineTransform(window)
        moved = np.column_stack([to_inner[:, :2] @ windows[-1][:, :2], to_inner[:, :2] @ windows[-1][:, 2] + to_inner[:, 2]])
        inside = cv2.warpAffine(np.ones((EYES_SIZE, EYES_SIZE), np.float32), moved, (EYES_SIZE, EYES_SIZE), flags=_LINEAR)[..., None]
        total += inside * cv2.warpAffine(field, moved, (EYES_SIZE, EYES_SIZE), flags=_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        weight += inside
    return Sight(np.round(255 * total / weight).astype(np.uint8), windows[-1])


def _window_of(region: HandRegion, reach: float) -> Float[np.ndarray, "2 3"]:
    """Working picture from crop (cv2's pixel coordinates); a left hand is mirrored into a right one."""
    low, high = region.keypoints.min(0), region.keypoints.max(0)
    side = reach * max(float((high - low).max()), _FORESHORTENED * region.length)
    step = side / EYES_SIZE
    mirror = -1.0 if region.side == "left" else 1.0
    middle = (low + high) / 2 - 0.5
    across = step * mirror
    half = (EYES_SIZE - 1) / 2
    return np.array([[across, 0.0, middle[0] - across * half], [0.0, step, middle[1] - step * half]])


def _crop(picture: UInt8[np.ndarray, "height width 3"], window: Float[np.ndarray, "2 3"]) -> UInt8[np.ndarray, "size size 3"]:
    """The crop, each pixel the mean of what it covers."""
    finer = max(1, round(abs(window[1, 1])))
    inner = window.copy()
    inner[:, :2] /= finer
    inner[:, 2] += window[:, :2] @ np.full(2, (1 / finer - 1) / 2)
    size = (finer * EYES_SIZE, finer * EYES_SIZE)
    fine = cv2.warpAffine(picture, inner, size, flags=_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(BEYOND, BEYOND, BEYOND))
    return fine if finer == 1 else cv2.resize(fine, (EYES_SIZE, EYES_SIZE), interpolation=cv2.INTER_AREA)
