"""Colours of a solid material: the same wherever the same point is asked. Rich in detail and never repeating, or plain, or repeated."""

from typing import Literal, assert_never, get_args

import numpy as np
from jaxtyping import Float
from numba import njit, prange

SkinName = Literal["textured", "plain", "repeated", "glossy"]
"""What an object looks like: rich in detail, one colour, a regular pattern, or one colour under a sharp highlight."""
SKIN_NAMES: tuple[SkinName, ...] = get_args(SkinName)
PatternName = Literal["checks", "dots", "stripes"]
CELL_SIZE, SPECKLE_SIZE = 0.013, 0.0042
PATTERN_HEIGHT, PATTERN_RADIUS, PATTERN_SECTORS = 0.0125, 0.012, 8
"""Height of a cell of a repeated pattern, and the radius up to twice which so many cells go round; twice as many beyond, and so on."""
LEAST_CONTRAST = 0.2
"""Between the two colours of a pattern, share of white."""
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


def plain_colours(points: Float[np.ndarray, "point 3"], seed: int) -> Float[np.ndarray, "point 3"]:
    """One colour per seed, with a grain of 1.5 % that no matcher holds on to."""
    generator = np.random.default_rng(seed + 3000)
    colour = 0.12 + 0.76 * PALETTE[generator.integers(len(PALETTE))]
    return colour * (0.985 + 0.03 * solid_noise(points, 0.0018, 1, seed + 60)[:, None])


def repeated_colours(points: Float[np.ndarray, "point 3"], seed: int) -> Float[np.ndarray, "point 3"]:
    """Checks, dots or stripes in two colours, regular round z and along it, so that every cell looks like its neighbours."""
    generator = np.random.default_rng(seed + 4000)
    pattern: PatternName = generator.choice(["checks", "dots", "stripes"]).item()
    ground = PALETTE[generator.integers(len(PALETTE))]
    mark = PALETTE[generator.choice(np.nonzero(np.abs(PALETTE.mean(1) - ground.mean()) > LEAST_CONTRAST)[0])]
    radius, height = np.hypot(points[:, 0], points[:, 1]), points[:, 2] / PATTERN_HEIGHT
    sectors = PATTERN_SECTORS * 2 ** np.maximum(np.floor(np.log2(np.maximum(radius, 1e-9) / PATTERN_RADIUS)), 0)
    around = np.arctan2(points[:, 1], points[:, 0]) / (2 * np.pi) * sectors
    match pattern:
        case "checks":
            marked = (np.floor(around) + np.floor(height)) % 2 == 1
        case "dots":
            row = np.floor(height)
            width = 2 * np.pi * radius / sectors
            across = (around + 0.5 * (row % 2)) % 1 - 0.5
            marked = np.hypot(across * width, (height - row - 0.5) * PATTERN_HEIGHT) < 0.32 * PATTERN_HEIGHT
        case "stripes":
            marked = height % 1 < 0.5
        case _:
            assert_never(pattern)
    return np.where(marked[:, None], mark, ground) * (0.97 + 0.06 * solid_noise(points, 0.0018, 1, seed + 61)[:, None])


def skin_colours(points: Float[np.ndarray, "point 3"], skin: SkinName, seed: int) -> Float[np.ndarray, "point 3"]:
    """RGB in [0, 1] (sRGB) of points of an object with a skin."""
    match skin:
        case "textured":
            return solid_colours(points, seed)
        case "repeated":
            return repeated_colours(points, seed)
        case "plain" | "glossy":
            return plain_colours(points, seed)
        case _:
            assert_never(skin)
