"""The march of rays through a cached distance grid, and the samples drawn from it: numba, one ray after the other.

The readable twin of this kernel is `march_torch.march_torch`; both draw the same samples from the same random numbers.
"""

import math

import numba
import numpy as np

from hoifield.renderer.march_settings import BAND_WIDTHS, COARSE_BINS, FINE_BINS, SHARE_NEAR, SHARE_UNIFORM

# As in `fields.encode_numba`: the same bits from every copy of a kernel.
FAST = {"nsz", "arcp"}


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _lookup(values, shape, lower, spacing, x, y, z):
    """Trilinear distance; beyond the grid with the distance to it added, as in `geometry.trilinear`."""
    px, py, pz = (x - lower[0]) / spacing, (y - lower[1]) / spacing, (z - lower[2]) / spacing
    cx = min(max(px, 0.0), shape[0] - 1.0)
    cy = min(max(py, 0.0), shape[1] - 1.0)
    cz = min(max(pz, 0.0), shape[2] - 1.0)
    ix, iy, iz = min(int(cx), shape[0] - 2), min(int(cy), shape[1] - 2), min(int(cz), shape[2] - 2)
    fx, fy, fz = cx - ix, cy - iy, cz - iz
    step_y, step_x = shape[2], shape[1] * shape[2]
    i = ix * step_x + iy * step_y + iz
    a0 = values[i] + fx * (values[i + step_x] - values[i])
    a1 = values[i + 1] + fx * (values[i + 1 + step_x] - values[i + 1])
    i += step_y
    a2 = values[i] + fx * (values[i + step_x] - values[i])
    a3 = values[i + 1] + fx * (values[i + 1 + step_x] - values[i + 1])
    low, high = a0 + fy * (a2 - a0), a1 + fy * (a3 - a1)
    inner = low + fz * (high - low)
    square = (px - cx) ** 2 + (py - cy) ** 2 + (pz - cz) ** 2
    return inner if square == 0.0 else inner + math.sqrt(square) * spacing


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _occupied_stretch(values, shape, lower, spacing, origin, direction, near, far, band):
    """Ends of the part of a ray that comes within `band` of the surface, or else of the bins around its closest approach."""
    step = (far - near) / COARSE_BINS
    first, last, closest, least = COARSE_BINS, -1, 0, np.inf
    for k in range(COARSE_BINS):
        t = near + (k + 0.5) * step
        distance = _lookup(
            values, shape, lower, spacing, origin[0] + t * direction[0], origin[1] + t * direction[1], origin[2] + t * direction[2]
        )
        if distance < least:
            least, closest = distance, k
        if distance < band + 0.5 * step:
            first, last = min(first, k), k
    if last < 0:
        first, last = max(closest - 1, 0), min(closest + 1, COARSE_BINS - 1)
    return near + first * step, near + (last + 1) * step


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _fill_shares(values, shape, lower, spacing, origin, direction, start, step, width, band, share):
    """Probabilities of the bins of a stretch: rendering weight, closeness to the surface, and a uniform part."""
    broad = max(width, 0.5 * step)
    rendered, close, open_bins, depth = 0.0, 0.0, 0.0, 0.0
    for k in range(FINE_BINS):
        t = start + (k + 0.5) * step
        distance = _lookup(
            values, shape, lower, spacing, origin[0] + t * direction[0], origin[1] + t * direction[1], origin[2] + t * direction[2]
        )
        decay = math.exp(-abs(distance) / broad)
        optical = (0.5 * decay if distance >= 0 else 1 - 0.5 * decay) * step / broad
        share[0, k] = math.exp(-depth) * -math.expm1(-optical)
        share[1, k] = decay
        share[2, k] = 1.0 if distance < band + 0.5 * step else 0.0
        depth += optical
        rendered += share[0, k]
        close += share[1, k]
        open_bins += share[2, k]
    for k in range(FINE_BINS):
        total = 1e-3 / FINE_BINS
        if rendered > 1e-6:
            total += (1 - SHARE_NEAR - SHARE_UNIFORM) * share[0, k] / rendered
        if close > 1e-6:
            total += SHARE_NEAR * share[1, k] / close
        if open_bins > 0:
            total += SHARE_UNIFORM * share[2, k] / open_bins
        share[0, k] = total


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", parallel=True)
def march_numba(origins, directions, near, far, values, shape, lower, spacing, width, uniform, out):
    """Fills `out` [ray, count] with ascending ray distances; rays with near >= far get `near` throughout."""
    count = uniform.shape[1]
    band = max(BAND_WIDTHS * width, spacing)
    for ray in numba.prange(origins.shape[0]):
        if not far[ray] > near[ray]:
            out[ray, :] = near[ray]
            continue
        origin, direction = origins[ray], directions[ray]
        start, stop = _occupied_stretch(values, shape, lower, spacing, origin, direction, near[ray], far[ray], band)
        share = np.empty((3, FINE_BINS))
        step = (stop - start) / FINE_BINS
        _fill_shares(values, shape, lower, spacing, origin, direction, start, step, width, band, share)
        total = 0.0
        for k in range(FINE_BINS):
            total += share[0, k]
        bin_index, before = 0, 0.0
        for j in range(count):
            wanted = (j + uniform[ray, j]) / count * total
            while bin_index < FINE_BINS - 1 and before + share[0, bin_index] < wanted:
                before += share[0, bin_index]
                bin_index += 1
            within = min(max((wanted - before) / share[0, bin_index], 0.0), 1.0)
            out[ray, j] = start + (bin_index + within) * step
