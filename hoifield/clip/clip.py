"""One clip, checked once: what the later steps may rely on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8


@dataclass(frozen=True)
class Clip:
    """A video file or a folder of images. Frames are streamed upright (rotation metadata applied), never all held."""

    path: Path
    kind: Literal["video", "images"]
    name: str
    """A safe short name made from the file name."""
    sha256: str
    width: int
    """Pixels, after rotation."""
    height: int
    time_s: Float[np.ndarray, "frame"]
    """Presentation time of every frame, seconds from the first; uneven for variable frame rates."""
    focal_from_metadata: float | None
    """Pixels, where the file names it; else None."""

    @property
    def frame_count(self) -> int:
        """Number of frames that decode."""
        return len(self.time_s)

    @property
    def frames_per_second(self) -> float:
        """Mean frame rate."""
        duration = float(self.time_s[-1] - self.time_s[0])
        return (self.frame_count - 1) / duration if duration > 0 else 30.0

    def read_frames(
        self, frames: Sequence[int] | None = None, size: tuple[int, int] | None = None
    ) -> Iterator[tuple[int, UInt8[np.ndarray, "height width 3"]]]:
        """Stream (frame number, RGB) of the asked frames (ascending; all when None), resized to `size` = (width, height) if given."""
        from hoifield.clip.read_frames import stream_frames

        return stream_frames(self, frames, size)
