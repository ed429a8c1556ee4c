"""The visual hull under given poses: what no silhouette rules out, carved softly so that single wrong masks or poses do no harm."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, Int16, UInt8, UInt16
from numba import njit, prange
from scipy import ndimage

from hoifield.geometry.cameras import Camera
from hoifield.geometry.isosurface import extract_isosurface
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.observations.frame_masks import BACKGROUND, OBJECT

DISTANCE_UNIT = 16.0
"""Distances are kept as 16-bit integers of a sixteenth of a pixel: half the memory of floats over a whole clip."""
STACK = 24
UNSEEN = 1.0
"""Value (metres) of a node that no frame sees."""
SECOND_PART = 0.15
"""A second part with this share of the first one's object votes belongs to the object."""


@dataclass(frozen=True)
class HullGrid:
    """A signed distance grid of the hull in the object frame, metres, negative inside; node [i, j, k] sits at lower + spacing * (i, j, k)."""

    signed_distance: Float[np.ndarray, "x y z"]
    lower: Float[np.ndarray, "3"]
    spacing: float

    @property
    def volume(self) -> float:
        """Enclosed volume, cubic metres."""
        return float((self.signed_distance < 0).sum()) * self.spacing**3

    @staticmethod
    def of_mesh(mesh: Mesh, spacing: float, margin: int) -> "HullGrid":
        """Exact distances to a closed mesh, metres, on a grid that reaches `margin` nodes beyond it."""
        lower, upper = mesh.vertices.min(0) - margin * spacing, mesh.vertices.max(0) + margin * spacing
        shape = np.ceil((upper - lower) / spacing).astype(int) + 1
        points = np.indices(shape).reshape(3, -1).T * spacing + lower
        return HullGrid(MeshDistance(mesh.vertices, mesh.faces).closest(points).signed_distance.reshape(shape), lower, spacing)

    def let_out(self, metres: float) -> "HullGrid":
        """The hull that reaches so much farther on every side."""
        return replace(self, signed_distance=self.signed_distance - np.float32(metres))

    def at(self, points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, "point"]:
        """The distances there, metres; far outside the grid, infinite."""
        return ndimage.map_coordinates(self.signed_distance, ((points - self.lower) / self.spacing).T, order=1, cval=np.inf)


@dataclass(frozen=True)
class SilhouetteEvidence:
    """Labels of some frames, with the signed distance to the background boundary, at the mask's working size."""

    frames: Int16[np.ndarray, "frame"]
    labels: UInt8[np.ndarray, "frame height width"]
    distance: Int16[np.ndarray, "frame height width"]
    """Sixteenths of a pixel: positive in the background (to the nearest hand or object), negative off it (to the background)."""
    weight: Float[np.ndarray, "frame"]
    """How far each mask is to be trusted, in [0, 1]."""
    camera: Camera
    """In pixels of the labels."""
    images: UInt8[np.ndarray, "frame height width 3"] | None
    hand_depth: UInt16[np.ndarray, "frame height width"]
    """Millimetres to the tracked hand's front surface, 0 where it is not (all of 0 without a hand)."""
    imagined: HullGrid | None = None
    """Distances to what a network imagines of the object, in the object frame: where a clip shows few sides, silhouettes leave open how deep
    the object is, and what lies outside of this is not believed to belong to it."""
    hand_volume: HullGrid | None = None
    """Distances to a hand that holds the object still, in the object frame: what it fills, the object does not."""


@dataclass(frozen=True)
class CarveConfig:
    """How softly to carve."""

    background_share: float = 0.10
    """A point is removed when it lies on background in more than this share of the frames that see it."""
    object_share: float = 0.12
    """And kept only where it projects on object pixels in at least this share: else volumes hidden by the hand stay."""
    hand_margin: float = 0.012
    """Metres of doubt about the hand's depth. What lies further before a hand pixel would hide the hand: it is carved. What lies further
    behind the hand at an object pixel is hidden by the object or is the hand itself: the pixel is no vote for it."""
    hand_skin: float = 0.001
    """Metres of doubt about the surface of a hand volume."""
    resolution: int = 80
    """Nodes along the side of the cube that has the volume of the final box."""


def gather_evidence(
    labels: UInt8[np.ndarray, "frame height width"],
    frames: Int16[np.ndarray, "chosen"],
    weight: Float[np.ndarray, "frame"],
    camera: Camera,
    images: UInt8[np.ndarray, "chosen height width 3"] | None = None,
    hand_depth: UInt16[np.ndarray, "chosen height width"] | None = None,
) -> SilhouetteEvidence:
    """Silhouette evidence of the chosen frames; `camera` is the clip's and is scaled to the labels here."""
    height, width = labels.shape[1:]
    chosen = np.ascontiguousarray(labels[frames])
    distance = np.stack([_background_distance(label) for label in chosen])
    depth = np.zeros(chosen.shape, np.uint16) if hand_depth is None else hand_depth
    return SilhouetteEvidence(np.asarray(frames), chosen, distance, np.asarray(weight, float)[frames], camera.resized(width, height), images, depth)


def _background_distance(label: UInt8[np.ndarray, "height width"]) -> Int16[np.ndarray, "height width"]:
    """See SilhouetteEvidence.distance."""
    empty = (label == BACKGROUND).astype(np.uint8)
    outside = cv2.distanceTransform(empty, cv2.DIST_L2, 5)
    inside = cv2.distanceTransform(1 - empty, cv2.DIST_L2, 5)
    signed = np.where(empty > 0, outside - 0.5, 0.5 - inside)
    return (np.clip(signed, -2000.0, 2000.0) * DISTANCE_UNIT).astype(np.int16)


def fatten(evidence: SilhouetteEvidence, pixels: float) -> SilhouetteEvidence:
    """The evidence of an object that reaches so many pixels further over the background; hands stay where they are."""
    labels = evidence.labels.copy()
    for label in labels:
        beside = cv2.distanceTransform((label != OBJECT).astype(np.uint8), cv2.DIST_L2, 5)
        label[(label == BACKGROUND) & (beside < pixels + 0.5)] = OBJECT
    return replace(evidence, labels=labels, distance=np.stack([_background_distance(label) for label in labels]))


def take_frames(evidence: SilhouetteEvidence, chosen: Bool[np.ndarray, "frame"]) -> SilhouetteEvidence:
    """The evidence of the chosen frames alone."""
    images = None if evidence.images is None else evidence.images[chosen]
    return replace(
        evidence,
        frames=evidence.frames[chosen],
        labels=evidence.labels[chosen],
        distance=evidence.distance[chosen],
        weight=evidence.weight[chosen],
        images=images,
        hand_depth=evidence.hand_depth[chosen],
    )


def hand_depth_maps(
    vertices: Float[np.ndarray, "chosen vertex 3"], faces: Int[np.ndarray, "face 3"], camera: Camera
) -> UInt16[np.ndarray, "chosen height width"]:
    """Millimetres to the front surface of a posed hand (camera-frame vertices, metres) in the pictures of `camera`; 0 where it is not."""
    maps = np.zeros((len(vertices), camera.height, camera.width), np.uint16)
    for index, posed in enumerate(vertices):
        if np.isfinite(posed).all():
            depth, _, _ = rasterise_mesh(posed, faces, camera.K, camera.width, camera.height)
            maps[index] = np.where(np.isfinite(depth), np.clip(np.nan_to_num(depth, posinf=0.0) * 1000, 0, 65535), 0)
    return maps


@njit(parallel=True, cache=True)
def _fill_nodes(lower, spacing, shape, rotation, translation, intrinsics, labels, distance, hand_depth, weight, background_share, hand_margin):  # type: ignore[no-untyped-def]
    """Robust signed value (metres), object votes and visible weight of every node."""
    fx, fy, cx, cy = intrinsics
    frames, height, width = labels.shape
    field = np.full((shape[0], shape[1], shape[2]), UNSEEN, np.float32)
    votes = np.zeros((shape[0], shape[1], shape[2]), np.float32)
    for i in prange(shape[0]):
        top_value = np.empty(STACK, np.float32)
        top_weight = np.empty(STACK, np.float32)
        for j in range(shape[1]):
            for k in range(shape[2]):
                x, y, z = lower[0] + spacing * i, lower[1] + spacing * j, lower[2] + spacing * k
                held = 0
                seen = 0.0
                for f in range(frames):
                    r = rotation[f]
                    depth = r[2, 0] * x + r[2, 1] * y + r[2, 2] * z + translation[f, 2]
                    if depth < 0.02:
                        continue
                    u = fx * (r[0, 0] * x + r[0, 1] * y + r[0, 2] * z + translation[f, 0]) / depth + cx
                    v = fy * (r[1, 0] * x + r[1, 1] * y + r[1, 2] * z + translation[f, 1]) / depth + cy
                    if u < 0.5 or v < 0.5 or u >= width - 0.5 or v >= height - 0.5:
                        continue
                    label = labels[f, int(v), int(u)]
                    hand = hand_depth[f, int(v), int(u)] / 1000.0
                    before = hand - hand_margin - depth
                    if label > 1 and (hand == 0 or before < 0):
                        continue
                    seen += weight[f]
                    if label == 1 and (hand == 0 or depth < hand + hand_margin):
                        votes[i, j, k] += weight[f]
                    column, row = int(u - 0.5), int(v - 0.5)
                    a, b = u - 0.5 - column, v - 0.5 - row
                    upper = (1 - a) * distance[f, row, column] + a * distance[f, row, column + 1]
                    below = (1 - a) * distance[f, row + 1, column] + a * distance[f, row + 1, column + 1]
                    value = ((1 - b) * upper + b * below) / DISTANCE_UNIT * depth / fx
                    if label > 1:
                        value = before
                    if held < STACK or value > top_value[held - 1]:
                        slot = held if held < STACK else STACK - 1
                        while slot > 0 and top_value[slot - 1] < value:
                            top_value[slot] = top_value[slot - 1]
                            top_weight[slot] = top_weight[slot - 1]
                            slot -= 1
                        top_value[slot] = value
                        top_weight[slot] = weight[f]
                        held = min(held + 1, STACK)
                total = 0.0
                for slot in range(held):
                    field[i, j, k] = top_value[slot]
                    total += top_weight[slot]
                    if total > background_share * seen:
                        break
    return field, votes


def _hidden_bridge(one: np.ndarray, other: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Nodes between two parts that no frame rules out: a grasp hides the middle of a long object, of which both ends are seen."""
    generator = np.random.default_rng(0)
    ends = [nodes[generator.integers(len(nodes), size=3000)] for nodes in (np.argwhere(one), np.argwhere(other))]
    share = generator.random((3000, 24, 1))
    between = np.rint(ends[0][:, None] * share + ends[1][:, None] * (1 - share)).astype(int).reshape(-1, 3)
    bridge = np.zeros(one.shape, bool)
    bridge[tuple(between.T)] = True
    return ndimage.binary_closing(bridge, iterations=1) & allowed


def _commonest_label(kept: np.ndarray, votes: np.ndarray) -> int:
    parts, count = ndimage.label(kept)
    return 1 + int(np.argmax(ndimage.sum_labels(votes, parts, np.arange(1, count + 1))))


def _signed_grid(field: Float[np.ndarray, "x y z"], votes: Float[np.ndarray, "x y z"], needed: float, spacing: float) -> np.ndarray | None:
    """The field of the component with most object votes: carved values beside the surface, Euclidean distance away from it."""
    kept = (field < 0) & (votes >= needed)
    parts, count = ndimage.label(kept)
    if count == 0:
        return None
    total = ndimage.sum_labels(votes, parts, np.arange(1, count + 1))
    first = int(np.argmax(total))
    kept = parts == 1 + first
    for other in np.flatnonzero(total > SECOND_PART * total[first]):
        if other != first:
            part = parts == 1 + other
            kept = kept | part | _hidden_bridge(kept, part, (field < 0) | (field == UNSEEN))
    kept = ndimage.label(kept)[0] == _commonest_label(kept, votes)
    if kept.sum() < 8:
        return None
    kept = ndimage.binary_fill_holes(kept)
    inside = ndimage.distance_transform_edt(kept)
    outside = ndimage.distance_transform_edt(~kept)
    euclidean = spacing * (np.where(kept, 0.5 - inside, outside - 0.5))
    band = 1.5 * spacing
    carved = np.clip(np.where(kept, np.minimum(field, -0.05 * spacing), np.maximum(field, 0.05 * spacing)), -band, band)
    # beyond the band the carved values are lateral distances of single frames: no distances to the surface any more
    signed = np.where(np.abs(euclidean) < band, carved, euclidean)
    return ndimage.gaussian_filter(signed, 0.6).astype(np.float32)


def carve_nodes(
    evidence: SilhouetteEvidence, poses: Float[np.ndarray, "frame 4 4"], lower: Float[np.ndarray, "3"], shape: tuple[int, int, int], spacing: float,
    config: CarveConfig
) -> tuple[Float[np.ndarray, "x y z"], Float[np.ndarray, "x y z"]]:  # fmt: skip
    """What the silhouettes say of every node of a grid of the object frame: a robust signed value (metres, negative inside, UNSEEN where no
    frame says anything), and the weight of the frames that see it on the object. `poses` are T_camera_object; frames without one are left out."""
    K = evidence.camera.K
    usable = np.isfinite(poses).all((1, 2)) & (evidence.weight > 0)
    field, votes = _fill_nodes(
        lower.astype(np.float64), float(spacing), shape,
        np.ascontiguousarray(poses[usable, :3, :3]), np.ascontiguousarray(poses[usable, :3, 3]), (K[0, 0], K[1, 1], K[0, 2], K[1, 2]),
        evidence.labels[usable], evidence.distance[usable], evidence.hand_depth[usable], evidence.weight[usable].astype(np.float32),
        float(config.background_share), float(config.hand_margin),
    )  # fmt: skip
    return field, votes


def carve_box(
    evidence: SilhouetteEvidence, poses: Float[np.ndarray, "frame 4 4"], box: Float[np.ndarray, "2 3"], spacing: float, radius: float, config: CarveConfig
) -> HullGrid | None:
    """The hull inside one axis-aligned box (lower, upper corner) of the object frame and within `radius` of its origin; None where nothing
    survives. `poses` are T_camera_object."""
    lower, upper = box
    shape = np.ceil((upper - lower) / spacing).astype(int) + 1
    total = float(evidence.weight[np.isfinite(poses).all((1, 2))].sum())
    if total == 0:
        return None
    field, votes = carve_nodes(evidence, poses, lower, (int(shape[0]), int(shape[1]), int(shape[2])), spacing, config)
    offsets = np.indices(field.shape).reshape(3, -1).T * spacing + lower
    if evidence.hand_volume is not None:
        field = np.maximum(field, -config.hand_skin - evidence.hand_volume.at(offsets).reshape(field.shape).astype(np.float32))
    if evidence.imagined is not None:
        field = np.maximum(field, np.minimum(evidence.imagined.at(offsets), 3 * spacing).reshape(field.shape).astype(np.float32))
    votes[(np.linalg.norm(offsets, axis=1) > radius).reshape(field.shape)] = -1.0
    signed = _signed_grid(field, votes, config.object_share * total, spacing)
    return None if signed is None else HullGrid(signed, np.asarray(lower, float), float(spacing))


def carve_hull(evidence: SilhouetteEvidence, poses: Float[np.ndarray, "frame 4 4"], radius: float, config: CarveConfig) -> HullGrid | None:
    """The visual hull within `radius` (metres) of the object frame's origin: a coarse carving finds the box, a fine one fills it.

    Object pixels vote for a point, background pixels against it; hand pixels (either hand) and points outside the picture say nothing.
    None where nothing survives.
    """
    corner = np.full(3, float(radius))
    coarse = carve_box(evidence, poses, np.stack([-corner, corner]), 2 * radius / 44, radius, config)
    if coarse is None:
        return None
    nodes = np.argwhere(coarse.signed_distance < coarse.spacing)
    lower = coarse.lower + coarse.spacing * (nodes.min(0) - 1.5)
    upper = coarse.lower + coarse.spacing * (nodes.max(0) + 1.5)
    spacing = float(np.prod(upper - lower) ** (1 / 3)) / config.resolution
    return carve_box(evidence, poses, np.stack([lower, upper]), spacing, radius, config) or coarse


def keep_largest_part(hull: HullGrid) -> HullGrid | None:
    """The hull without all but its largest connected part; None where nothing is inside."""
    parts, count = ndimage.label(hull.signed_distance < 0)
    if count == 0:
        return None
    largest = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    return replace(hull, signed_distance=np.where((parts == largest) | (parts == 0), hull.signed_distance, hull.spacing).astype(np.float32))


def hull_mesh(hull: HullGrid) -> Mesh:
    """The closed surface of the hull, object frame, metres."""
    padded = np.pad(hull.signed_distance.astype(np.float64), 1, constant_values=hull.spacing)
    return extract_isosurface(padded, hull.lower - hull.spacing, hull.spacing)


def object_pixels(label: UInt8[np.ndarray, "height width"]) -> Float[np.ndarray, "pixel 2"]:
    """Pixel centres (x, y) labelled as the object."""
    rows, columns = np.nonzero(label == OBJECT)
    return np.stack([columns, rows], axis=1) + 0.5
