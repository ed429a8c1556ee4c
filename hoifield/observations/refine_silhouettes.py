"""Object poses aligned with silhouettes and colours by a visual hull, all frames together."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import ndimage
from scipy.linalg import cho_factor, cho_solve

from hoifield.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hoifield.observations.frame_masks import BACKGROUND, OBJECT
from hoifield.observations.pose_offsets import compose_offset
from hoifield.observations.silhouette_rays import closest_approaches, first_hits, normal_equations, silhouette_agreement
from hoifield.observations.visual_hull import DISTANCE_UNIT, HullGrid, SilhouetteEvidence

CONTOUR, INSIDE, OUTSIDE = 0, 1, 2


@dataclass(frozen=True)
class RefineConfig:
    """Weights of the refinement; standard deviations of what is expected."""

    rounds: int = 6
    steps: int = 5
    """Gauss-Newton steps per round."""
    pull_rotation: float = 0.14
    """Radians that a frame may sit off its start."""
    pull_translation: float = 0.012
    step_rotation: float = 0.02
    """Radians per frame by which the offset from the start may drift."""
    step_translation: float = 0.0015
    contour_pixels: float = 1.5
    colour: float = 0.08
    colour_share: float = 1.0
    """Weight of one colour residual beside one contour residual."""
    independent_share: float = 0.05
    """Neighbouring pixels err together: this share of them counts as independent evidence."""
    first_share: float = 0.08
    """Softness of the first carving (see CarveConfig.background_share): poses are rough, a hard intersection would eat the object."""
    last_share: float = 0.02
    """Of the last: a point just off a flat side is background only in the few frames that look along it, so softness costs shape."""
    hand_margin: float = 0.012
    """Metres of doubt about the hand's depth."""
    thin: bool = False
    """Whether the object may be thinner than its poses are rough (see `refine_poses`). Only where tracked points bear the poses out: those of
    a hand fitted frame by frame may be turned over, and what is fat or soft enough explains the silhouettes all the same."""
    seed: int = 0


@dataclass(frozen=True)
class SilhouetteRays:
    """The pixels that refine the poses, sorted by frame."""

    pixels: Float[np.ndarray, "ray 2"]
    kind: Int[np.ndarray, "ray"]
    frame: Int[np.ndarray, "ray"]
    colour: Float[np.ndarray, "ray 3"]
    start: Int[np.ndarray, "frame_and_one"]
    """Rays of frame f are start[f]:start[f + 1]."""


def _draw(points: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    return points if len(points) <= count else points[np.sort(generator.choice(len(points), count, replace=False))]


def _contour(label: np.ndarray) -> np.ndarray:
    """Midpoints between object pixels and background neighbours, those near a hand or the picture's edge left out."""
    hand = cv2.dilate((label > OBJECT).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    found = []
    for row_step, column_step in ((0, 1), (1, 0)):
        height, width = label.shape
        here = label[: height - row_step, : width - column_step]
        there = label[row_step:, column_step:]
        near_hand = hand[: height - row_step, : width - column_step]
        edge = (((here == OBJECT) & (there == BACKGROUND)) | ((here == BACKGROUND) & (there == OBJECT))) & ~near_hand
        edge[:2], edge[-2:], edge[:, :2], edge[:, -2:] = False, False, False, False
        rows, columns = np.nonzero(edge)
        found.append(np.stack([columns + 0.5 + column_step / 2, rows + 0.5 + row_step / 2], axis=1))
    return np.concatenate(found)


def gather_rays(evidence: SilhouetteEvidence, seed: int) -> SilhouetteRays:
    """Contour, inside and near-outside pixels of every frame, drawn at random from one seed; their colours where there are images."""
    generator = np.random.default_rng(seed)
    pixels, kinds, colours, counts = [], [], [], []
    for index, label in enumerate(evidence.labels):
        distance = evidence.distance[index] / DISTANCE_UNIT
        inside = np.argwhere((label == OBJECT) & (distance < -2.0))[:, ::-1] + 0.5
        outside = np.argwhere((label == BACKGROUND) & (distance > 1.5) & (distance < 30.0))[:, ::-1] + 0.5
        chosen = [_draw(_contour(label), 160, generator), _draw(inside, 120, generator), _draw(outside, 60, generator)]
        together = np.concatenate(chosen)
        pixels.append(together)
        kinds.append(np.repeat([CONTOUR, INSIDE, OUTSIDE], [len(part) for part in chosen]))
        counts.append(len(together))
        if evidence.images is None:
            colours.append(np.zeros((len(together), 3)))
        else:
            image = cv2.GaussianBlur(evidence.images[index], (0, 0), 1.2)
            colours.append(image[together[:, 1].astype(int), together[:, 0].astype(int)] / 255.0)
    start = np.concatenate([[0], np.cumsum(counts)])
    frame = np.repeat(np.arange(len(counts)), counts)
    return SilhouetteRays(np.concatenate(pixels), np.concatenate(kinds), frame, np.concatenate(colours), start)


def _intrinsics(evidence: SilhouetteEvidence) -> tuple[float, float, float, float]:
    K = evidence.camera.K
    return float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2])


def _split(poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.ascontiguousarray(poses[:, :3, :3]), np.ascontiguousarray(poses[:, :3, 3])


def hull_colours(
    hull: HullGrid, evidence: SilhouetteEvidence, poses: Float[np.ndarray, "frame 4 4"], rays: SilhouetteRays
) -> tuple[Float[np.ndarray, "3 x y z"], Float[np.ndarray, "x y z"], Float[np.ndarray, "ray 3"]]:
    """Mean colour over frames around the hull's surface, how much was seen there (>= 0.5: enough), and the rays' hits (object frame, NaN: none)."""
    inside = rays.kind == INSIDE
    hits = np.full((len(rays.pixels), 3), np.nan)
    rotation, translation = _split(poses)
    hits[inside] = first_hits(
        hull.signed_distance, hull.lower, hull.spacing, rotation, translation, _intrinsics(evidence), rays.pixels[inside], rays.frame[inside]
    )
    known = np.isfinite(hits[:, 0])
    shape = hull.signed_distance.shape
    node = np.clip(np.rint((hits[known] - hull.lower) / hull.spacing).astype(int), 0, np.array(shape) - 1)
    total = np.zeros((4, *shape), np.float32)
    flat = np.ravel_multi_index(tuple(node.T), shape)
    for channel in range(3):
        total[channel] = np.bincount(flat, rays.colour[known, channel], minlength=int(np.prod(shape))).reshape(shape)
    total[3] = np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape)
    spread = np.stack([ndimage.gaussian_filter(layer, 1.6, truncate=2.5) for layer in total])
    # one ray spread by sigma 1.6 leaves about 0.016 on its node: half a ray's worth is the least to go by
    return spread[:3] / np.maximum(spread[3], 1e-6), (spread[3] / 0.016).clip(0, 2).astype(np.float32), hits


def match_size(hull: HullGrid, evidence: SilhouetteEvidence, poses: Float[np.ndarray, "frame 4 4"], rays: SilhouetteRays) -> HullGrid:
    """The hull grown or shrunk so that the median contour ray grazes it.

    Poses in error make a hard intersection too small, and soft carving makes it too large; both would bend the poses towards themselves.
    """
    contour = rays.kind == CONTOUR
    rotation, translation = _split(poses)
    reach, _ = closest_approaches(
        hull.signed_distance, hull.lower, hull.spacing, rotation, translation, _intrinsics(evidence), rays.pixels[contour], rays.frame[contour]
    )
    shift = float(np.clip(np.median(reach), -2 * hull.spacing, 2 * hull.spacing)) if len(reach) else 0.0
    return replace(hull, signed_distance=hull.signed_distance - np.float32(shift)) if (hull.signed_distance < shift).any() else hull


def _increment(offset: np.ndarray, step: np.ndarray) -> np.ndarray:
    rotation = matrix_from_axis_angle(torch.from_numpy(offset[:, :3]))
    turned = rotation @ matrix_from_axis_angle(torch.from_numpy(step[:, :3]))
    moved = offset[:, 3:] + (rotation.numpy() @ step[:, 3:, None])[..., 0]
    return np.concatenate([axis_angle_from_matrix(turned).numpy(), moved], axis=1)


def _prior(offset: np.ndarray, gap: np.ndarray, config: RefineConfig) -> tuple[np.ndarray, np.ndarray, float]:
    """Quadratic pull to the start and smoothness of the offset over time: matrix, gradient and cost over all frames."""
    count = len(offset)
    pull = np.repeat([config.pull_rotation, config.pull_translation], 3) ** -2.0
    stiff = np.repeat([config.step_rotation, config.step_translation], 3) ** -2.0
    H = np.zeros((count, 6, count, 6))
    gradient = pull * offset
    cost = float((pull * offset**2).sum())
    axis = np.arange(6)
    for frame in range(count):
        H[frame, axis, frame, axis] += pull
    for frame in range(count - 1):
        link = stiff / max(gap[frame], 1.0)
        difference = offset[frame + 1] - offset[frame]
        cost += float((link * difference**2).sum())
        gradient[frame] -= link * difference
        gradient[frame + 1] += link * difference
        for a, b, sign in ((frame, frame, 1), (frame + 1, frame + 1, 1), (frame, frame + 1, -1), (frame + 1, frame, -1)):
            H[a, axis, b, axis] += sign * link
    return H.reshape(6 * count, 6 * count), gradient.reshape(-1), cost


def _blocks(
    evidence: SilhouetteEvidence, rays: SilhouetteRays, hull: HullGrid, coloured: tuple[Float[np.ndarray, "3 x y z"], Float[np.ndarray, "x y z"]],
    poses: Float[np.ndarray, "frame 4 4"], config: RefineConfig
) -> tuple[Float[np.ndarray, "frame 6 6"], Float[np.ndarray, "frame 6"], Float[np.ndarray, "frame"]]:  # fmt: skip
    """Gauss-Newton blocks of silhouettes and colours at these poses, per frame and weighed by its mask: matrix, gradient and cost."""
    unit = config.contour_pixels * float(np.median(poses[:, 2, 3])) / evidence.camera.focal
    scales = np.array([unit, config.colour, 3.0, 2.0, config.colour_share if evidence.images is not None else 0.0])
    rotation, translation = _split(poses)
    H, g, cost = normal_equations(
        hull.signed_distance, hull.lower, hull.spacing, *coloured, rotation, translation, _intrinsics(evidence),
        rays.pixels, rays.kind, rays.colour, rays.start, scales,
    )  # fmt: skip
    share = config.independent_share * evidence.weight
    return share[:, None, None] * H, share[:, None] * g, share * cost


def _descend(
    start: np.ndarray, system: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, float]], move: Callable[[np.ndarray, np.ndarray], np.ndarray], steps: int
) -> np.ndarray:
    """Levenberg-Marquardt: `system` gives matrix, gradient and cost, `move` takes a step; what costs more is not taken."""
    damping = 1e-3
    H, g, cost = system(start)
    for _ in range(steps):
        candidate = move(start, -cho_solve(cho_factor(H + damping * np.diag(np.diag(H))), g))
        attempt = system(candidate)
        if attempt[2] < cost:
            start, (H, g, cost), damping = candidate, attempt, damping * 0.3
        else:
            damping *= 10.0
    return start


def align_as_one(
    evidence: SilhouetteEvidence, rays: SilhouetteRays, shape: HullGrid, poses: Float[np.ndarray, "frame 4 4"], T: Float[np.ndarray, "4 4"], steps: int
) -> Float[np.ndarray, "4 4"]:
    """T_object_shape that best explains the silhouettes by a shape under given T_camera_object (Levenberg-Marquardt from `T`, one motion for all frames)."""
    nothing = np.zeros((4, *shape.signed_distance.shape), np.float32)

    def system(candidate: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        H, g, cost = _blocks(evidence, rays, shape, (nothing[:3], nothing[3]), poses @ candidate, RefineConfig(colour_share=0.0))
        # positive even where no ray comes near the shape
        return H.sum(0) + 1e-9 * np.eye(6), g.sum(0), float(cost.sum())

    return _descend(T, system, lambda T, step: compose_offset(T[None], np.clip(step, -0.2, 0.2)[None])[0], steps)


def align_to_hull(
    evidence: SilhouetteEvidence, rays: SilhouetteRays, hull: HullGrid, start: Float[np.ndarray, "frame 4 4"],
    offset: Float[np.ndarray, "frame 6"], config: RefineConfig, gauge_fixed: bool,
    coloured: tuple[Float[np.ndarray, "3 x y z"], Float[np.ndarray, "x y z"]] | None = None
) -> Float[np.ndarray, "frame 6"]:  # fmt: skip
    """Offsets from the start poses that best explain the silhouettes and colours by a hull held fixed (Levenberg-Marquardt, all frames).

    With `gauge_fixed` the mean offset stays zero: it belongs to the hull, which is carved under these poses, and the hand is the ruler.
    `coloured` are the hull's colours and how much was seen (see `hull_colours`); from these frames themselves when None.
    """
    known = coloured or hull_colours(hull, evidence, compose_offset(start, offset), rays)[:2]

    def system(candidate: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        H, g, cost = _blocks(evidence, rays, hull, known, compose_offset(start, candidate), config)
        full, gradient, prior_cost = _prior(candidate, np.diff(evidence.frames), config)
        for frame in range(len(start)):
            block = slice(6 * frame, 6 * frame + 6)
            full[block, block] += H[frame]
        return full, gradient + g.reshape(-1), prior_cost + float(cost.sum())

    def move(offset: np.ndarray, step: np.ndarray) -> np.ndarray:
        candidate = _increment(offset, np.clip(step.reshape(-1, 6), -0.2, 0.2))
        return candidate - np.average(candidate, axis=0, weights=evidence.weight) if gauge_fixed else candidate

    return _descend(offset, system, move, config.steps)


def agreement(hull: HullGrid, evidence: SilhouetteEvidence, poses: Float[np.ndarray, "frame 4 4"], stride: int = 2) -> Float[np.ndarray, "frame"]:
    """Intersection over union of the hull's silhouette with the object mask per frame (hand pixels left out); NaN without a pose or an object."""
    known = np.isfinite(poses).all((1, 2))
    iou = np.full(len(poses), np.nan)
    rotation, translation = _split(poses[known])
    both, either = silhouette_agreement(
        hull.signed_distance, hull.lower, hull.spacing, rotation, translation, _intrinsics(evidence), evidence.labels[known], stride
    )
    seen = (evidence.labels[known] == OBJECT).any((1, 2))
    iou[known] = np.where(seen, both / np.maximum(either, 1.0), np.nan)
    return iou
