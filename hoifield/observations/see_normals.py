"""Which way the seen surfaces of a hand and what it holds face, picture by picture, as a network taught on generated pictures sees it."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, UInt8
from torch import nn
from torch.nn import functional

from hoifield.geometry.cameras import pixel_directions
from hoifield.geometry.ray_frames import from_ray_frames
from hoifield.observations.hand_region import HandRegion
from hoifield.observations.see_hands import cut_crop, hand_extent, window_about
from hoifield.priors.eyes_input import EYES_SIZE, stack_maps
from hoifield.priors.normals_network import expected_angle, normals_maps

LEAST_REACH, MOST_REACH = 1.8, 3.4
"""Sides of the crop, as shares of the hand's extent: those that were taught. Within them, as wide as hand and object ask."""
BESIDE = 1.15
"""Of the box of hand and object, that the crop is wider."""


@dataclass(frozen=True)
class SeenNormals:
    """One picture's."""

    normal: Float32[np.ndarray, "height width 3"]
    """Unit, camera frame, towards the camera; 0 where nothing is told."""
    off: Float32[np.ndarray, "height width"]
    """Radians by which each may be off, on average; pi where nothing is told."""


def see_normals(
    network: nn.Module,
    picture: UInt8[np.ndarray, "height width 3"],
    held: Bool[np.ndarray, "height width"],
    hand: Bool[np.ndarray, "height width"],
    region: HandRegion,
    K: Float[np.ndarray, "3 3"],
) -> SeenNormals:
    """Normals of the pixels of what is `held` by the hand at `region`, and of that `hand`; `K` is the picture's."""
    normal, off = np.zeros((*held.shape, 3), np.float32), np.full(held.shape, np.pi, np.float32)
    rows, columns = np.nonzero(held | hand)
    if len(rows) == 0:
        return SeenNormals(normal, off)
    window = _window(region, rows, columns)
    inverse = cv2.invertAffineTransform(window)
    points = (region.keypoints - 0.5) @ inverse[:, :2].T + inverse[:, 2] + 0.5
    size, flags = (EYES_SIZE, EYES_SIZE), cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    known = [cv2.warpAffine(mask.astype(np.uint8), window, size, flags=flags) > 0 for mask in (held, hand)]
    with torch.inference_mode():
        told, concentration = network(*stack_maps([normals_maps(cut_crop(picture, window), points, known[0], known[1])]))
        told = functional.interpolate(told, size=size, mode="bilinear", align_corners=False)[0]
        angle = functional.interpolate(expected_angle(concentration)[:, None], size=size, mode="bilinear", align_corners=False)[0, 0]
    if region.side == "left":
        told = told * torch.tensor([-1.0, 1.0, 1.0])[:, None, None]
    place = (np.column_stack([columns, rows]) @ inverse[:, :2].T + inverse[:, 2]).astype(np.float32)
    inside = ((place >= 0) & (place <= EYES_SIZE - 1)).all(1)
    rows, columns, place = rows[inside], columns[inside], place[inside]
    where = torch.from_numpy(2 * place / (EYES_SIZE - 1) - 1)[None, None]
    read = functional.grid_sample(torch.cat([told, angle[None]])[None], where, align_corners=True)[0, :, 0].T
    rays = pixel_directions(torch.from_numpy(np.column_stack([columns, rows]) + 0.5), torch.from_numpy(K)).float()
    normal[rows, columns] = from_ray_frames(functional.normalize(read[:, :3], dim=1), rays).numpy()
    off[rows, columns] = read[:, 3].numpy()
    return SeenNormals(normal, off)


def _window(region: HandRegion, rows: np.ndarray, columns: np.ndarray) -> Float[np.ndarray, "2 3"]:
    """The crop about hand and object."""
    low = np.minimum(region.keypoints.min(0), [columns.min(), rows.min()])
    high = np.maximum(region.keypoints.max(0), [columns.max() + 1, rows.max() + 1])
    extent = hand_extent(region)
    side = float(np.clip(BESIDE * (high - low).max(), LEAST_REACH * extent, MOST_REACH * extent))
    # a long object does not fit: the crop then stays by the hand, where it was taught to be
    middle = (low + high) / 2
    hand_low, hand_high = region.keypoints.min(0), region.keypoints.max(0)
    reach = side / 2 - 0.5 * (hand_high - hand_low)
    return window_about(np.clip(middle, (hand_low + hand_high) / 2 - reach, (hand_low + hand_high) / 2 + reach), side, region.side)
