"""A clip's frames at the size masks are made at, kept in memory while they fit."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import UInt8

from hoifield.clip.clip import Clip

LONGEST_SIDE = 640
SAMPLED_FRAMES = 32
_MEMORY_LIMIT = 400_000_000
"""Bytes of frames kept; longer clips are decoded again for every pass."""


class WorkingFrames:
    """Frames of a clip scaled so that the longest side is at most 640 pixels."""

    def __init__(self, clip: Clip, longest_side: int = LONGEST_SIDE) -> None:
        self.clip = clip
        self.scale = min(1.0, longest_side / max(clip.width, clip.height))
        self.width, self.height = max(2, round(clip.width * self.scale)), max(2, round(clip.height * self.scale))
        self._kept: dict[int, UInt8[np.ndarray, "height width 3"]] = {}
        self._keep = clip.frame_count * self.width * self.height * 3 <= _MEMORY_LIMIT

    @property
    def frame_count(self) -> int:
        """Number of frames of the clip."""
        return self.clip.frame_count

    def read(self, frames: Sequence[int] | None = None) -> Iterator[tuple[int, UInt8[np.ndarray, "height width 3"]]]:
        """Stream (frame number, RGB) of the asked frames in ascending order (all when None)."""
        if not self._keep:
            yield from self.clip.read_frames(frames, (self.width, self.height))
            return
        if not self._kept:
            self._kept = dict(self.clip.read_frames(None, (self.width, self.height)))
        for frame in sorted(self._kept) if frames is None else sorted(set(frames)):
            yield frame, self._kept[frame]


def spread_frames(frame_count: int, wanted: int = SAMPLED_FRAMES) -> list[int]:
    """Up to `wanted` frame numbers spread evenly over the clip."""
    return np.unique(np.linspace(0, frame_count - 1, min(wanted, frame_count)).round().astype(int)).tolist()
