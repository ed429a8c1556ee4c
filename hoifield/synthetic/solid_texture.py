"""Colours of a solid material: rich in detail, never repeating, the same wherever the same point is asked."""

import numpy as np
from jaxtyping import Float
from numba import njit, prange

CELL_SIZE, SPECKLE_SIZE = 0.013, 0.0042
PALETTE = np.array(
    [
        [0.82, 0.16, 0.14],
        [0.10, 0.33, 0.62],
        [0.95, 0.77, 0.18],
        [0.16, 0.52, 0.30],
        [0.93, 0.92, 0.86],
        [0.45, 0.20, 0.50],
        [0.12, 0.13, 0.16],
        [0.20, 0.62, 0.68],
        [0.90, 0.46, 0.12],
    ]
)


@njit(cache=True, error_model="numpy")
def _random(x: int, y: int, z: int, seed: int, channel: int) -> float:
    """A number in [0, 1) fixed by a lattice cell (integer hash)."""
    h = np.uint32(x * 73856093) ^ np.uint32(y * 19349663) ^ np.uint32(z * 83492791) ^ np.uint32(seed * 2654435 + channel * 97)
    h = np.uint32(h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D)
    h = np.uint32(h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B)
    h = np.uint32(h ^ (h >> np.uint32(16)))
    return float(h) / 4294967296.0


@njit(cache=True, error_model="numpy")
def _value_noise(x: float, y: float, z: float, seed: int) -> float:
    """Smooth noise in [0, 1] of period one cell (trilinear, cubic fade)."""
    i, j, k = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
    u, v, w = x - i, y - j, z - k
    u, v, w = u * u * (3 - 2 * u), v * v * (3 - 2 * v), w * w * (3 - 2 * w)
    total = 0.0
    for a in range(2):
        for b in range(2):
            for c in range(2):
                weight = (u if a else 1 - u) * (v if b else 1 - v) * (w if c else 1 - w)
                total += weight * _random(i + a, j + b, k + c, seed, 0)
    return total


@njit(cache=True, error_model="numpy")
def _cells(x: float, y: float, z: float, seed: int) -> tuple[float, float, float]:
    """Distance to the nearest and second nearest feature point, and a number of the nearest (Worley noise)."""
    i, j, k = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
    first, second, owner = 1e9, 1e9, 0.0
    for a in range(i - 1, i + 2):
        for b in range(j - 1, j + 2):
            for c in range(k - 1, k + 2):
                dx = a + _random(a, b, c, seed, 1) - x
                dy = b + _random(a, b, c, seed, 2) - y
                dz = c + _random(a, b, c, seed, 3) - z
                distance = np.sqrt(dx * dx + dy * dy + dz * dz)
                if distance < first:
                    second, first, owner = first, distance, _random(a, b, c, seed, 4)
                elif distance < second:
                    second = distance
    return first, second, owner


@njit(cache=True, parallel=True, error_model="numpy")
def _fill_noise(points, size, octaves, seed, values):  # type: ignore[no-untyped-def]
    for p in prange(len(points)):
        total, weight, scale = 0.0, 1.0, 1.0 / size
        norm = 0.0
        for octave in range(octaves):
            total += weight * _value_noise(points[p, 0] * scale, points[p, 1] * scale, points[p, 2] * scale, seed + octave)
            norm += weight
            weight, scale = weight * 0.5, scale * 2.03
        values[p] = total / norm


@njit(cache=True, parallel=True, error_model="numpy")
def _fill_colours(points, palette, cell, speckle, seed, colours):  # type: ignore[no-untyped-def]
    for p in prange(len(points)):
        x, y, z = points[p, 0], points[p, 1], points[p, 2]
        warp = 0.35 * cell * (_value_noise(x / cell * 1.7, y / cell * 1.7, z / cell * 1.7, seed + 50) - 0.5)
        first, second, owner = _cells((x + warp) / cell, (y - warp) / cell, (z + warp) / cell, seed)
        _, _, small_owner = _cells(x / speckle, y / speckle, z / speckle, seed + 7)
        main = int(owner * len(palette))
        border = 1.0 if second - first < 0.07 else 0.0
        fine = 0.82 + 0.36 * _value_noise(x / 0.0016, y / 0.0016, z / 0.0016, seed + 90)
        for channel in range(3):
            value = palette[main, channel]
            if small_owner > 0.74:
                other = palette[int(small_owner * 7919) % len(palette), channel]
                value = 0.25 * value + 0.75 * other
            value = (1 - 0.75 * border) * value + 0.75 * border * 0.08
            colours[p, channel] = min(max(value * fine, 0.0), 1.0)


def solid_noise(points: Float[np.ndarray, "point 3"], size: float, octaves: int, seed: int) -> Float[np.ndarray, "point"]:
    """Fractal noise in [0, 1] whose coarsest detail is `size` metres."""
    values = np.empty(len(points))
    _fill_noise(np.ascontiguousarray(points, dtype=np.float64), size, octaves, seed, values)
    return values


def solid_colours(points: Float[np.ndarray, "point 3"], seed: int) -> Float[np.ndarray, "point 3"]:
    """RGB in [0, 1] (sRGB) of points of a solid: patches of about 13 mm with borders, speckles of 4 mm, fine grain."""
    palette = PALETTE[np.random.default_rng(seed).permutation(len(PALETTE))]
    colours = np.empty((len(points), 3))
    _fill_colours(np.ascontiguousarray(points, dtype=np.float64), palette, CELL_SIZE, SPECKLE_SIZE, seed, colours)
    return colours
