"""Corrections of poses stay small and move smoothly, and bodies do not jitter; in time rather than in frame numbers."""

from jaxtyping import Float
from torch import Tensor


def smooth_correction_loss(correction: Float[Tensor, "frame channel"], time_s: Float[Tensor, "frame"], scale: float) -> Float[Tensor, ""]:
    """Mean squared velocity of a correction, in units of `scale` per 1/10 second.

    The correction is smoothed, not the motion itself: a fast hand is not slowed down.
    """
    if len(correction) < 2:
        return correction.sum() * 0.0
    step = (time_s[1:] - time_s[:-1]).clamp(min=1e-3)[:, None]
    velocity = (correction[1:] - correction[:-1]) / step * 0.1
    return ((velocity / scale) ** 2).sum(-1).mean()


def steady_path_loss(points: Float[Tensor, "frame point 3"], time_s: Float[Tensor, "frame"], scale: float) -> Float[Tensor, ""]:
    """Robust acceleration of points of a body, in units of `scale` m/s^2, Geman-McClure: jitter costs, a quick turn here and there does not.

    Differences of the observed motion are judged with it, so errors of single frames can be mended, which smooth corrections would keep.
    """
    if len(points) < 3:
        return points.sum() * 0.0
    step = (time_s[1:] - time_s[:-1]).clamp(min=1e-3)[:, None, None]
    velocity = (points[1:] - points[:-1]) / step
    acceleration = (velocity[1:] - velocity[:-1]) / (0.5 * (step[1:] + step[:-1]))
    squared = (acceleration / scale).square().sum(-1)
    return (squared / (1.0 + squared)).mean()


def small_correction_loss(correction: Float[Tensor, "frame channel"], trust: Float[Tensor, "frame"], scale: float) -> Float[Tensor, ""]:
    """Mean squared size of a correction in units of `scale`, weighted by the trust in the observed pose."""
    return ((correction / scale) ** 2).sum(-1).mul(trust).mean()


def held_gauge_loss(correction: Float[Tensor, "frame 3"], scale: float) -> Float[Tensor, ""]:
    """Square of the mean correction: what all frames could share is not the poses' to change (the hand is the ruler)."""
    return ((correction.mean(0) / scale) ** 2).sum()
