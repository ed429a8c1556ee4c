"""A clip whose frames are decoded once for each size they are asked at, and then come from memory, while they fit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from jaxtyping import UInt8

from hoifield.clip.clip import Clip

MEMORY_LIMIT = 600_000_000
"""Bytes of all frames kept: 20 seconds at 640 x 360, and beside them 6 seconds at 1280 x 720."""

KeptFrames = dict[tuple[int, int], dict[int, UInt8[np.ndarray, "height width 3"]]]


@dataclass(frozen=True)
class RememberingClip(Clip):
    """Another clip, read through a memory that lives as long as this one. Frames are read-only, since others will be given them."""

    source: Clip
    kept: KeptFrames = field(default_factory=dict, repr=False, compare=False)
    """Frames by size; a size is kept where all frames of the clip would fit beside the other sizes."""

    def read_frames(
        self, frames: Sequence[int] | None = None, size: tuple[int, int] | None = None
    ) -> Iterator[tuple[int, UInt8[np.ndarray, "height width 3"]]]:
        """As `Clip.read_frames`; what was read before at this size is not decoded again."""
        size = size or (self.width, self.height)
        if size not in self.kept and self.frame_count * 3 * sum(width * height for width, height in (*self.kept, size)) > MEMORY_LIMIT:
            return self.source.read_frames(frames, size)
        wanted = range(self.frame_count) if frames is None else frames
        kept = self.kept.setdefault(size, {})
        missing = [frame for frame in wanted if frame not in kept]
        return self._read_through(wanted, self.source.read_frames(missing, size), kept, set(missing))

    def _read_through(
        self,
        wanted: Sequence[int],
        decoded: Iterator[tuple[int, UInt8[np.ndarray, "height width 3"]]],
        kept: dict[int, UInt8[np.ndarray, "height width 3"]],
        missing: set[int],
    ) -> Iterator[tuple[int, UInt8[np.ndarray, "height width 3"]]]:
        for frame in wanted:
            if frame in missing:
                kept[frame] = next(decoded)[1]
                kept[frame].flags.writeable = False
            yield frame, kept[frame]


def remember_frames(clip: Clip) -> RememberingClip:
    """The clip with a memory for its frames (the same one where it has a memory already)."""
    if isinstance(clip, RememberingClip):
        return clip
    return RememberingClip(**{entry.name: getattr(clip, entry.name) for entry in fields(Clip)}, source=clip)
