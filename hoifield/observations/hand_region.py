"""Where the hand is in a working picture, from its keypoints: hull, finger capsules, arm strip and the box to look in."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32
from scipy.ndimage import median_filter

from hoifield.actors.skinned_model import KEYPOINT_BONES, PALM_KEYPOINTS, Side
from hoifield.observations.hand_track import HandTrack


@dataclass(frozen=True)
class HandRegion:
    """One hand in one frame, pixels of the working picture."""

    side: Side
    keypoints: Float[np.ndarray, "keypoint=21 2"]
    palm_size: float
    """Longest palm bone over a stretch of frames (a foreshortened palm does not shrink it)."""

    @property
    def length(self) -> float:
        """About the length of the stretched hand."""
        return 2.0 * self.palm_size

    @property
    def arm_direction(self) -> Float[np.ndarray, "2"]:
        """Unit direction from the knuckles to the wrist: where the arm goes on."""
        along = self.keypoints[0] - self.keypoints[[5, 9, 13, 17]].mean(0)
        return along / max(float(np.linalg.norm(along)), 1e-6)

    def box(self, margin: float, width: int, height: int) -> tuple[int, int, int, int]:
        """Box (left, top, right, bottom) of the keypoints with `margin` hand lengths on every side, inside the picture."""
        low, high = self.keypoints.min(0) - margin * self.length, self.keypoints.max(0) + margin * self.length
        left, top = (int(np.clip(value, 0, size - 2)) for value, size in zip(low, (width, height)))
        right, bottom = (int(np.clip(value + 1, first + 2, size)) for value, first, size in zip(high, (left, top), (width, height)))
        return left, top, right, bottom

    def capsules(self, left: int, top: int, width: int, height: int, radius: float = 0.1) -> Bool[np.ndarray, "height width"]:
        """True within `radius` palm sizes of a finger bone, or inside the palm."""
        canvas = np.zeros((height, width), np.uint8)
        points = np.round(self.keypoints - (left, top)).astype(np.int32)
        thickness = max(1, round(2 * radius * self.palm_size))
        for first, second in KEYPOINT_BONES:
            cv2.line(canvas, points[first].tolist(), points[second].tolist(), 1, thickness)
        cv2.fillConvexPoly(canvas, cv2.convexHull(points[list(PALM_KEYPOINTS)]), 1)
        return canvas.astype(bool)

    def signed_distance(self, left: int, top: int, width: int, height: int) -> Float32[np.ndarray, "height width"]:
        """Distance to the hull of the keypoints in hand lengths, negative inside; computed on every fourth pixel."""
        pad = 4 * int(0.4 * self.length)
        rows, columns = (height + 2 * pad) // 4 + 2, (width + 2 * pad) // 4 + 2
        canvas = np.zeros((rows, columns), np.uint8)
        points = np.round((self.keypoints - (left - pad, top - pad)) / 4 - 0.5).astype(np.int32)
        cv2.fillConvexPoly(canvas, cv2.convexHull(points), 1)
        if not canvas.any():
            return np.full((height, width), 3.0, np.float32)
        outside = cv2.distanceTransform(1 - canvas, cv2.DIST_L2, 5)
        inside = cv2.distanceTransform(canvas, cv2.DIST_L2, 5)
        signed = (outside - inside) * np.float32(4.0 / self.length)
        lift = np.array([[4.0, 0.0, 1.5 - pad], [0.0, 4.0, 1.5 - pad]])
        return cv2.warpAffine(signed, lift, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    def arm_strip(self, left: int, top: int, width: int, height: int, spread: float = 0.3) -> Bool[np.ndarray, "height width"]:
        """True on the strip that goes on from the wrist: half as wide as `spread` palm sizes, widening by `spread`."""
        columns = (np.arange(width) + left + 0.5 - self.keypoints[0, 0]) / self.palm_size
        rows = (np.arange(height)[:, None] + top + 0.5 - self.keypoints[0, 1]) / self.palm_size
        x, y = self.arm_direction
        along, across = columns * x + rows * y, np.abs(columns * y - rows * x)
        return (along > 0.35) & (across < spread * (1.0 + np.maximum(along, 0.0)))


def hand_regions(hands: tuple[HandTrack, ...], scale: float) -> tuple[tuple[HandRegion, ...], ...]:
    """Hands of every frame in working pixels (clip pixels times `scale`).

    Frames in which a hand was not observed get keypoints interpolated in time between observed ones (held at the ends); a hand that
    was observed in no frame is left out.
    """
    tracks = []
    for hand in hands:
        seen = np.flatnonzero(hand.observed & np.isfinite(hand.keypoints).all((1, 2)))
        if len(seen) == 0:
            continue
        frames = np.arange(len(hand.observed))
        flat = hand.keypoints.reshape(len(frames), -1)[seen] * scale
        keypoints = np.stack([np.interp(frames, seen, flat[:, column]) for column in range(42)], axis=-1).reshape(-1, 21, 2)
        palm = np.linalg.norm(keypoints[:, [5, 9, 17, 17]] - keypoints[:, [0, 0, 0, 5]], axis=-1).max(-1)
        palm = np.maximum(median_filter(palm, size=min(31, len(frames)), mode="nearest"), 4.0)
        tracks.append([HandRegion(side=hand.side, keypoints=points, palm_size=float(size)) for points, size in zip(keypoints, palm)])
    frame_count = len(hands[0].observed) if hands else 0
    return tuple(tuple(track[frame] for track in tracks) for frame in range(frame_count))


def region_distance(regions: tuple[HandRegion, ...], left: int, top: int, width: int, height: int) -> Float32[np.ndarray, "height width"]:
    """Signed distance to the nearest hand hull in hand lengths; 0 everywhere where there is no hand."""
    if not regions:
        return np.zeros((height, width), np.float32)
    return np.min([region.signed_distance(left, top, width, height) for region in regions], axis=0)


def wide_arm(regions: tuple[HandRegion, ...], left: int, top: int, width: int, height: int) -> Bool[np.ndarray, "height width"]:
    """Where an arm may be, generously: no object seed and no background colour is taken there."""
    arm = np.zeros((height, width), bool)
    for region in regions:
        arm |= region.arm_strip(left, top, width, height, spread=0.65)
    return arm
