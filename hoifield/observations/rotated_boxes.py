"""Square rotated boxes around hands, and the crops they cut (MediaPipe's geometry, so that its networks see what they were trained on)."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

PALM_LANDMARKS = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)
"""Keypoints that place the next box: palm and first phalanges, which move least when fingers curl."""


@dataclass(frozen=True)
class RotatedBox:
    """A square turned clockwise by `angle` (radians, picture axes), in picture pixels (centres at +0.5)."""

    x: float
    y: float
    side: float
    angle: float


def box_from_palm(corners: Float[np.ndarray, "4"], keypoints: Float[np.ndarray, "7 2"]) -> RotatedBox:
    """The hand's box from a palm detection (left, top, right, bottom and 7 keypoints, pixels): wrist to middle knuckle points up."""
    angle = _upright_angle(keypoints[0], keypoints[2])
    width, height = float(corners[2] - corners[0]), float(corners[3] - corners[1])
    centre = np.array([corners[0] + corners[2], corners[1] + corners[3]]) / 2
    return _grow(centre, width, height, angle, scale=2.6, shift=-0.5)


def box_from_landmarks(keypoints: Float[np.ndarray, "21 2"]) -> RotatedBox:
    """The box of the next frame from this frame's keypoints, pixels."""
    knuckles = (keypoints[5] + keypoints[13]) / 4 + keypoints[9] / 2
    angle = _upright_angle(keypoints[0], knuckles)
    points = keypoints[list(PALM_LANDMARKS)]
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    turned = points @ turn.T
    low, high = turned.min(0), turned.max(0)
    width, height = high - low
    return _grow(turn.T @ ((low + high) / 2), float(width), float(height), angle, scale=2.0, shift=-0.1)


def crop_picture(
    picture: UInt8[np.ndarray, "height width 3"], box: RotatedBox, size: int
) -> tuple[UInt8[np.ndarray, "size size 3"], Float[np.ndarray, "2 3"]]:
    """The upright `size` x `size` crop of a box, and the affine map of crop pixels into picture pixels (both with centres at +0.5)."""
    scale = box.side / size
    cosine, sine = math.cos(box.angle) * scale, math.sin(box.angle) * scale
    linear = np.array([[cosine, -sine], [sine, cosine]])
    origin = np.array([box.x, box.y]) - linear @ np.array([size / 2, size / 2])
    # OpenCV counts pixel centres at whole numbers.
    shifted = origin + linear @ np.array([0.5, 0.5]) - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    crop = cv2.warpAffine(picture, np.column_stack([linear, shifted]), (size, size), flags=flags)
    return crop, np.column_stack([linear, origin])


def keypoint_box_side(keypoints: Float[np.ndarray, "*frame keypoint 2"]) -> Float[np.ndarray, "*frame"]:
    """Larger side of the upright box around keypoints, pixels."""
    return (keypoints.max(-2) - keypoints.min(-2)).max(-1)


def are_same_hand(first: Float[np.ndarray, "21 2"], second: Float[np.ndarray, "21 2"]) -> bool:
    """True where two sets of keypoints lie on one hand: mean distance below a quarter of the larger box."""
    side = max(float(keypoint_box_side(first)), float(keypoint_box_side(second)))
    return bool(np.linalg.norm(first - second, axis=-1).mean() < 0.25 * side)


def _upright_angle(start: Float[np.ndarray, "2"], end: Float[np.ndarray, "2"]) -> float:
    """Rotation that makes start -> end point up in the crop, in [-pi, pi)."""
    angle = math.pi / 2 - math.atan2(-(float(end[1]) - float(start[1])), float(end[0]) - float(start[0]))
    return (angle + math.pi) % (2 * math.pi) - math.pi


def _grow(centre: Float[np.ndarray, "2"], width: float, height: float, angle: float, scale: float, shift: float) -> RotatedBox:
    x = float(centre[0]) - height * shift * math.sin(angle)
    y = float(centre[1]) + height * shift * math.cos(angle)
    return RotatedBox(x, y, max(width, height) * scale, angle)
