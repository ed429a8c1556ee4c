"""Keypoints and silhouette pixels of the fitted frames, for the placement stages."""

import cv2
import numpy as np
import torch

from hoifield.fitting.frame_pixels import FramePixels
from hoifield.fitting.refine_placement import HandEvidence, PlacementEvidence
from hoifield.observations.observations import Observations

SILHOUETTE_PIXELS = 192
OUTLINE_POINTS = 96


def gather_placement_evidence(observations: Observations, pixels: FramePixels, seed: int) -> PlacementEvidence:
    """Evidence in pixels of the working camera: 2/3 of the silhouette pixels lie within 8 pixels of the object's outline."""
    generator = np.random.default_rng((seed, 77))
    scale = pixels.camera.width / observations.camera.width
    rows = observations.fit_frames
    chosen, labels = [], []
    for row in range(len(rows)):
        pixel, inside = _silhouette_pixels(pixels.entities[row], generator)
        chosen.append(pixel + pixels.corner[row] + 0.5)
        labels.append(inside)
    distance, entity, corner = _crops_of_one_size(pixels)
    return PlacementEvidence(
        hands=tuple(_hand_evidence(number, observations, pixels, scale, generator) for number in range(len(observations.hands))),
        silhouette_pixels=torch.tensor(np.stack(chosen), dtype=torch.float32),
        inside=torch.tensor(np.stack(labels)),
        foreground_distance=distance,
        entity=entity,
        corner=corner,
    )


def _hand_evidence(number: int, observations: Observations, pixels: FramePixels, scale: float, generator: np.random.Generator) -> HandEvidence:
    hand = observations.hands[number]
    rows = observations.fit_frames
    keypoints = hand.keypoints[rows] * scale
    outline = np.zeros((len(rows), OUTLINE_POINTS, 2))
    weight = np.zeros((len(rows), OUTLINE_POINTS))
    for row in range(len(rows)):
        points = _outline_points(pixels.entities[row], 1 + number) + pixels.corner[row] + 0.5
        points = points[_is_on_hand(points, keypoints[row])]
        if len(points):
            outline[row] = points[generator.integers(len(points), size=OUTLINE_POINTS)]
            weight[row] = 1.0
    return HandEvidence(
        torch.tensor(keypoints, dtype=torch.float32),
        torch.tensor(hand.keypoint_offsets, dtype=torch.float32),
        torch.tensor(outline, dtype=torch.float32),
        torch.tensor(weight, dtype=torch.float32),
    )


def _outline_points(entity: np.ndarray, label: int) -> np.ndarray:
    """(x, y) of the hand's pixels that have a background neighbour; the crop's border does not count."""
    hand = (entity == label).astype(np.uint8)
    beside = cv2.dilate((entity < 0).astype(np.uint8), np.ones((3, 3), np.uint8))
    beside[[0, -1]], beside[:, [0, -1]] = 0, 0
    return np.argwhere((hand > 0) & (beside > 0))[:, ::-1].astype(np.float64)


def _is_on_hand(points: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """False for points on the arm's side of the wrist: where a mask ends there says nothing of the hand."""
    wrist, knuckles = keypoints[0], keypoints[[5, 9, 13, 17]].mean(0)
    along = (knuckles - wrist) / max(float(np.linalg.norm(knuckles - wrist)), 1e-6)
    return (points - wrist) @ along > 0.1 * np.linalg.norm(knuckles - wrist)


def _crops_of_one_size(pixels: FramePixels) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Distance (pixels) to hand or object, and entities, in crops of one size, with their corners; what a crop lacks is far background."""
    height = max(entity.shape[0] for entity in pixels.entities)
    width = max(entity.shape[1] for entity in pixels.entities)
    distance = np.full((len(pixels.entities), height, width), 30.0, np.float32)
    entities = np.full((len(pixels.entities), height, width), -1, np.int8)
    for row, entity in enumerate(pixels.entities):
        to_foreground = cv2.distanceTransform((entity < 0).astype(np.uint8), cv2.DIST_L2, 5)
        distance[row, : entity.shape[0], : entity.shape[1]] = np.minimum(to_foreground, 30.0)
        entities[row, : entity.shape[0], : entity.shape[1]] = entity
    return torch.from_numpy(distance), torch.from_numpy(entities), torch.tensor(pixels.corner, dtype=torch.float32)


def _silhouette_pixels(entity: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(x, y) of SILHOUETTE_PIXELS pixels that are object or background, and which of them are object."""
    inside = entity == 0
    hand = cv2.dilate((entity > 0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    usable = inside | ((entity < 0) & ~hand)
    to_edge = np.where(
        inside,
        cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 3),
        cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 3),
    )
    near = np.argwhere(usable & (to_edge < 8) & (to_edge > 1))
    anywhere = np.argwhere(usable)
    count_near = SILHOUETTE_PIXELS * 2 // 3 if len(near) else 0
    parts = [near[generator.integers(len(near), size=count_near)]] if count_near else []
    parts.append(anywhere[generator.integers(len(anywhere), size=SILHOUETTE_PIXELS - count_near)])
    together = np.concatenate(parts)
    return together[:, ::-1].astype(np.float64), inside[together[:, 0], together[:, 1]]
