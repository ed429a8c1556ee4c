"""Hand masks brought to the fitted hand: skin-coloured shadow and forearm are not hand, and a hand has no holes."""

from dataclasses import replace

import cv2
import numpy as np
import torch
from jaxtyping import Float

from hoifield.actors.skinned_model import SkinnedModel
from hoifield.geometry.cameras import Camera
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.observations.frame_masks import BACKGROUND, LEFT_HAND, RIGHT_HAND, FrameMasks
from hoifield.observations.hand_track import HandTrack

REACH = 0.05
"""Of the hand's box: how far beyond the fitted hand its pixels may lie. Keypoints err by about 2 %, the hand's girth by as much."""
CORE = 0.02
"""Of the hand's box: what lies deeper than this inside the fitted hand's silhouette and is not the object is the hand."""
WORST_KEYPOINT_ERROR = 0.06


def correct_hand_masks(masks: FrameMasks, hands: tuple[HandTrack, ...], actors: tuple[SkinnedModel, ...], camera: Camera) -> FrameMasks:
    """The masks with hand labels far from the fitted hand turned to background, and background deep inside it turned to hand.

    Given masks and badly fitted frames stay as they are; object labels always do.
    """
    labels = masks.labels.copy()
    height, width = labels.shape[1:]
    working = camera.resized(width, height)
    for hand, actor in zip(hands, actors, strict=True):
        label = RIGHT_HAND if hand.side == "right" else LEFT_HAND
        well = hand.observed & hand.posed & (np.nan_to_num(hand.keypoint_error, nan=1.0) < WORST_KEYPOINT_ERROR)
        for frame in np.flatnonzero(well):
            if masks.source[frame] == "given":
                continue
            outside, reach, core = _distance_outside(hand, actor, working, int(frame))
            picture = labels[frame]
            picture[(picture == label) & (outside > reach)] = BACKGROUND
            picture[(picture == BACKGROUND) & (outside < -core)] = label
    return replace(masks, labels=labels)


def _distance_outside(hand: HandTrack, actor: SkinnedModel, camera: Camera, frame: int) -> tuple[Float[np.ndarray, "height width"], float, float]:
    """Pixels by which each pixel lies outside the posed hand's silhouette (negative inside), and REACH and CORE in pixels."""
    row = slice(frame, frame + 1)
    with torch.no_grad():
        posed = actor.pose(
            torch.tensor(hand.shape, dtype=torch.float32),
            torch.tensor(hand.pose[row], dtype=torch.float32),
            torch.tensor(hand.T_camera_hand[row], dtype=torch.float32),
        )
    _, face, _ = rasterise_mesh(posed.vertices[0].double().numpy(), actor.faces.numpy(), camera.K, camera.width, camera.height)
    silhouette = (face >= 0).astype(np.uint8)
    ys, xs = np.nonzero(silhouette)
    if len(xs) == 0:
        return np.zeros(silhouette.shape), np.inf, np.inf
    side = float(max(np.ptp(xs), np.ptp(ys)))
    outside = cv2.distanceTransform(1 - silhouette, cv2.DIST_L2, 5) - cv2.distanceTransform(silhouette, cv2.DIST_L2, 5)
    return outside, max(2.0, REACH * side), max(2.0, CORE * side)
