"""Masks that the user gives: `%06d.png` for some or all frames, checked and brought to the working size."""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from hoifield.errors import MissingInput, RefusedInput
from hoifield.observations.frame_masks import BACKGROUND, LEFT_HAND, NOT_OBJECT, OBJECT, RIGHT_HAND, UNLABELLED
from hoifield.observations.numbered_pictures import find_pictures, frame_of, has_aspect

_LABELS = (BACKGROUND, OBJECT, RIGHT_HAND, LEFT_HAND, NOT_OBJECT, UNLABELLED)


def read_given_masks(
    folder: Path, frame_count: int, clip_size: tuple[int, int], size: tuple[int, int]
) -> dict[int, UInt8[np.ndarray, "height width"]]:
    """Label pictures by frame number, resized (nearest) to `size` = (width, height); `clip_size` likewise.

    Labels: 0 background, 1 object, 2 right hand, 3 left hand, 254 anything but the object, 255 not labelled.
    Raises MissingInput (HF-MSK-001, -002) and RefusedInput (HF-MSK-003 to -007).
    """
    if not folder.is_dir():
        raise MissingInput("HF-MSK-001", f"there is no masks folder {folder}", "name the folder that holds 000000.png, 000001.png, ...")
    pictures = find_pictures(folder)
    if not pictures:
        raise MissingInput("HF-MSK-002", f"the masks folder {folder} holds no .png file", "put masks named %06d.png (frame number) there")
    masks = {}
    for path in pictures:
        frame = frame_of(path, frame_count)
        if frame is None:
            raise RefusedInput(
                "HF-MSK-003",
                f"mask {path.name} names no frame of the clip (frames 000000 to {frame_count - 1:06d})",
                "name masks with the six-digit frame number, counted from 000000",
            )
        masks[frame] = _read_mask(path, clip_size, size)
    if not any((mask == OBJECT).any() for mask in masks.values()):
        raise RefusedInput(
            "HF-MSK-007",
            f"none of the {len(masks)} given masks labels an object pixel (label {OBJECT})",
            "label the object with pixel value 1 in at least one mask",
        )
    return masks


def _read_mask(path: Path, clip_size: tuple[int, int], size: tuple[int, int]) -> UInt8[np.ndarray, "height width"]:
    encoded = np.frombuffer(path.read_bytes(), np.uint8)
    mask = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) if len(encoded) else None
    if mask is None:
        raise RefusedInput("HF-MSK-004", f"mask {path.name} is not a readable picture", "write it again as an 8-bit PNG")
    if mask.ndim == 3 and mask.shape[2] == 3 and (mask == mask[..., :1]).all():
        mask = mask[..., 0]
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise RefusedInput(
            "HF-MSK-004",
            f"mask {path.name} has shape {mask.shape} and type {mask.dtype}, not one 8-bit channel of labels",
            "write label numbers, not colours, as an 8-bit greyscale PNG",
        )
    height, width = mask.shape
    if not has_aspect(width, height, clip_size):
        raise RefusedInput(
            "HF-MSK-006",
            f"mask {path.name} is {width}x{height}, of another aspect than the {clip_size[0]}x{clip_size[1]} clip",
            "draw masks on upright frames of the clip, without cropping",
        )
    strange = sorted(set(np.unique(mask).tolist()) - set(_LABELS))
    if strange:
        raise RefusedInput(
            "HF-MSK-005",
            f"mask {path.name} holds unknown labels {strange[:6]}",
            "use 0 background, 1 object, 2 right hand, 3 left hand, 254 anything but the object, 255 not labelled",
        )
    return cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
