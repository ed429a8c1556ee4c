"""Everything seen before the fit, of one clip."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from hoifield.geometry.cameras import Camera
from hoifield.observations.frame_masks import FrameMasks
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.object_track import ObjectTrack
from hoifield.observations.sensor_depth import SensorDepth

Verdict = Literal["fit", "degraded", "refuse"]
FocalSource = Literal["given", "metadata", "guess", "depth"]
"""depth: the one at which the hand, of its usual size, is as far as a sensor measured."""


@dataclass(frozen=True)
class Reason:
    """One finding, with a stable code and the frames it holds for (clip frame numbers; empty = the whole clip)."""

    code: str
    message: str
    frames: tuple[int, ...] = ()


@dataclass(frozen=True)
class Readiness:
    """The verdict before the fit: fit, fit with degraded expectations, or refuse; with what was measured."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    measurements: dict[str, float]


@dataclass(frozen=True)
class Observations:
    """What the fit starts from. All per-frame arrays have one row per frame of the clip."""

    camera: Camera
    """In pixels of the clip."""
    focal_source: FocalSource
    fit_frames: Int[np.ndarray, "fitted"]
    """Clip frame numbers worth fitting: sharp, spread over the motion, ascending."""
    sharpness: Float[np.ndarray, "frame"]
    hands: tuple[HandTrack, ...]
    masks: FrameMasks
    object_track: ObjectTrack | None
    """None where no object was found; then the readiness verdict is "refuse"."""
    readiness: Readiness
    depth: SensorDepth | None = None
    """Where the user gave any."""
