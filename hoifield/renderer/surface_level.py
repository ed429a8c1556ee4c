"""Where the surface lies that a soft field shows: a little outside of its zero level."""

import numpy as np
from jaxtyping import Float


def rendered_surface_level(values: Float[np.ndarray, "nx ny nz"], spacing: float, width: float) -> float:
    """Signed distance (m) of the surface that a silhouette shows, for a density of `width` metres.

    A ray that grazes a ball of radius R at distance s takes up half its light where (1/2) exp(-s/w) sqrt(2 pi R / w) = ln 2, so
    s = w ln(0.72 sqrt(2 pi R / w)). R is that of the ball of the object's volume. 0 for a width of 0.
    """
    if width == 0:
        return 0.0
    volume = float((values < 0).sum()) * spacing**3
    radius = (3 * volume / (4 * np.pi)) ** (1 / 3)
    return float(width * max(np.log(0.72 * np.sqrt(2 * np.pi * radius / width)), 0.0))
