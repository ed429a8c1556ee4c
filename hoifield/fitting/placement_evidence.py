"""Keypoints and silhouette pixels of the fitted frames, for the placement stages."""

import cv2
import numpy as np
import torch

from hoifield.fitting.frame_pixels import BACKGROUND_ENTITY, FramePixels, rim_of
from hoifield.fitting.hand_contours import outline_directions
from hoifield.fitting.refine_placement import HandEvidence, PlacementEvidence
from hoifield.observations.hand_silhouettes import is_beyond_wrist
from hoifield.observations.observations import Observations

SILHOUETTE_PIXELS = 256
NEAR_OUTLINE = 6.0
"""Pixels from the object's outline within which most silhouette pixels are drawn: the others only tell of gross errors."""
OUTLINE_POINTS, SHARED_POINTS = 96, 64
"""Of a hand's outline, beside the background and beside the object."""
BLURS = (3.0, 1.0)
"""Standard deviations, pixels, of the two pictures in which colours are compared: first far, then exactly."""
WIDER = 2.0
"""How much more what is taken off a picture is blurred: the light on an object that turns changes slowly over it, and would pull its pose."""


def gather_placement_evidence(observations: Observations, pixels: FramePixels, seed: int) -> PlacementEvidence:
    """Evidence in pixels of the working camera; 3/4 of the silhouette pixels lie near the object's outline."""
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
        pictures=tuple(_colour_band(pixels, entity.shape[1:], blur) for blur in BLURS),
        foreground_distance=distance,
        entity=entity,
        corner=corner,
        depth=_depth_of_one_size(pixels, entity.shape[1:]),
    )


def _hand_evidence(number: int, observations: Observations, pixels: FramePixels, scale: float, generator: np.random.Generator) -> HandEvidence:
    hand = observations.hands[number]
    rows = observations.fit_frames
    keypoints = hand.keypoints[rows] * scale
    count = OUTLINE_POINTS + SHARED_POINTS
    outline, direction, weight = np.zeros((len(rows), count, 2)), np.zeros((len(rows), count, 2)), np.zeros((len(rows), count))
    for row in range(len(rows)):
        entity = pixels.entities[row]
        directions = outline_directions(entity == 1 + number)
        for neighbour, part in ((BACKGROUND_ENTITY, slice(0, OUTLINE_POINTS)), (0, slice(OUTLINE_POINTS, count))):
            places = _outline_points(entity, 1 + number, neighbour)
            places = places[is_beyond_wrist(places + pixels.corner[row] + 0.5, keypoints[row])]
            if len(places):
                places = places[generator.integers(len(places), size=part.stop - part.start)]
                outline[row, part] = places + pixels.corner[row] + 0.5
                direction[row, part] = directions[places[:, 1], places[:, 0]]
                weight[row, part] = 1.0
    return HandEvidence(
        torch.tensor(keypoints, dtype=torch.float32),
        torch.tensor(hand.keypoint_offsets, dtype=torch.float32),
        torch.tensor(outline, dtype=torch.float32),
        torch.tensor(direction, dtype=torch.float32),
        torch.tensor(weight, dtype=torch.float32),
        torch.arange(count) >= OUTLINE_POINTS,
    )


def _outline_points(entity: np.ndarray, label: int, neighbour: int) -> np.ndarray:
    """(x, y) of the hand's pixels beside such a neighbour; the crop's border does not count."""
    hand = (entity == label).astype(np.uint8)
    beside = cv2.dilate((entity == neighbour).astype(np.uint8), np.ones((3, 3), np.uint8))
    beside[[0, -1]], beside[:, [0, -1]] = 0, 0
    return np.argwhere((hand > 0) & (beside > 0))[:, ::-1]


def _crops_of_one_size(pixels: FramePixels) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Distance (pixels) to hand or object, and entities, in crops of one size, with their corners; what a crop lacks is far background."""
    height = max(entity.shape[0] for entity in pixels.entities)
    width = max(entity.shape[1] for entity in pixels.entities)
    distance = np.full((len(pixels.entities), height, width), 30.0, np.float32)
    entities = np.full((len(pixels.entities), height, width), BACKGROUND_ENTITY, np.int8)
    for row, entity in enumerate(pixels.entities):
        to_foreground = cv2.distanceTransform((entity == BACKGROUND_ENTITY).astype(np.uint8), cv2.DIST_L2, 5)
        distance[row, : entity.shape[0], : entity.shape[1]] = np.minimum(to_foreground, 30.0)
        # Half of the skin's points on the rim of a finger fall on pixels of what lies behind it: a border tells nothing.
        entities[row, : entity.shape[0], : entity.shape[1]] = np.where(rim_of(entity), BACKGROUND_ENTITY, entity)
    return torch.from_numpy(distance), torch.from_numpy(entities), torch.tensor(pixels.corner, dtype=torch.float32)


def _depth_of_one_size(pixels: FramePixels, shape: torch.Size) -> torch.Tensor | None:
    """Measured depth, metres, in crops of one size; what a crop lacks was not measured."""
    if pixels.depth is None:
        return None
    depth = np.zeros((len(pixels.depth), *shape), np.float32)
    for row, millimetres in enumerate(pixels.depth):
        depth[row, : millimetres.shape[0], : millimetres.shape[1]] = millimetres / 1000.0
    return torch.from_numpy(depth)


def _colour_band(pixels: FramePixels, shape: torch.Size, blur: float) -> torch.Tensor:
    """The object's colours in crops of one size, blurred, less the same blurred more: slow changes of light leave it. Nothing of hand or background runs in."""
    pictures = np.zeros((len(pixels.colours), 3, *shape), np.float32)
    for row, (colour, entity) in enumerate(zip(pixels.colours, pixels.entities)):
        member = (entity == 0).astype(np.float32)
        seen = member[..., None] * colour.astype(np.float32) / 255.0
        fine, coarse = _blurred_among(seen, member, blur), _blurred_among(seen, member, WIDER * blur)
        pictures[row, :, : entity.shape[0], : entity.shape[1]] = (fine - coarse).transpose(2, 0, 1)
    return torch.from_numpy(pictures)


def _blurred_among(seen: np.ndarray, member: np.ndarray, blur: float) -> np.ndarray:
    """The mean colour around each pixel of those that are members; `seen` is black elsewhere."""
    share = cv2.GaussianBlur(member, (0, 0), blur)
    return cv2.GaussianBlur(seen, (0, 0), blur) / np.maximum(share, 1e-3)[..., None]


def _silhouette_pixels(entity: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(x, y) of SILHOUETTE_PIXELS pixels that are object or background, and which of them are object."""
    inside = entity == 0
    hand = cv2.dilate(((entity > 0) | (entity < BACKGROUND_ENTITY)).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    usable = inside | ((entity == BACKGROUND_ENTITY) & ~hand)
    outline = rim_of(inside.astype(np.int8)) & ~hand
    # Without an outline every distance is that to no pixel at all, which is far.
    near = np.argwhere(usable & (cv2.distanceTransform((~outline).astype(np.uint8), cv2.DIST_L2, 3) < NEAR_OUTLINE))
    anywhere = np.argwhere(usable)
    count_near = SILHOUETTE_PIXELS * 3 // 4 if len(near) else 0
    parts = [near[generator.integers(len(near), size=count_near)]] if count_near else []
    parts.append(anywhere[generator.integers(len(anywhere), size=SILHOUETTE_PIXELS - count_near)])
    together = np.concatenate(parts)
    return together[:, ::-1].astype(np.float64), inside[together[:, 0], together[:, 1]]
