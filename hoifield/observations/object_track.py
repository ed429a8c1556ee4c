"""The object over the clip: rigid poses, how far to trust each, and the first shape that explains the silhouettes."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from hoifield.geometry.mesh import Mesh
from hoifield.shapes.draw_family import ShapeName

PoseSource = Literal["hand", "motion", "none"]
"""hand: the object moves with the palm; motion: structure from motion, on the object or on object and hand; none: no trustworthy pose."""


@dataclass(frozen=True)
class KnownShape:
    """A template that took the hull's place: its point p is at size (p - middle) in the object frame."""

    size: float
    """Times the template's own."""
    middle: Float[np.ndarray, "3"]
    """The template's own frame and units."""
    likeness: float
    """How well its silhouettes agree with the masks beside those of the hull that it replaced (medians): 1 is as well."""
    word: ShapeName | None = None
    """The family that it was found in; None where a mesh was given."""


@dataclass(frozen=True)
class ObjectTrack:
    """Metric object poses in the camera, for one canonical object frame whose origin is near the object's centre."""

    T_camera_object: Float[np.ndarray, "frame 4 4"]
    """NaN where `source` is "none"."""
    confidence: Float[np.ndarray, "frame"]
    """In [0, 1]."""
    source: tuple[PoseSource, ...]
    hull: Mesh
    """Visual hull under these poses, object frame, metres: the start of the field, and its bounds. With a known shape, that."""
    silhouette_iou: Float[np.ndarray, "frame"]
    """Agreement of the hull's silhouette with the object mask (pixels hidden by the hand left out); NaN without a mask."""
    known_shape: KnownShape | None = None
    """Where the user gave a template, or a word for one."""
