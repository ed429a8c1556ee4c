"""What moves with the step: surface width and learning rate. Pure functions of progress, so that a resumed fit repeats itself."""

import math


def surface_width(progress: float, start: float, end: float) -> float:
    """Exponential from `start` to `end` metres, reached at 80 % of the stage and held."""
    return start * math.exp(math.log(end / start) * min(progress / 0.8, 1.0))


def rate_factor(progress: float) -> float:
    """Learning-rate factor: 1 until 40 % of the stage, then exponentially down to 0.05 at its end."""
    return math.exp(math.log(0.05) * max(0.0, (progress - 0.4) / 0.6))
