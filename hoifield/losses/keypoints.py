"""Posed hands against the detected keypoints and the anatomy."""

import torch
from jaxtyping import Float
from torch import Tensor

from hoifield.geometry.cameras import project


def keypoint_loss(
    keypoints: Float[Tensor, "frame keypoint=21 3"],
    detected: Float[Tensor, "frame keypoint=21 2"],
    K: Float[Tensor, "3 3"],
    box_size: Float[Tensor, "frame"],
) -> Float[Tensor, ""]:
    """Charbonnier distance of projected to detected keypoints, in units of 2 % of the hand box; frames without them (NaN) do not count."""
    seen = detected.isfinite().all(-1).all(-1)
    error = (project(keypoints[seen], K) - detected[seen]).norm(dim=-1) / (0.02 * box_size[seen, None])
    return (torch.sqrt(1.0 + error**2) - 1.0).sum() / max(error.numel(), 1)


def limit_loss(excess: Float[Tensor, "frame joint 3"]) -> Float[Tensor, ""]:
    """Mean squared angle beyond the joint limits, radians squared."""
    return (excess**2).sum(-1).mean()
