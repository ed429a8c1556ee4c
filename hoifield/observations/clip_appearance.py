"""What a clip's skin and background look like, learned from where the hand is and where it is not."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from hoifield.observations.colour_models import ColourDensity, measure_skin, skin_gate, to_lab
from hoifield.observations.hand_region import HandRegion, region_distance, wide_arm
from hoifield.observations.still_background import StillBackground, learn_still_background
from hoifield.observations.working_frames import WorkingFrames, spread_frames

_FLOOR = 5e-4
"""Density of an even spread over all bins is 6e-5; below the floor a colour counts as hardly seen."""


@dataclass(frozen=True)
class ClipAppearance:
    """Skin and background of one clip."""

    skin: ColourDensity
    background: ColourDensity
    """Colours far from the hand."""
    still: StillBackground | None
    """What each pixel shows while bare, for a camera that does not move; None for a moving camera."""

    def skin_map(self, picture: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "height width"]:
        """Skin share of every pixel in [0, 1], lightly blurred."""
        return cv2.GaussianBlur(skin_share(self, to_lab(picture)), (0, 0), 1.0)

    def difference(self, lab: UInt8[np.ndarray, "height width 3"], left: int, top: int) -> Float32[np.ndarray, "height width"]:
        """Distance to the still background in units of its spread, at most 30; -1 where it is unknown (or the camera moves)."""
        if self.still is None:
            return np.full(lab.shape[:2], -1.0, np.float32)
        return self.still.distance(lab, left, top)


def skin_share(appearance: ClipAppearance, lab: UInt8[np.ndarray, "*shape 3"]) -> Float32[np.ndarray, "*shape"]:
    """Density of skin against skin plus background, in [0, 1]."""
    skin = appearance.skin.share
    return ColourDensity(share=(skin / (skin + 0.5 * appearance.background.share + _FLOOR)).astype(np.float32)).at(lab)


def learn_appearance(
    frames: WorkingFrames, regions: tuple[tuple[HandRegion, ...], ...], far: float, rng: np.random.Generator
) -> ClipAppearance:
    """Skin from the hands' bones, background from pixels more than `far` hand lengths away (nearer where there are none so far)."""
    on_bones, gated, away = [], [], []
    for frame, picture in frames.read(spread_frames(frames.frame_count)):
        lab, here = to_lab(picture), regions[frame] if regions else ()
        distance = region_distance(here, 0, 0, frames.width, frames.height)
        bones = np.zeros(distance.shape, bool)
        for region in here:
            bones |= region.capsules(0, 0, frames.width, frames.height, radius=0.06)
        reach = min(far, float(np.quantile(distance, 0.85))) if here else -1.0
        outside = (distance > reach) & ~wide_arm(here, 0, 0, frames.width, frames.height)
        on_bones.append(lab[bones])
        gated.append(skin_gate(picture)[bones])
        chosen = np.flatnonzero(outside)
        away.append(lab.reshape(-1, 3)[rng.choice(chosen, min(len(chosen), 8000), replace=False)] if len(chosen) else lab[:0, 0])
    pixels = np.concatenate(on_bones)
    empty = ColourDensity(share=np.zeros((16, 32, 32), np.float32))
    background = ColourDensity.measure(np.concatenate(away))
    return ClipAppearance(
        skin=measure_skin(pixels, np.concatenate(gated), background) if len(pixels) else empty,
        background=background,
        still=learn_still_background(frames, regions) if regions else None,
    )
