"""The background behind a camera that does not move: one colour and one spread per pixel, from the frames in which it lies bare."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int, UInt8
from numba import njit, prange

from hoifield.observations.colour_models import to_lab
from hoifield.observations.hand_region import HandRegion, region_distance, wide_arm
from hoifield.observations.working_frames import WorkingFrames, spread_frames

_SAMPLED_FRAMES, _FARTHEST = 60, 9
_STILL_SHIFT = 0.4
"""Pixels; compression moves the edges of a still picture by 0.1 to 0.2."""
_LEAST_GRADIENT = 6.0
_CLEAR = 0.3
"""Hand lengths from the hull beyond which a pixel counts as bare at first."""
_LEAST_BARE = 3
_SAME = 5.0
"""Lab distance within which two frames show the same at one pixel."""
_LEAST_REPEATS, _LEAST_GAP = 5, 0.0
_WIDEST_SPREAD = 6.0
_COVERED = -1.0
_STRENGTH = 2.5
_DARKEST, _BRIGHTEST = 0.82, 1.03
"""Factors on (L + 16, a, b) that light alone may put on a surface; the cube is the factor on its radiance (0.55 to 1.09)."""
_LEAST_SPREAD = 1.2
_BLACK = np.array([-16.0 * 255 / 100, 128.0, 128.0], np.float32)
"""Where L + 16, a and b are zero, in 8-bit Lab."""
DIFFERS, EQUALS = 5.0, 2.5
"""Distances in units of the spread beyond and below which a pixel surely is something else, or surely is the background."""


@dataclass(frozen=True)
class StillBackground:
    """What each pixel shows while nothing covers it."""

    lab: Float32[np.ndarray, "height width 3"]
    """8-bit Lab, lightly blurred; NaN where the background never showed."""
    spread: Float32[np.ndarray, "height width"]
    """Usual distance of a bare pixel from `lab` (noise, compression); 1.2 at least."""

    def distance(self, lab: UInt8[np.ndarray, "height width 3"], left: int, top: int) -> Float32[np.ndarray, "height width"]:
        """How far each pixel is from its background in units of the spread, at most 30; -1 where the background is unknown.

        A shadow multiplies radiance by one factor k, hence (L + 16, a, b) by k^(1/3) (CIE 1976): the distance is taken to the nearest
        such multiple between 0.82 and 1.03.
        """
        return _distance(_soften(lab), self.lab, self.spread, left, top)


def _soften(lab: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    return cv2.GaussianBlur(lab, (0, 0), 0.8)


@njit(cache=True, parallel=True)
def _distance(lab: np.ndarray, background: np.ndarray, spread: np.ndarray, left: int, top: int) -> np.ndarray:
    height, width = lab.shape[:2]
    away = np.full((height, width), np.float32(-1.0))
    for row in prange(height):
        seen, bare = np.empty(3, np.float32), np.empty(3, np.float32)
        for column in range(width):
            product, square, squared = np.float32(0.0), np.float32(0.0), np.float32(0.0)
            for channel in range(3):
                seen[channel] = np.float32(lab[row, column, channel]) - _BLACK[channel]
                bare[channel] = background[top + row, left + column, channel] - _BLACK[channel]
                product += seen[channel] * bare[channel]
                square += bare[channel] * bare[channel]
            factor = min(max(product / max(square, np.float32(1.0)), np.float32(_DARKEST)), np.float32(_BRIGHTEST))
            for channel in range(3):
                offset = seen[channel] - factor * bare[channel]
                squared += offset * offset
            distance = np.sqrt(squared) / spread[top + row, left + column]
            if np.isfinite(distance):
                away[row, column] = min(distance, np.float32(30.0))
    return away


@dataclass(frozen=True)
class _Sampled:
    labs: UInt8[np.ndarray, "frame height width 3"]
    distance: Float32[np.ndarray, "frame rows columns"]
    """From the hull in hand lengths on every fourth pixel; -1 on arms and finger bones."""


@dataclass(frozen=True)
class _Choice:
    """Frames whose median is taken, on every fourth pixel; the first `count` of them count."""

    frames: Int[np.ndarray, "chosen rows columns"]
    count: Int[np.ndarray, "rows columns"]


def learn_still_background(frames: WorkingFrames, regions: tuple[tuple[HandRegion, ...], ...]) -> StillBackground | None:
    """Background of a clip whose camera stands still; None where it moves.

    The median of the frames in which the hand is farthest from a pixel; where it never is far, the colour that comes back while it
    is farthest (the pattern of a turning object does not come back).
    """
    sampled = _sample(frames, regions)
    far_enough = sampled.distance > _CLEAR
    first = _median_of(sampled.labs, _farthest(sampled.distance, far_enough))
    first = _without_specks(first, np.isfinite(first.lab[..., 0]))
    if not _is_still(sampled, first):
        return None
    return _without_specks(_with_repeated(sampled, first), np.ones(first.spread.shape, bool))


def _sample(frames: WorkingFrames, regions: tuple[tuple[HandRegion, ...], ...]) -> _Sampled:
    width, height = frames.width, frames.height
    labs, distances = [], []
    for frame, picture in frames.read(spread_frames(frames.frame_count, _SAMPLED_FRAMES)):
        distance = region_distance(regions[frame], 0, 0, width, height)
        covered = wide_arm(regions[frame], 0, 0, width, height)
        for region in regions[frame]:
            covered |= region.capsules(0, 0, width, height, 0.25)
        labs.append(_soften(to_lab(picture)))
        distances.append(np.where(covered, np.float32(_COVERED), distance)[::4, ::4])
    return _Sampled(np.stack(labs), np.stack(distances))


def _farthest(distance: Float32[np.ndarray, "frame rows columns"], allowed: Bool[np.ndarray, "frame rows columns"]) -> _Choice:
    """The allowed frames of each place in which the hand is farthest from it."""
    order = np.argsort(np.where(allowed, -distance, np.float32(np.inf)), axis=0)[:_FARTHEST]
    return _Choice(order.astype(np.intp), allowed.sum(0).clip(max=len(order)))


def _lift(coarse: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.repeat(np.repeat(coarse, 4, axis=-2), 4, axis=-1)[..., :height, :width]


def _median_of(labs: UInt8[np.ndarray, "frame height width 3"], choice: _Choice) -> StillBackground:
    """Median colour of the chosen frames, and the distance from it that seven in ten keep (spread), where at least three were chosen."""
    height, width = labs.shape[1:3]
    count = _lift(choice.count, height, width)
    order = _lift(choice.frames, height, width)
    values = np.take_along_axis(labs, order[..., None], axis=0)
    unused = np.arange(len(order))[:, None, None] >= count
    values[unused] = 255
    half = np.maximum(count - 1, 0) // 2
    middle = np.take_along_axis(np.sort(values, axis=0), half[None, ..., None], axis=0)[0].astype(np.float32)
    squared = ((values.astype(np.float32) - middle) ** 2).sum(-1)
    squared[unused] = np.inf
    most = np.floor(0.7 * np.maximum(count - 1, 0) + 0.5).astype(np.intp)
    away = np.sqrt(np.take_along_axis(np.sort(squared, axis=0), most[None], axis=0)[0])
    middle[count < _LEAST_BARE] = np.nan
    spread = np.where(count < _LEAST_BARE, _LEAST_SPREAD, np.maximum(away, _LEAST_SPREAD))
    return StillBackground(middle, spread.astype(np.float32))


def _without_specks(found: StillBackground, believed: Bool[np.ndarray, "height width"]) -> StillBackground:
    """Only what is believed, agrees from frame to frame, and lies among pixels of which the same is true.

    The pattern of a turning object repeats itself on single pixels by chance, never over a whole neighbourhood.
    """
    known = believed & np.isfinite(found.lab[..., 0]) & (found.spread < _WIDEST_SPREAD)
    among = cv2.blur(known.astype(np.float32), (13, 13)) > 0.6
    among &= cv2.morphologyEx(known.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)) > 0
    lab = found.lab.copy()
    lab[~(known & among)] = np.nan
    return StillBackground(lab, found.spread)


def _is_still(sampled: _Sampled, bare: StillBackground) -> bool:
    """True when picture edges away from the hand stay, in most frames, within 0.4 pixels of where they are in the median picture.

    An edge of gradient g that moves by s changes a pixel by about g s: s is read off the pixels on edges, one median per frame.
    """
    shifts = []
    for lab, distance in zip(sampled.labs, sampled.distance):
        lightness = lab[..., 0].astype(np.float32)
        height, width = lightness.shape
        away = _lift(distance > _CLEAR, height, width) & np.isfinite(bare.lab[..., 0])
        gradient = np.hypot(cv2.Sobel(lightness, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(lightness, cv2.CV_32F, 0, 1, scale=1 / 8))
        change = np.abs(lightness - bare.lab[..., 0])
        edges = away & (gradient > _LEAST_GRADIENT)
        if edges.sum() >= 100:
            shifts.append(float(np.median(change[edges] / gradient[edges])))
        elif away.any():
            shifts.append(float(np.quantile(change[away], 0.8)) / _LEAST_GRADIENT)
    return len(shifts) >= _LEAST_BARE and float(np.quantile(shifts, 0.8)) < _STILL_SHIFT


def _with_repeated(sampled: _Sampled, found: StillBackground) -> StillBackground:
    """Unknown pixels filled with the colour that comes back, frame after frame, while the hand is farthest."""
    rows, columns = np.nonzero(~np.isfinite(found.lab[..., 0]))
    series = np.ascontiguousarray(sampled.labs[:, rows, columns].transpose(1, 0, 2))
    distance = np.ascontiguousarray(sampled.distance[:, rows // 4, columns // 4].T)
    lab, spread = found.lab.copy(), found.spread.copy()
    lab[rows, columns], spread[rows, columns] = _repeated_colours(series, distance, _SAME, _LEAST_REPEATS, _LEAST_GAP)
    return StillBackground(lab, np.maximum(spread, np.float32(_LEAST_SPREAD)))


@njit(cache=True)
def _repeated_colours(  # type: ignore[no-untyped-def]
    series: np.ndarray, distance: np.ndarray, same: float, least_repeats: int, least_gap: float
):
    """Per pixel the mean of the frames that agree within `same` and lie farthest from the hand on average, and their spread.

    `series` (pixel, frame, 3), `distance` (pixel, frame; -1 on finger bones and arm: left out). NaN where under `least_repeats` frames
    agree, or where no other colour is seen off the hull while the hand is nearer by `least_gap`: what never changes may be an
    object that never moves.
    """
    pixels, count = distance.shape
    lab, spread = np.full((pixels, 3), np.nan, np.float32), np.ones(pixels, np.float32)
    for pixel in range(pixels):
        best, best_distance = -1, _COVERED
        for first in range(count):
            support, total = 0, 0.0
            for second in range(count):
                if distance[pixel, first] > _COVERED and distance[pixel, second] > _COVERED:
                    away = 0.0
                    for channel in range(3):
                        away += (float(series[pixel, first, channel]) - float(series[pixel, second, channel])) ** 2
                    if away < same * same:
                        support += 1
                        total += distance[pixel, second]
            if support >= least_repeats and total / support > best_distance:
                best, best_distance = first, total / support
        if best < 0:
            continue
        mean, agreeing, others, others_distance, squares = np.zeros(3), 0, 0, 0.0, 0.0
        for frame in range(count):
            if distance[pixel, frame] <= _COVERED:
                continue
            away = 0.0
            for channel in range(3):
                away += (float(series[pixel, best, channel]) - float(series[pixel, frame, channel])) ** 2
            if away < same * same:
                agreeing += 1
                squares += away
                for channel in range(3):
                    mean[channel] += series[pixel, frame, channel]
            elif away > 4.0 * same * same:
                others += 1
                others_distance += distance[pixel, frame]
        if others >= 3 and others_distance / others + least_gap < best_distance:
            lab[pixel] = mean / agreeing
            spread[pixel] = np.sqrt(squares / agreeing)
    return lab, spread


def weigh_background(
    probability: Float32[np.ndarray, "height width 3"],
    distance: Float32[np.ndarray, "height width"],
    arm: Bool[np.ndarray, "height width"],
) -> Float32[np.ndarray, "height width 3"]:
    """Class probabilities (background, object, hand) after what `StillBackground.distance` says of each pixel.

    The odds of background against the rest are multiplied by e^2.5 at its own colour and by e^-2.5 far from it; nothing changes
    where the background is unknown, and nothing speaks against it on the arm, which is background that moves.
    """
    evidence = np.interp(distance, (EQUALS, DIFFERS, 2 * DIFFERS), (-_STRENGTH, 0.5 * _STRENGTH, _STRENGTH)).astype(np.float32)
    evidence[(distance < 0.0) | arm & (evidence > 0.0)] = 0.0
    weighed = probability.copy()
    weighed[..., 0] = (weighed[..., 0] + 0.01) * np.exp(-evidence)
    return weighed / np.maximum(weighed.sum(-1, keepdims=True), 1e-6)
