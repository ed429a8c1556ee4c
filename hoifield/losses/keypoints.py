"""Posed hands against the detected keypoints and the anatomy."""

import torch
from jaxtyping import Float
from torch import Tensor

from hoifield.geometry.cameras import project

MADE_UP = 0.08
"""Share of the hand box by which a detection is off where it is believed by half."""


def keypoint_loss(
    keypoints: Float[Tensor, "frame keypoint=21 3"],
    detected: Float[Tensor, "frame keypoint=21 2"],
    K: Float[Tensor, "3 3"],
    box_size: Float[Tensor, "frame"],
    trust: Float[Tensor, "frame keypoint=21"],
) -> Float[Tensor, ""]:
    """Charbonnier distance of projected to detected keypoints, in units of 2 % of the hand box; frames without them (NaN) do not count.

    Each counts by its `trust` (see `trust_keypoints`).
    """
    seen = detected.isfinite().all(-1).all(-1)
    error = (project(keypoints[seen], K) - detected[seen]).norm(dim=-1) / (0.02 * box_size[seen, None])
    return ((torch.sqrt(1.0 + error**2) - 1.0) * trust[seen]).sum() / max(error.numel(), 1)


def trust_keypoints(
    keypoints: Float[Tensor, "frame keypoint=21 3"], detected: Float[Tensor, "frame keypoint=21 2"], K: Float[Tensor, "3 3"], box_size: Float[Tensor, "frame"]
) -> Float[Tensor, "frame keypoint=21"]:  # fmt: skip
    """In [0, 1]: how far each detection is believed by a hand on which all frames agree; a fifth of the box off, it was made up.

    Cauchy's weight with a scale of MADE_UP of the hand box; 0 in frames without detections (NaN).
    """
    off = (project(keypoints, K) - detected).norm(dim=-1) / box_size[:, None]
    return torch.nan_to_num(1.0 / (1.0 + (off / MADE_UP) ** 2))


def limit_loss(excess: Float[Tensor, "frame joint 3"]) -> Float[Tensor, ""]:
    """Mean squared angle beyond the joint limits, radians squared."""
    return (excess**2).sum(-1).mean()
