"""Points that structure from motion can follow: SIFT on the object, or on the object and the hand that holds it still."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from hoifield.clip.clip import Clip
from hoifield.observations.frame_masks import BACKGROUND, OBJECT, FrameMasks
from hoifield.observations.hand_track import HandTrack

CONTRAST = 0.006
"""Of OpenCV's SIFT. A fifth of the usual: skin and plain objects have little, and wrong matches are told by geometry."""
EDGE_RATIO = 16.0
MOST_FEATURES = 3000
ZOOM = 2.0
"""Size of the pictures searched, as a multiple of the masks' (never above the clip's own)."""
ERODED_PIXELS = 1
"""At the masks' size: what lies on the outline belongs to the background as much."""
SURROUND = 24
"""Pixels around the masked part that the scale space needs."""
BESIDE_KEYPOINTS = 0.08
"""Share of the keypoints' box by which the hand reaches beyond it; the arm further off turns in the wrist."""


@dataclass(frozen=True)
class FrameFeatures:
    """The features of one frame, strongest first."""

    pixels: Float[np.ndarray, "feature 2"]
    """In pixels of the picture searched."""
    descriptors: UInt8[np.ndarray, "feature 128"]
    """Root-normalised SIFT (Arandjelovic and Zisserman 2012), as COLMAP stores it."""

    def strongest(self, among: Bool[np.ndarray, "feature"], most: int) -> "FrameFeatures":
        """At most so many of those marked."""
        kept = np.flatnonzero(among)[:most]
        return FrameFeatures(self.pixels[kept], self.descriptors[kept])

    def inside(self, mask: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "feature"]:
        """Which features lie on the mask's pixels."""
        column, row = self.pixels.astype(int).T
        return mask[row, column]


def find_features(image: UInt8[np.ndarray, "height width 3"], mask: Bool[np.ndarray, "height width"]) -> FrameFeatures:
    """SIFT features inside the mask."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return FrameFeatures(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8))
    top, left = max(rows.min() - SURROUND, 0), max(columns.min() - SURROUND, 0)
    box = np.s_[top : rows.max() + SURROUND + 1, left : columns.max() + SURROUND + 1]
    grey = cv2.cvtColor(np.ascontiguousarray(image[box]), cv2.COLOR_RGB2GRAY)
    sift = cv2.SIFT_create(contrastThreshold=CONTRAST, edgeThreshold=EDGE_RATIO)  # type: ignore[attr-defined]
    found, descriptors = sift.detectAndCompute(grey, np.ascontiguousarray(mask[box]).astype(np.uint8))
    if descriptors is None:
        return FrameFeatures(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8))
    order = np.argsort([-point.response for point in found], kind="stable")
    pixels = np.array([point.pt for point in found], np.float32) + np.array([left + 0.5, top + 0.5], np.float32)
    root = np.sqrt(descriptors / np.maximum(descriptors.sum(1, keepdims=True), 1e-9))
    return FrameFeatures(pixels[order], np.clip(np.round(512 * root), 0, 255).astype(np.uint8)[order])


def rigid_pixels(masks: FrameMasks, frame: int, hand: HandTrack | None, clip_width: int) -> Bool[np.ndarray, "height width"]:
    """The object's pixels, and with a `hand` that is observed in the frame its own, without the arm; at the masks' size."""
    labels = masks.labels[frame]
    if hand is None or not hand.observed[frame]:
        return labels == OBJECT
    keypoints = hand.keypoints[frame] * labels.shape[1] / clip_width
    lower, upper = keypoints.min(0), keypoints.max(0)
    margin = BESIDE_KEYPOINTS * (upper - lower).max()
    y, x = np.mgrid[: labels.shape[0], : labels.shape[1]]
    on_hand = (x > lower[0] - margin) & (x < upper[0] + margin) & (y > lower[1] - margin) & (y < upper[1] + margin)
    return (labels == OBJECT) | ((labels != BACKGROUND) & on_hand)


def feature_size(clip: Clip, masks: FrameMasks) -> tuple[int, int]:
    """Width and height of the pictures searched."""
    height, width = masks.labels.shape[1:]
    zoom = min(ZOOM, clip.width / width)
    return round(width * zoom), round(height * zoom)


def gather_features(clip: Clip, masks: FrameMasks, frames: np.ndarray, hand: HandTrack) -> tuple[list[FrameFeatures], list[FrameFeatures]]:
    """Features of the frames (ascending): of the object alone, and of object and `hand` as one rigid body; one search for both."""
    size = feature_size(clip, masks)
    kernel = np.ones((2 * ERODED_PIXELS + 1, 2 * ERODED_PIXELS + 1), np.uint8)
    alone, together = [], []
    for frame, image in clip.read_frames([int(frame) for frame in frames], size):
        on_object, on_both = (
            cv2.resize(cv2.erode(rigid_pixels(masks, frame, body, clip.width).astype(np.uint8), kernel), size, interpolation=cv2.INTER_NEAREST) > 0
            for body in (None, hand)
        )
        found = find_features(image, on_both)
        alone.append(found.strongest(found.inside(on_object), MOST_FEATURES))
        together.append(found.strongest(np.ones(len(found.pixels), bool), MOST_FEATURES))
    return alone, together
