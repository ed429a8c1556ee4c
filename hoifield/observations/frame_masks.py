"""Per-frame labels of hand, object and background, with a confidence."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8

BACKGROUND, OBJECT, RIGHT_HAND, LEFT_HAND = 0, 1, 2, 3
NOT_OBJECT, UNLABELLED = 254, 255
"""In masks given by the user only: "anything but the object" and "not labelled"."""

MaskSource = Literal["given", "carried", "automatic"]


@dataclass(frozen=True)
class FrameMasks:
    """Labels of every frame at one working size (the clip's aspect)."""

    labels: UInt8[np.ndarray, "frame height width"]
    """0 background, 1 object, 2 right hand, 3 left hand."""
    object_confidence: Float[np.ndarray, "frame"]
    """Expected object IoU of the frame's mask, in [0, 1]; 0 where no object was found."""
    hand_confidence: Float[np.ndarray, "frame"]
    source: tuple[MaskSource, ...]
    """Per frame: given by the user, carried on from given frames, or found with no help."""
