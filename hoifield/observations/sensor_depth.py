"""Depth pictures that came with the clip: read, checked, and brought to the masks' size."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt16

from hoifield.errors import MissingInput, RefusedInput
from hoifield.observations.numbered_pictures import find_pictures, frame_of, has_aspect

NEAREST_MM, FARTHEST_MM = 100, 20_000
"""A median outside of these is no depth of a held object in millimetres."""


@dataclass(frozen=True)
class SensorDepth:
    """Depth along the optical axis at the size of the masks."""

    millimetres: UInt16[np.ndarray, "frame height width"]
    """0 where the sensor said nothing, and in frames without a picture."""

    @property
    def frames(self) -> int:
        """Frames that have any."""
        return int((self.millimetres > 0).any((1, 2)).sum())


def read_sensor_depth(folder: Path, frame_count: int, clip_size: tuple[int, int], size: tuple[int, int]) -> SensorDepth:
    """Depth of a folder of 16-bit pictures `%06d.png` in millimetres, 0 = none, for all frames or some; `size` is (width, height).

    Pictures are resized to the nearest pixel, so that nothing floats between hand and background. Raises MissingInput (HF-DEP-001) and
    RefusedInput (HF-DEP-002 to -005).
    """
    pictures = find_pictures(folder)
    if not pictures:
        raise MissingInput("HF-DEP-001", f"the depth folder {folder} holds no .png file", "put pictures named %06d.png (frame number) there")
    depth = np.zeros((frame_count, size[1], size[0]), np.uint16)
    for path in pictures:
        frame = frame_of(path, frame_count)
        if frame is None:
            cause = f"depth picture {path.name} names no frame of the clip (frames 000000 to {frame_count - 1:06d})"
            raise RefusedInput("HF-DEP-002", cause, "name depth pictures with the six-digit frame number, counted from 000000")
        depth[frame] = cv2.resize(_read_picture(path, clip_size), size, interpolation=cv2.INTER_NEAREST)
    known = depth[depth > 0]
    median = float(np.median(known)) if len(known) else 0.0
    if not NEAREST_MM <= median <= FARTHEST_MM:
        cause = f"the depth pictures have a median of {median:.0f}, which is no depth of a held object in millimetres"
        raise RefusedInput("HF-DEP-005", cause, "write millimetres as 16-bit PNG, 0 where nothing was measured")
    return SensorDepth(depth)


def _read_picture(path: Path, clip_size: tuple[int, int]) -> UInt16[np.ndarray, "height width"]:
    encoded = np.frombuffer(path.read_bytes(), np.uint8)
    picture = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) if len(encoded) else None
    if picture is None or picture.ndim != 2 or picture.dtype != np.uint16:
        found = "is not a readable picture" if picture is None else f"has shape {picture.shape} and type {picture.dtype}, not one 16-bit channel"
        raise RefusedInput("HF-DEP-003", f"depth picture {path.name} {found}", "write millimetres as a 16-bit greyscale PNG")
    height, width = picture.shape
    if not has_aspect(width, height, clip_size):
        cause = f"depth picture {path.name} is {width}x{height}, of another aspect than the {clip_size[0]}x{clip_size[1]} clip"
        raise RefusedInput("HF-DEP-004", cause, "bring depth into the colour camera's picture, upright and without cropping")
    return picture
