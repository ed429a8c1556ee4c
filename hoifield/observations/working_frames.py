"""A clip's frames at the size masks are made at."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import UInt8

from hoifield.clip.clip import Clip
from hoifield.clip.remember_frames import remember_frames

LONGEST_SIDE = 640
SAMPLED_FRAMES = 32


class WorkingFrames:
    """Frames of a clip scaled so that the longest side is at most 640 pixels; decoded once while they fit into memory."""

    def __init__(self, clip: Clip, longest_side: int = LONGEST_SIDE) -> None:
        self.clip = remember_frames(clip)
        self.scale = min(1.0, longest_side / max(clip.width, clip.height))
        self.width, self.height = max(2, round(clip.width * self.scale)), max(2, round(clip.height * self.scale))

    @property
    def frame_count(self) -> int:
        """Number of frames of the clip."""
        return self.clip.frame_count

    def read(self, frames: Sequence[int] | None = None) -> Iterator[tuple[int, UInt8[np.ndarray, "height width 3"]]]:
        """Stream (frame number, RGB) of the asked frames in ascending order (all when None)."""
        return self.clip.read_frames(None if frames is None else sorted(set(frames)), (self.width, self.height))


def spread_frames(frame_count: int, wanted: int = SAMPLED_FRAMES) -> list[int]:
    """Up to `wanted` frame numbers spread evenly over the clip."""
    return np.unique(np.linspace(0, frame_count - 1, min(wanted, frame_count)).round().astype(int)).tolist()
