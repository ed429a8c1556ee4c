"""How finely rays are searched, and where their samples go."""

COARSE_BINS = 40
"""Bins over the bounds, to find where a ray comes near the surface."""
FINE_BINS = 64
"""Bins over that stretch, from which samples are drawn."""
BAND_WIDTHS = 6.0
"""A ray is near the surface within this many density widths: beyond, less than 1 / 800 of the optical depth is left."""
SHARE_NEAR = 0.25
"""Share of the samples drawn by closeness to any surface on the ray, hidden ones too: a start can grow behind its front."""
SHARE_UNIFORM = 0.15
"""Share drawn uniformly in the neighbourhood of the surface."""
