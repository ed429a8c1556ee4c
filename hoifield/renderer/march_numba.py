"""The march of rays through cached distance grids, and the samples drawn from it: numba, one ray after the other.

The readable twin of this kernel is `march_torch.march_torch`; both draw the same samples from the same random numbers. The bins of a ray
are worked on together, in loops that LLVM vectorises.
"""

import numba
import numpy as np

from hoifield.fields.block_layers import FAST, fast_exp
from hoifield.renderer.march_settings import BAND_WIDTHS, COARSE_BINS, FINE_BINS, SHARE_NEAR, SHARE_UNIFORM

MOST_BINS = max(COARSE_BINS, FINE_BINS)
HALF = np.float32(0.5)
ZERO = np.float32(0.0)
ONE = np.float32(1.0)
SMALL_DEPTH = np.float32(1e-2)
"""Below, 1 - exp(-x) is taken from its series: the difference of two numbers near 1 has no places left."""
LEAST_SHARE = np.float32(1e-3 / FINE_BINS)
LEAST_TOTAL = np.float32(1e-6)
SHARE_RENDERED = np.float32(1 - SHARE_NEAR - SHARE_UNIFORM)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _distances(values, shape, lower, spacing, origin, direction, start, step, bins, cell, part, distance):
    """Trilinear distances at the middle of the bins; beyond the grid with the distance to it added, as in `geometry.trilinear`."""
    first = cell[:bins]
    fx, fy, fz, beyond = part[:bins], part[MOST_BINS : MOST_BINS + bins], part[2 * MOST_BINS : 2 * MOST_BINS + bins], part[3 * MOST_BINS : 3 * MOST_BINS + bins]
    step_y, step_x = np.int32(shape[2]), np.int32(shape[1] * shape[2])
    inverse = ONE / spacing
    ox, oy, oz = (origin[0] - lower[0]) * inverse, (origin[1] - lower[1]) * inverse, (origin[2] - lower[2]) * inverse
    dx, dy, dz = direction[0] * inverse, direction[1] * inverse, direction[2] * inverse
    last_x, last_y, last_z = np.int32(shape[0] - 2), np.int32(shape[1] - 2), np.int32(shape[2] - 2)
    most_x, most_y, most_z = np.float32(shape[0] - 1), np.float32(shape[1] - 1), np.float32(shape[2] - 1)
    for k in range(bins):
        t = start + (np.float32(np.int32(k)) + HALF) * step
        px, py, pz = ox + t * dx, oy + t * dy, oz + t * dz
        cx, cy, cz = min(max(px, ZERO), most_x), min(max(py, ZERO), most_y), min(max(pz, ZERO), most_z)
        ix, iy, iz = min(np.int32(cx), last_x), min(np.int32(cy), last_y), min(np.int32(cz), last_z)
        fx[k], fy[k], fz[k] = cx - np.float32(ix), cy - np.float32(iy), cz - np.float32(iz)
        first[k] = ix * step_x + iy * step_y + iz
        beyond[k] = (px - cx) * (px - cx) + (py - cy) * (py - cy) + (pz - cz) * (pz - cz)
    for k in range(bins):
        i = first[k]
        a0 = values[i] + fx[k] * (values[i + step_x] - values[i])
        a1 = values[i + 1] + fx[k] * (values[i + 1 + step_x] - values[i + 1])
        j = i + step_y
        a2 = values[j] + fx[k] * (values[j + step_x] - values[j])
        a3 = values[j + 1] + fx[k] * (values[j + 1 + step_x] - values[j + 1])
        low, high = a0 + fy[k] * (a2 - a0), a1 + fy[k] * (a3 - a1)
        distance[k] = low + fz[k] * (high - low) + np.sqrt(beyond[k]) * spacing


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _occupied_stretch(distance, near, step, band):
    """Ends of the part of a ray that comes within `band` of the surface, or else of the bins around its closest approach."""
    first, last, closest, least = COARSE_BINS, -1, 0, np.float32(np.inf)
    for k in range(COARSE_BINS):
        if distance[k] < least:
            least, closest = distance[k], k
        if distance[k] < band + HALF * step:
            first, last = min(first, k), k
    if last < 0:
        first, last = max(closest - 1, 0), min(closest + 1, COARSE_BINS - 1)
    return near + np.float32(first) * step, near + np.float32(last + 1) * step


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _fill_shares(distance, step, width, band, optical, decay, share):
    """Probabilities of the bins of a stretch: rendering weight, closeness to the surface, and a uniform part."""
    broad = max(width, HALF * step)
    reach = band + HALF * step
    for k in range(FINE_BINS):
        decay[k] = fast_exp(-abs(distance[k]) / broad)
        optical[k] = (HALF * decay[k] if distance[k] >= ZERO else ONE - HALF * decay[k]) * step / broad
    depth = ZERO
    for k in range(FINE_BINS):
        share[k] = depth
        depth += optical[k]
    for k in range(FINE_BINS):
        o = optical[k]
        stopped = o * (ONE - o * (HALF - o * np.float32(1 / 6))) if o < SMALL_DEPTH else ONE - fast_exp(-o)
        share[k] = fast_exp(-share[k]) * stopped
    rendered, close, open_bins = ZERO, ZERO, 0
    for k in range(FINE_BINS):
        rendered += share[k]
        close += decay[k]
        open_bins += distance[k] < reach
    of_rendered = SHARE_RENDERED / rendered if rendered > LEAST_TOTAL else ZERO
    of_close = np.float32(SHARE_NEAR) / close if close > LEAST_TOTAL else ZERO
    of_open = np.float32(SHARE_UNIFORM) / np.float32(open_bins) if open_bins > 0 else ZERO
    for k in range(FINE_BINS):
        share[k] = LEAST_SHARE + of_rendered * share[k] + of_close * decay[k] + (of_open if distance[k] < reach else ZERO)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _draw(share, start, step, uniform, out):
    """Stratified samples by inverse distribution over the bins."""
    count = uniform.size
    total = ZERO
    for k in range(FINE_BINS):
        total += share[k]
    bin_index, before = 0, ZERO
    for j in range(count):
        wanted = (np.float32(j) + uniform[j]) / np.float32(count) * total
        while bin_index < FINE_BINS - 1 and before + share[bin_index] < wanted:
            before += share[bin_index]
            bin_index += 1
        within = min(max((wanted - before) / share[bin_index], ZERO), ONE)
        out[j] = start + (np.float32(bin_index) + within) * step


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", parallel=True)
def march_numba(origins, directions, near, far, volumes, row, lower, spacing, width, uniform, out):
    """Fills `out` [ray, count] with ascending ray distances; rays with near >= far get `near` throughout.

    `volumes` is [volume, nx, ny, nz]; ray r marches through number row[r], with its lowest vertex at lower[row[r]].
    """
    rays = origins.shape[0]
    size = volumes.shape[1] * volumes.shape[2] * volumes.shape[3]
    shape = volumes.shape[1:]
    flat = volumes.reshape(-1)
    tasks = (rays + 63) // 64
    width = np.float32(width)
    for task in numba.prange(tasks):
        cell, part = np.empty(MOST_BINS, np.int32), np.empty(4 * MOST_BINS, np.float32)
        distance, share = np.empty(MOST_BINS, np.float32), np.empty(MOST_BINS, np.float32)
        optical, decay = np.empty(MOST_BINS, np.float32), np.empty(MOST_BINS, np.float32)
        for ray in range(task * 64, min(rays, task * 64 + 64)):
            if not far[ray] > near[ray]:
                out[ray, :] = near[ray]
                continue
            number = row[ray]
            values, low, gap = flat[number * size : (number + 1) * size], lower[number], spacing[number]
            band = max(np.float32(BAND_WIDTHS) * width, gap)
            step = (far[ray] - near[ray]) / np.float32(COARSE_BINS)
            _distances(values, shape, low, gap, origins[ray], directions[ray], near[ray], step, COARSE_BINS, cell, part, distance)
            start, stop = _occupied_stretch(distance, near[ray], step, band)
            step = (stop - start) / np.float32(FINE_BINS)
            _distances(values, shape, low, gap, origins[ray], directions[ray], start, step, FINE_BINS, cell, part, distance)
            _fill_shares(distance, step, width, band, optical, decay, share)
            _draw(share, start, step, uniform[ray], out[ray])


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", parallel=True)
def closest_numba(origins, directions, near, far, values, lower, spacing, count, out):
    """Fills `out` [ray] with the distance of the smallest of `count` values from near to far; at most MOST_BINS."""
    rays = origins.shape[0]
    shape, flat, gap = values.shape, values.reshape(-1), np.float32(spacing)
    for task in numba.prange((rays + 63) // 64):
        cell, part, distance = np.empty(MOST_BINS, np.int32), np.empty(4 * MOST_BINS, np.float32), np.empty(MOST_BINS, np.float32)
        for ray in range(task * 64, min(rays, task * 64 + 64)):
            step = (far[ray] - near[ray]) / np.float32(count - 1)
            _distances(flat, shape, lower, gap, origins[ray], directions[ray], near[ray] - HALF * step, step, count, cell, part, distance)
            closest = 0
            for k in range(1, count):
                if distance[k] < distance[closest]:
                    closest = k
            out[ray] = near[ray] + np.float32(closest) * step
