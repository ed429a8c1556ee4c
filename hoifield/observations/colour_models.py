"""Colour densities of one clip as smoothed Lab histograms, and the hand's own skin among them."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8
from scipy.ndimage import gaussian_filter

_BINS = (16, 32, 32)


@dataclass(frozen=True)
class ColourDensity:
    """Share of pixels per Lab bin (16 x 32 x 32 bins of 8-bit Lab), blurred by one bin; sums to one."""

    share: Float32[np.ndarray, "lightness a b"]

    @staticmethod
    def measure(lab: UInt8[np.ndarray, "pixel 3"], weight: Float[np.ndarray, "pixel"] | None = None) -> "ColourDensity":
        """Density of the given pixels (8-bit Lab)."""
        flat = np.ravel_multi_index((lab[:, 0] >> 4, lab[:, 1] >> 3, lab[:, 2] >> 3), _BINS)
        counts = np.bincount(flat, weights=weight, minlength=int(np.prod(_BINS))).reshape(_BINS)
        blurred = gaussian_filter(counts.astype(np.float32), (0.7, 0.9, 0.9))
        return ColourDensity(share=(blurred / max(float(blurred.sum()), 1e-9)).astype(np.float32))

    def at(self, lab: UInt8[np.ndarray, "*shape 3"]) -> Float32[np.ndarray, "*shape"]:
        """Density at each pixel (8-bit Lab)."""
        return self.share[lab[..., 0] >> 4, lab[..., 1] >> 3, lab[..., 2] >> 3]


def to_lab(picture: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """8-bit Lab of an RGB picture."""
    return cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)


def skin_gate(picture: UInt8[np.ndarray, "height width 3"]) -> Bool[np.ndarray, "height width"]:
    """True where a colour may be human skin (the usual wide gate in YCrCb)."""
    transformed = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)
    luma, red, blue = (transformed[..., channel] for channel in range(3))
    return (luma > 30) & (red >= 133) & (red <= 185) & (blue >= 70) & (blue <= 132) & (red.astype(int) - blue > 5)


def measure_skin(lab: UInt8[np.ndarray, "pixel 3"], gated: Bool[np.ndarray, "pixel"], background: ColourDensity) -> ColourDensity:
    """Skin of the clip from pixels on the hand's bones: those inside the gate and denser there than in the background, trimmed.

    Where that leaves under 15 % of them (gloves, coloured light) all pixels are used. Trimmed to 3 median deviations.
    """
    usual = ColourDensity.measure(lab[gated]) if gated.any() else ColourDensity.measure(lab)
    own = gated & (usual.at(lab) > 2.0 * background.at(lab))
    chosen = lab[own] if own.mean() > 0.15 else lab
    middle = np.median(chosen.astype(np.float32), axis=0)
    deviation = np.abs(chosen - middle)
    limit = 3.0 * 1.4826 * np.maximum(np.median(deviation, axis=0), 2.0)
    return ColourDensity.measure(chosen[(deviation < limit).all(-1)])
