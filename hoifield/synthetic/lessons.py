"""Endless lessons for the eyes: cut-outs of holding hands before any background, among things that are not held."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from hoifield.priors.eyes_input import BEYOND
from hoifield.synthetic.background import draw_background
from hoifield.synthetic.held_pictures import ARM, HELD_OBJECT, HOLDING_HAND, HeldPictures
from hoifield.synthetic.photographs import Photographs

ROOMS = 48
"""Drawn rooms to choose from."""


@dataclass(frozen=True)
class Lesson:
    """One crop of a right hand with the right answer."""

    picture: UInt8[np.ndarray, "size size 3"]
    labels: UInt8[np.ndarray, "size size"]
    """0 background, 1 held object, 2 the hand, 3 other limbs."""
    keypoints: Float[np.ndarray, "keypoint=21 2"] | None
    """As a detector would find them, pixels; sometimes none."""
    click: Float[np.ndarray, "2"] | None
    """A point of the object, sometimes."""


@dataclass(frozen=True)
class Hardness:
    """What stands in the way of seeing, as shares and factors of the usual."""

    noise: float = 1.0
    """Factor on sensor noise, blur and compression."""
    keypoints_missing: float = 0.06
    keypoint_error: float = 1.0
    clicked: float = 0.25
    clutter: float = 1.0


@dataclass(frozen=True)
class LessonMaker:
    """Composes lessons; the same generator gives the same lesson."""

    scenes: tuple[HeldPictures, ...]
    photographs: Photographs
    rooms: tuple[UInt8[np.ndarray, "room room 3"], ...]
    size: int

    @staticmethod
    def of(folder: Path, photographs: Photographs, size: int) -> "LessonMaker":
        """From the scenes in a folder."""
        scenes = []
        for path in sorted(folder.glob("*.npz")):
            with np.load(path, allow_pickle=False) as arrays:
                scenes.append(HeldPictures(**arrays))
        rooms = tuple(np.round(255 * draw_background(2 * size, 2 * size, 90000 + k)).astype(np.uint8) for k in range(ROOMS))
        return LessonMaker(tuple(scenes), photographs, rooms, size)

    def make(self, generator: np.random.Generator, hardness: Hardness) -> Lesson:
        """One lesson."""
        scene = self.scenes[generator.integers(len(self.scenes))]
        view = int(generator.integers(len(scene.picture)))
        window = _draw_window(scene.keypoints[view], scene.picture.shape[1], self.size, generator)
        fore = _cut(scene.picture[view], scene.cover[view], window, self.size)
        labels = cv2.warpAffine(scene.labels[view], window, (self.size, self.size), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
        labels[fore[..., 3] < 0.5] = 0
        keypoints = (scene.keypoints[view] - window[:, 2]) / window[0, 0]
        colour = _recoloured(fore[..., :3], labels, generator)
        ground = self._ground(colour, labels, generator)
        ground, limbs = self._cluttered(ground, generator, hardness)
        ground *= 1 - _shadow(fore[..., 3], generator)[..., None]
        picture = fore[..., 3:] * colour + (1 - fore[..., 3:]) * ground
        labels = np.where((labels == 0) & limbs, ARM, labels).astype(np.uint8)
        picture, labels = _bounded(_photographed(picture, generator, hardness), labels, generator)
        return Lesson(
            picture=picture,
            labels=labels,
            keypoints=None if generator.random() < hardness.keypoints_missing else _detected(keypoints, generator, hardness),
            click=_clicked(labels, generator) if generator.random() < hardness.clicked else None,
        )

    def _ground(
        self, colour: Float32[np.ndarray, "size size 3"], labels: UInt8[np.ndarray, "size size"], generator: np.random.Generator
    ) -> Float32[np.ndarray, "size size 3"]:
        """A background: photograph, room, plain, or shapes; sometimes in the colour of the object or of the skin."""
        kind = generator.random()
        size = self.size
        if kind < 0.42:
            ground = self.photographs.crop(generator, size).astype(np.float32) / 255
        elif kind < 0.62:
            room = self.rooms[generator.integers(len(self.rooms))]
            side = int(generator.integers(size // 2, 2 * size + 1))
            top, left = generator.integers(2 * size - side + 1, size=2)
            ground = cv2.resize(room[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        else:
            ground = _shapes(size, generator, count=0 if kind < 0.75 else int(generator.integers(2, 14)))
        ground = np.clip((ground - 0.5) * generator.uniform(0.5, 1.2) + generator.uniform(0.2, 0.8), 0, 1)
        if generator.random() < 0.25:
            alike = labels == (HELD_OBJECT if generator.random() < 0.6 else HOLDING_HAND)
            if alike.any():
                share = generator.uniform(0.4, 0.9)
                tone = colour[alike][generator.integers(int(alike.sum()), size=16)].mean(0)
                ground = (1 - share) * ground + share * tone * generator.uniform(0.7, 1.3)
        if generator.random() < 0.5:
            ground = cv2.GaussianBlur(ground, (0, 0), float(generator.uniform(0.4, 3.0)))
        return ground.astype(np.float32)

    def _cluttered(
        self, ground: Float32[np.ndarray, "size size 3"], generator: np.random.Generator, hardness: Hardness
    ) -> tuple[Float32[np.ndarray, "size size 3"], Bool[np.ndarray, "size size"]]:
        """The background with things that are not held in it, sometimes another hand with what it holds; and where its limbs are."""
        limbs = np.zeros(ground.shape[:2], bool)
        for _ in range(generator.poisson(1.6 * hardness.clutter)):
            other = self.scenes[generator.integers(len(self.scenes))]
            view = int(generator.integers(len(other.alone)))
            layer, _ = _thrown(other.alone[view], other.alone_cover[view], None, self.size, generator)
            ground *= 1 - 0.7 * _shadow(layer[..., 3], generator)[..., None]
            ground = (1 - layer[..., 3:]) * ground + layer[..., 3:] * np.clip(layer[..., :3] * generator.uniform(0.6, 1.2), 0, 1)
        if generator.random() < 0.15 * hardness.clutter:
            other = self.scenes[generator.integers(len(self.scenes))]
            view = int(generator.integers(len(other.picture)))
            layer, seen = _thrown(other.picture[view], other.cover[view], other.labels[view], self.size, generator)
            ground = (1 - layer[..., 3:]) * ground + layer[..., 3:] * layer[..., :3]
            limbs = (seen >= HOLDING_HAND) & (layer[..., 3] > 0.5)
        return ground, limbs


def _draw_window(
    keypoints: Float32[np.ndarray, "keypoint=21 2"], canvas: int, size: int, generator: np.random.Generator
) -> Float[np.ndarray, "2 3"]:
    """Crop to canvas (warpAffine's inverse map): about the hand, a little off, never beyond the canvas."""
    extent = float(np.ptp(keypoints, axis=0).max())
    side = min(canvas, extent * generator.uniform(1.7, 3.4))
    middle = (keypoints.min(0) + keypoints.max(0)) / 2 + generator.normal(size=2) * 0.1 * extent
    corner = np.clip(middle - side / 2, 0, canvas - side)
    return np.array([[side / size, 0.0, corner[0]], [0.0, side / size, corner[1]]])


def _cut(
    picture: UInt8[np.ndarray, "canvas canvas 3"], cover: UInt8[np.ndarray, "canvas canvas"], window: Float[np.ndarray, "2 3"], size: int
) -> Float32[np.ndarray, "size size 4"]:
    """Colour and cover in [0, 1] of the crop."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    solid = np.dstack([picture, cover]).astype(np.float32) / 255
    solid[..., :3] *= solid[..., 3:]
    crop = np.asarray(cv2.warpAffine(solid, window, (size, size), flags=flags), np.float32)
    crop[..., :3] /= np.maximum(crop[..., 3:], 1e-3)
    return np.clip(crop, 0, 1)


def _thrown(
    picture: UInt8[np.ndarray, "canvas canvas 3"],
    cover: UInt8[np.ndarray, "canvas canvas"],
    labels: UInt8[np.ndarray, "canvas canvas"] | None,
    size: int,
    generator: np.random.Generator,
) -> tuple[Float32[np.ndarray, "size size 4"], UInt8[np.ndarray, "size size"]]:
    """A cut-out somewhere in the picture, turned, mirrored and of any size: colour, cover, labels."""
    canvas = picture.shape[0]
    angle, scale = generator.uniform(-np.pi, np.pi), canvas / (size * generator.uniform(0.2, 1.1))
    mirror = generator.choice([-1.0, 1.0])
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([mirror, 1.0])
    middle = generator.uniform(-0.05, 1.05, size=2) * size
    window = np.column_stack([turn, canvas / 2 - turn @ middle])
    layer = _cut(picture, cover, window, size)
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    seen = np.zeros((size, size), np.uint8) if labels is None else cv2.warpAffine(labels, window, (size, size), flags=flags)
    return layer, seen


def _shapes(size: int, generator: np.random.Generator, count: int) -> Float32[np.ndarray, "size size 3"]:
    """A plain with a slope of light and clouds, and shapes on it."""
    clouds = generator.uniform(size=(int(generator.integers(2, 9)), int(generator.integers(2, 9)), 3)).astype(np.float32)
    clouds = cv2.resize(clouds, (size, size), interpolation=cv2.INTER_CUBIC)
    ground = generator.uniform(size=3) + generator.uniform(0.0, 0.35) * (clouds - 0.5)
    canvas = np.clip(255 * ground, 0, 255).astype(np.uint8)
    for _ in range(count):
        colour = generator.integers(0, 256, size=3).tolist()
        middle, reach = generator.uniform(0, size, size=2), generator.uniform(0.04, 0.5) * size
        if generator.random() < 0.35:
            axes = (int(reach * generator.uniform(0.2, 1.0)) + 1, int(reach) + 1)
            cv2.ellipse(canvas, middle.astype(int).tolist(), axes, float(generator.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
        else:
            corners = middle + generator.uniform(-reach, reach, size=(int(generator.integers(3, 7)), 2))
            cv2.fillConvexPoly(canvas, cv2.convexHull(corners.astype(np.int32)), colour, cv2.LINE_AA)
    return canvas.astype(np.float32) / 255 + (generator.normal(size=(size, size, 1)) * generator.uniform(0, 0.04)).astype(np.float32)


def _recoloured(
    colour: Float32[np.ndarray, "size size 3"], labels: UInt8[np.ndarray, "size size"], generator: np.random.Generator
) -> Float32[np.ndarray, "size size 3"]:
    """Object, hand and arm each under a little other light, the object sometimes in quite another colour."""
    changed = colour.copy()
    for label, spread in ((HELD_OBJECT, 0.25), (HOLDING_HAND, 0.08), (ARM, 0.12)):
        where = labels == label
        values = changed[where]
        values = values * np.exp(generator.normal(size=3) * spread * 0.5 + generator.normal() * spread)
        if label == HELD_OBJECT and generator.random() < 0.35:
            values = values[:, generator.permutation(3)]
            if generator.random() < 0.5:
                grey = values.mean(1, keepdims=True)
                values = grey + (values - grey) * generator.uniform(0, 0.6)
        changed[where] = values
    return np.clip(changed, 0, 1).astype(np.float32)


def _shadow(cover: Float32[np.ndarray, "size size"], generator: np.random.Generator) -> Float32[np.ndarray, "size size"]:
    """Share of light that what covers takes from the background, beside it and soft."""
    if generator.random() < 0.4:
        return np.zeros_like(cover)
    shift = np.column_stack([np.eye(2), generator.normal(size=2) * 0.05 * cover.shape[0]])
    moved = cv2.warpAffine(cover, shift, cover.shape)
    return cv2.GaussianBlur(moved, (0, 0), float(generator.uniform(0.01, 0.08)) * cover.shape[0]) * np.float32(generator.uniform(0.1, 0.7))


def _photographed(picture: Float32[np.ndarray, "size size 3"], generator: np.random.Generator, hardness: Hardness) -> UInt8[np.ndarray, "size size 3"]:
    """What a camera makes of it: colour cast, contrast, blur, noise, compression."""
    gain = np.exp(generator.normal(size=3) * 0.06 + generator.normal() * 0.2)
    exposed = np.clip(picture * gain, 0, 1) ** np.exp(generator.normal() * 0.2)
    grey = exposed.mean(-1, keepdims=True)
    exposed = (grey + (exposed - grey) * generator.uniform(0.55, 1.3)).astype(np.float32)
    if generator.random() < 0.5:
        exposed = cv2.GaussianBlur(exposed, (0, 0), float(generator.uniform(0.3, 1.3)) * max(hardness.noise, 0.1))
    if generator.random() < 0.15 * hardness.noise:
        exposed = _moved(exposed, generator)
    noise = generator.normal(size=exposed.shape).astype(np.float32)
    noisy = exposed + noise * np.float32(generator.uniform(0, 0.035) * hardness.noise)
    values = np.clip(255 * noisy + 0.5, 0, 255).astype(np.uint8)
    if generator.random() < 0.5:
        quality = int(np.clip(100 - hardness.noise * generator.uniform(5, 70), 5, 100))
        decoded = cv2.imdecode(cv2.imencode(".jpg", values, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
        assert decoded is not None
        return decoded.astype(np.uint8)
    return values


def _bounded(
    picture: UInt8[np.ndarray, "size size 3"], labels: UInt8[np.ndarray, "size size"], generator: np.random.Generator
) -> tuple[UInt8[np.ndarray, "size size 3"], UInt8[np.ndarray, "size size"]]:
    """Sometimes the crop reaches beyond the camera's picture: grey there, and nothing to see."""
    if generator.random() < 0.6:
        return picture, labels
    size = len(labels)
    beyond = np.zeros(labels.shape, bool)
    for side in generator.permutation(4)[: int(generator.integers(1, 3))]:
        width = int(size * generator.uniform(0.02, 0.3))
        np.rot90(beyond, side)[:width] = True
    return np.where(beyond[..., None], np.uint8(BEYOND), picture), np.where(beyond, np.uint8(0), labels)


def _moved(picture: Float32[np.ndarray, "size size 3"], generator: np.random.Generator) -> Float32[np.ndarray, "size size 3"]:
    """Blurred along a line."""
    length = int(generator.integers(3, 10))
    kernel = np.zeros((length, length), np.float32)
    angle = generator.uniform(0, np.pi)
    reach = (length - 1) / 2 * np.array([np.cos(angle), np.sin(angle)])
    middle = (length - 1) / 2
    cv2.line(kernel, np.round(middle - reach).astype(int).tolist(), np.round(middle + reach).astype(int).tolist(), 1.0)
    return cv2.filter2D(picture, -1, kernel / kernel.sum())


def _detected(
    keypoints: Float[np.ndarray, "keypoint=21 2"], generator: np.random.Generator, hardness: Hardness
) -> Float[np.ndarray, "keypoint=21 2"]:
    """Keypoints as off as a detector's: all together, one by one, and sometimes a whole finger."""
    extent = float(np.ptp(keypoints, axis=0).max()) * hardness.keypoint_error
    found = keypoints + extent * (0.02 * generator.normal(size=2) + 0.015 * generator.normal(size=keypoints.shape))
    for finger in range(5):
        if generator.random() < 0.2:
            row = slice(1 + 4 * finger, 5 + 4 * finger)
            found[row] += extent * 0.07 * generator.normal(size=2) * np.linspace(0.3, 1.0, 4)[:, None]
    if generator.random() < 0.05:
        middle = found.mean(0)
        found = middle + (found - middle) * generator.uniform(0.8, 1.2) + 0.08 * extent * generator.normal(size=2)
    return found


def _clicked(labels: UInt8[np.ndarray, "size size"], generator: np.random.Generator) -> Float[np.ndarray, "2"] | None:
    """A point well inside the object; none where there is none."""
    depth = cv2.distanceTransform((labels == HELD_OBJECT).astype(np.uint8), cv2.DIST_L2, 3)
    if depth.max() < 2:
        return None
    rows, columns = np.nonzero(depth > 0.6 * depth.max() * generator.random())
    chosen = int(generator.integers(len(rows)))
    return np.array([columns[chosen] + 0.5, rows[chosen] + 0.5])
