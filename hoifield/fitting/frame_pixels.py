"""The pixels that the fit looks at: compact crops of the fitted frames, with their labels, drawn at random."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8, UInt16
from torch import Tensor

from hoifield.clip.clip import Clip
from hoifield.geometry.cameras import Camera
from hoifield.observations.frame_masks import BACKGROUND, LEFT_HAND, OBJECT, RIGHT_HAND, FrameMasks
from hoifield.observations.observations import Observations

BACKGROUND_ENTITY, UNFITTED_ENTITY = -1, -2
"""Neither object nor hand; a hand that is not fitted, under which anything may be."""


@dataclass(frozen=True)
class PixelBatch:
    """Pixels drawn for one step."""

    row: Int[Tensor, "ray"]
    """Row of the fitted frames."""
    pixel: Float[Tensor, "ray 2"]
    """Position (x, y) of the pixel centre, in pixels of the working camera."""
    colour: Float[Tensor, "ray 3"]
    label: Int[Tensor, "ray"]
    """Entity seen at the pixel: 0 object, 1.. hands, < 0 neither (`entity_of_labels`)."""
    certain: Float[Tensor, "ray"]
    """1 inside a region, 0 on the rim between two labels, where colour and label mix, and on hands not fitted; scaled by the mask's confidence."""
    outline: Float[Tensor, "ray"]
    """1 on the rim between object and background away from any hand, else 0; scaled by the mask's confidence. Its label, not its colour, may be known."""
    depth: Float[Tensor, "ray"] | None
    """Measured along the optical axis, metres; 0 where the sensor said nothing. None without a sensor."""


@dataclass(frozen=True)
class FramePixels:
    """Crops around hand and object of every fitted frame, as stored bytes."""

    camera: Camera
    """The working camera: pixels of the mask size."""
    colours: tuple[UInt8[np.ndarray, "height width 3"], ...]
    entities: tuple[Int[np.ndarray, "height width"], ...]
    certain: tuple[Float[np.ndarray, "height width"], ...]
    outline: tuple[Float[np.ndarray, "height width"], ...]
    corner: Int[np.ndarray, "frame 2"]
    """Left and top of each crop."""
    depth: tuple[UInt16[np.ndarray, "height width"], ...] | None
    """Measured, millimetres, 0 = none; None without a sensor."""

    def draw(self, rows: Int[np.ndarray, "row"], count: int, generator: np.random.Generator) -> PixelBatch:
        """About `count` pixels, equally many of each given row: half on the object, a fifth on hands, the rest on the background around."""
        share = count // len(rows)
        parts = [self._draw_of_frame(int(row), share, generator) for row in rows]
        row, pixel, colour, label, certain, outline, depth = (np.concatenate(column) for column in zip(*parts))
        return PixelBatch(
            torch.from_numpy(row),
            torch.from_numpy(pixel),
            torch.from_numpy(colour),
            torch.from_numpy(label),
            torch.from_numpy(certain),
            torch.from_numpy(outline),
            None if self.depth is None else torch.from_numpy(depth),
        )

    @cached_property
    def _places(self) -> tuple[tuple[np.ndarray, ...], ...]:
        """Pixels of object, hands and background in each crop."""
        flat = [entity.reshape(-1) for entity in self.entities]
        return tuple((np.flatnonzero(labels == 0), np.flatnonzero(labels > 0), np.flatnonzero(labels < 0)) for labels in flat)

    def _draw_of_frame(self, row: int, count: int, generator: np.random.Generator) -> tuple[np.ndarray, ...]:
        entity, colour, certain = self.entities[row], self.colours[row], self.certain[row]
        flat, groups = entity.reshape(-1), self._places[row]
        wanted = np.array([0.5, 0.2, 0.3]) * np.array([len(group) > 0 for group in groups])
        counts = np.floor(wanted / wanted.sum() * count).astype(int)
        counts[int(np.argmax(counts))] += count - counts.sum()
        chosen = np.concatenate([group[generator.integers(len(group), size=n)] for group, n in zip(groups, counts) if n > 0])
        y, x = np.divmod(chosen, entity.shape[1])
        pixel = np.stack([x, y], axis=1) + self.corner[row] + 0.5
        return (
            np.full(count, row),
            pixel.astype(np.float32),
            (colour.reshape(-1, 3)[chosen] / 255.0).astype(np.float32),
            flat[chosen].astype(np.int64),
            certain.reshape(-1)[chosen].astype(np.float32),
            self.outline[row].reshape(-1)[chosen].astype(np.float32),
            np.zeros(0, np.float32) if self.depth is None else (self.depth[row].reshape(-1)[chosen] / 1000.0).astype(np.float32),
        )


def entity_of_labels(labels: UInt8[np.ndarray, "height width"], sides: tuple[str, ...]) -> Int[np.ndarray, "height width"]:
    """Contract labels -> entity numbers: 0 object, 1.. hands in the order of `sides`, -1 background, -2 hands not fitted."""
    entity = np.where(labels == BACKGROUND, BACKGROUND_ENTITY, UNFITTED_ENTITY).astype(np.int8)
    entity[labels == OBJECT] = 0
    for number, side in enumerate(sides):
        entity[labels == (RIGHT_HAND if side == "right" else LEFT_HAND)] = 1 + number
    return entity


def rim_of(entity: Int[np.ndarray, "height width"]) -> np.ndarray:
    """True on pixels with a differently labelled neighbour."""
    shifted = entity.astype(np.int16)
    low = cv2.erode(shifted, np.ones((3, 3), np.uint8))
    high = cv2.dilate(shifted, np.ones((3, 3), np.uint8))
    return low != high


def outline_of(labels: UInt8[np.ndarray, "height width"]) -> np.ndarray:
    """True on pixels of object and background that have a neighbour of the other, and none of a hand."""
    beside_hand = cv2.dilate((labels > OBJECT).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return rim_of(labels) & ~beside_hand


def load_frame_pixels(clip: Clip, observations: Observations, margin: float = 0.15) -> FramePixels:
    """Crops (box of all foreground labels, grown by `margin`) of the fitted frames at the size of the masks."""
    masks: FrameMasks = observations.masks
    height, width = masks.labels.shape[1:]
    sides = tuple(hand.side for hand in observations.hands)
    colours, entities, certain, outline, corners, depth = [], [], [], [], [], []
    for frame, picture in clip.read_frames(observations.fit_frames.tolist(), (width, height)):
        labels = masks.labels[frame]
        ys, xs = np.nonzero(labels)
        if len(xs) == 0:
            xs, ys = np.array([0, width - 1]), np.array([0, height - 1])
        pad = int(margin * max(np.ptp(xs), np.ptp(ys))) + 4
        left, top = max(int(xs.min()) - pad, 0), max(int(ys.min()) - pad, 0)
        right, bottom = min(int(xs.max()) + pad + 1, width), min(int(ys.max()) + pad + 1, height)
        box = np.s_[top:bottom, left:right]
        entity = entity_of_labels(labels[box], sides)
        trust = max(float(masks.object_confidence[frame]), 0.1)
        colours.append(picture[box].copy())
        entities.append(entity)
        unknown = rim_of(entity) | (entity == UNFITTED_ENTITY)
        certain.append(np.where(unknown, 0.0, trust).astype(np.float16))
        outline.append(np.where(outline_of(labels)[box], trust, 0.0).astype(np.float16))
        corners.append((left, top))
        if observations.depth is not None:
            depth.append(observations.depth.millimetres[frame][box])
    camera = observations.camera.resized(width, height)
    measured = None if observations.depth is None else tuple(depth)
    return FramePixels(camera, tuple(colours), tuple(entities), tuple(certain), tuple(outline), np.array(corners), measured)
