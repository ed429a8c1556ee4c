"""A crop, the keypoints in it and a click, as the maps the eyes look at."""

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from hoifield.actors.skinned_model import KEYPOINT_BONES, PALM_KEYPOINTS
from hoifield.priors.eyes_network import KEYPOINT_CHANNELS

EYES_SIZE = 192
"""Side of the crop, pixels."""
BEYOND = 127
"""Grey of what lies beyond the camera's picture."""
HEAT_SPREAD, HINT_SPREAD = 1.3, 4.0
"""Standard deviations: of a keypoint's heat in pixels of the quarter-size map, of a click in pixels of the crop."""


def eyes_maps(
    picture: UInt8[np.ndarray, "size size 3"],
    keypoints: Float[np.ndarray, "keypoint=21 2"] | None,
    click: Float[np.ndarray, "2"] | None,
) -> tuple[Float32[np.ndarray, "5 size size"], Float32[np.ndarray, "21 quarter quarter"]]:
    """Picture maps and keypoint maps of one crop of a right hand (a left one is mirrored before); points in pixels of the crop."""
    size = picture.shape[0]
    maps = np.zeros((5, size, size), np.float32)
    maps[:3] = picture.transpose(2, 0, 1) / np.float32(127.5) - 1
    heat = np.zeros((KEYPOINT_CHANNELS, size // 4, size // 4), np.float32)
    if keypoints is not None:
        maps[3] = _bones(keypoints, size)
        middles = (np.arange(size // 4) + 0.5)[:, None] - keypoints.T[:, None] / 4
        across, down = np.exp(-0.5 * (middles / HEAT_SPREAD) ** 2)
        heat = (down.T[:, :, None] * across.T[:, None, :]).astype(np.float32)
    if click is not None:
        middles = (np.arange(size) + 0.5)[:, None] - click
        across, down = np.exp(-0.5 * (middles / HINT_SPREAD) ** 2).T
        maps[4] = down[:, None] * across[None]
    return maps, heat


def _bones(keypoints: Float[np.ndarray, "keypoint=21 2"], size: int) -> Float32[np.ndarray, "size size"]:
    """Finger bones drawn from wrist (dark) to tip (light) over the filled palm."""
    canvas = np.zeros((size, size), np.uint8)
    points = np.clip(np.round(keypoints), -4 * size, 4 * size).astype(np.int32)
    cv2.fillConvexPoly(canvas, cv2.convexHull(points[list(PALM_KEYPOINTS)]), 60)
    extent = float(np.ptp(keypoints, axis=0).max())
    for first, second in KEYPOINT_BONES:
        cv2.line(canvas, points[first].tolist(), points[second].tolist(), 100 + 40 * ((second - 1) % 4), max(1, round(0.04 * extent)))
    return canvas.astype(np.float32) / 255


def stack_maps(
    lessons: list[tuple[Float32[np.ndarray, "5 size size"], Float32[np.ndarray, "21 quarter quarter"]]],
) -> tuple[Float[Tensor, "batch 5 size size"], Float[Tensor, "batch 21 quarter quarter"]]:
    """Several crops as one batch, channels last."""
    picture = torch.from_numpy(np.stack([lesson[0] for lesson in lessons]))
    keypoints = torch.from_numpy(np.stack([lesson[1] for lesson in lessons]))
    return picture.contiguous(memory_format=torch.channels_last), keypoints.contiguous(memory_format=torch.channels_last)
