"""A still room behind the hand: wall, pictures, shelf and desk, with detail that stays where it is."""

import cv2
import numpy as np
from jaxtyping import Float

from hoifield.synthetic.solid_texture import solid_noise

WALLS = ((0.62, 0.66, 0.68), (0.58, 0.64, 0.58), (0.50, 0.56, 0.64), (0.70, 0.70, 0.67))
DESKS = ((0.33, 0.34, 0.36), (0.22, 0.17, 0.14), (0.62, 0.62, 0.60))
PAINTS = (
    (0.20, 0.35, 0.55),
    (0.75, 0.72, 0.30),
    (0.25, 0.45, 0.35),
    (0.15, 0.16, 0.20),
    (0.85, 0.86, 0.84),
    (0.45, 0.30, 0.50),
    (0.30, 0.55, 0.60),
)


def draw_background(width: int, height: int, seed: int) -> Float[np.ndarray, "height width 3"]:
    """A picture of a room, RGB in [0, 1] (sRGB), slightly out of focus."""
    generator = np.random.default_rng(seed)
    y, x = np.meshgrid((np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij")
    flat = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
    coarse = solid_noise(flat, 0.35, 3, seed).reshape(height, width, 1)
    fine = solid_noise(flat, 0.012, 3, seed + 10).reshape(height, width, 1)
    picture = np.array(WALLS[generator.integers(len(WALLS))]) * (0.78 + 0.30 * coarse + 0.06 * fine)
    picture = picture * (1.05 - 0.25 * x[..., None])
    for _ in range(int(generator.integers(4, 7))):
        _hang_picture(picture, x, y, generator)
    desk_edge = float(generator.uniform(0.70, 0.80))
    shelf = float(generator.uniform(0.10, 0.2))
    picture[(y > shelf) & (y < shelf + 0.022) & (x < 0.45)] *= 0.45
    grain = solid_noise(np.stack([flat[:, 0] * 0.12, flat[:, 1], flat[:, 2]], axis=1), 0.02, 4, seed + 20).reshape(height, width, 1)
    desk = np.array(DESKS[generator.integers(len(DESKS))]) * (0.65 + 0.6 * grain)
    picture = np.where((y > desk_edge + 0.03 * x)[..., None], desk, picture)
    picture[np.abs(y - desk_edge - 0.03 * x) < 0.006] *= 0.6
    blurred = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 0.0035 * width)
    return np.clip(blurred, 0, 1).astype(np.float64)


def _hang_picture(
    picture: Float[np.ndarray, "height width 3"],
    x: Float[np.ndarray, "height width"],
    y: Float[np.ndarray, "height width"],
    generator: np.random.Generator,
) -> None:
    """Paint a framed rectangle with blocks and stripes into `picture`."""
    left, top = generator.uniform(-0.05, 0.85), generator.uniform(-0.05, 0.55)
    wide, tall = generator.uniform(0.12, 0.3, size=2)
    inside = (x > left) & (x < left + wide) & (y > top) & (y < top + tall)
    colours = np.array(PAINTS)[generator.permutation(len(PAINTS))]
    picture[inside] = colours[0]
    for k in range(1, 5):
        u, v = generator.uniform(0, 0.8, size=2)
        spot = inside & (x > left + u * wide) & (x < left + (u + 0.35) * wide) & (y > top + v * tall) & (y < top + (v + 0.3) * tall)
        picture[spot] = colours[k]
    stripes = inside & (y > top + 0.75 * tall) & (np.sin(140 * x + 20 * generator.random()) > 0.2)
    picture[stripes] = colours[5]
    frame = inside & ~((x > left + 0.012) & (x < left + wide - 0.012) & (y > top + 0.012) & (y < top + tall - 0.012))
    picture[frame] = 0.25
