"""Two small networks that find palms and 21 hand keypoints in a picture (MediaPipe Hands, Zhang et al. 2020), run with LiteRT."""

import math
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from hoifield.errors import MissingDependency
from hoifield.observations.hand_tracker_files import HandTrackerFiles, find_hand_tracker
from hoifield.observations.rotated_boxes import RotatedBox, box_from_palm, crop_picture

PALM_SIZE, LANDMARK_SIZE = 192, 224
PALM_THRESHOLD, OVERLAP_THRESHOLD = 0.5, 0.3


@dataclass(frozen=True)
class Palm:
    """A detected palm, picture pixels."""

    score: float
    keypoints: Float[np.ndarray, "7 2"]
    """Wrist, index, middle, ring and little knuckle, thumb CMC and MCP."""
    box: RotatedBox
    """Around the whole hand."""


@dataclass(frozen=True)
class Landmarks:
    """The 21 keypoints of one hand in one picture."""

    keypoints: Float[np.ndarray, "21 2"]
    """Picture pixels."""
    world: Float[np.ndarray, "21 3"]
    """Metres about the hand's middle, camera axes as if the hand were in the middle of the picture; an average hand's size."""
    presence: float
    handedness: float
    """The network's own score in [0, 1]; high for a right hand, in a picture that is not mirrored."""


class _Interpreter(Protocol):
    def set_tensor(self, tensor_index: int, value: np.ndarray) -> None: ...

    def invoke(self) -> None: ...

    def get_tensor(self, tensor_index: int) -> np.ndarray: ...


class _Network:
    """One network: picture in, its outputs in the order of the file."""

    def __init__(self, path: str) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise MissingDependency(
                "HF-HND-004", f"the network runtime cannot be imported ({error})", "pip install ai-edge-litert"
            ) from error
        interpreter = Interpreter(path, num_threads=2)
        interpreter.allocate_tensors()
        self._interpreter: _Interpreter = interpreter
        self._input = interpreter.get_input_details()[0]["index"]
        self._outputs = [detail["index"] for detail in interpreter.get_output_details()]

    def run(self, picture: UInt8[np.ndarray, "size size 3"]) -> list[np.ndarray]:
        self._interpreter.set_tensor(self._input, np.multiply(picture[None], np.float32(1 / 255), dtype=np.float32))
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


class LandmarkNetworks:
    """The palm network (whole picture) and the landmark network (one hand's crop)."""

    def __init__(self, files: HandTrackerFiles) -> None:
        files.verify()
        self._palm = _Network(str(files.palm))
        self._landmark = _Network(str(files.landmark))
        self._anchors = _palm_anchors()

    @staticmethod
    def load() -> "LandmarkNetworks":
        """The networks from where they lie; MissingDependency HF-HND-001 or HF-HND-004 where something is not installed."""
        return LandmarkNetworks(find_hand_tracker())

    def find_palms(self, picture: UInt8[np.ndarray, "height width 3"]) -> list[Palm]:
        """Palms of a picture with score >= 0.5, best first, overlapping ones merged."""
        height, width = picture.shape[:2]
        longer = max(height, width)
        scale = PALM_SIZE / longer
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        letterbox = np.zeros((PALM_SIZE, PALM_SIZE, 3), np.uint8)
        left, top = (PALM_SIZE - size[0]) // 2, (PALM_SIZE - size[1]) // 2
        letterbox[top : top + size[1], left : left + size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        raw, raw_scores = self._palm.run(letterbox)
        scores = 1 / (1 + np.exp(-np.clip(raw_scores[0, :, 0].astype(np.float64), -100, 100)))
        kept = scores >= PALM_THRESHOLD
        points = raw[0, kept].astype(np.float64).reshape(-1, 9, 2)
        points[:, [0, 2, 3, 4, 5, 6, 7, 8]] += self._anchors[kept][:, None] * PALM_SIZE
        half = points[:, 1] / 2
        corners = np.concatenate([points[:, 0] - half, points[:, 0] + half], axis=1).reshape(-1, 2, 2)
        to_picture = np.array([width / size[0], height / size[1]])
        placed = (np.concatenate([corners, points[:, 2:]], axis=1) - (left, top)) * to_picture
        return [_palm(score, merged) for score, merged in _merge_overlaps(scores[kept], placed)]

    def find_landmarks(self, picture: UInt8[np.ndarray, "height width 3"], box: RotatedBox) -> Landmarks:
        """Keypoints of the hand in a box; `presence` says whether there is one at all."""
        crop, crop_to_picture = crop_picture(picture, box, LANDMARK_SIZE)
        screen, presence, handedness, world = self._landmark.run(crop)
        pixels = screen.reshape(21, 3)[:, :2].astype(np.float64)
        cosine, sine = math.cos(box.angle), math.sin(box.angle)
        turn = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
        return Landmarks(
            keypoints=pixels @ crop_to_picture[:, :2].T + crop_to_picture[:, 2],
            world=world.reshape(21, 3).astype(np.float64) @ turn.T,
            presence=float(presence.ravel()[0]),
            handedness=float(handedness.ravel()[0]),
        )


def _palm(score: float, points: Float[np.ndarray, "9 2"]) -> Palm:
    return Palm(score, points[2:], box_from_palm(points[:2].ravel(), points[2:]))


def _palm_anchors() -> Float[np.ndarray, "2016 2"]:
    """Anchor centres in [0, 1]: two per cell at stride 8, six per cell at stride 16 (three layers of two)."""
    layers = []
    for stride, repeats in ((8, 2), (16, 6)):
        cells = PALM_SIZE // stride
        y, x = np.divmod(np.arange(cells * cells), cells)
        layers.append(np.repeat((np.column_stack([x, y]) + 0.5) / cells, repeats, axis=0))
    return np.concatenate(layers)


def _merge_overlaps(scores: Float[np.ndarray, "box"], points: Float[np.ndarray, "box 9 2"]) -> list[tuple[float, Float[np.ndarray, "9 2"]]]:
    """Weighted non-maximum suppression: each group of overlapping boxes becomes its score-weighted mean."""
    merged: list[tuple[float, Float[np.ndarray, "9 2"]]] = []
    left = np.argsort(-scores, kind="stable")
    while len(left):
        best = left[0]
        together = _overlaps(points[best, :2], points[left, :2]) > OVERLAP_THRESHOLD
        together[0] = True
        group = left[together]
        merged.append((float(scores[best]), np.average(points[group], axis=0, weights=scores[group])))
        left = left[~together]
    return merged


def _overlaps(box: Float[np.ndarray, "2 2"], boxes: Float[np.ndarray, "box 2 2"]) -> Float[np.ndarray, "box"]:
    """Intersection over union of one box (upper left, lower right corner) with others."""
    inner = np.clip(np.minimum(box[1], boxes[:, 1]) - np.maximum(box[0], boxes[:, 0]), 0, None).prod(-1)
    areas = np.clip(boxes[:, 1] - boxes[:, 0], 0, None).prod(-1)
    return inner / np.maximum(areas + np.clip(box[1] - box[0], 0, None).prod() - inner, 1e-9)
