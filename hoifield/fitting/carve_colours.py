"""Space carving (Kutulakos and Seitz 2000): what lies before a cavity shows every view another part of its inside, and is removed.

A start for a field, which grows back what was carved too much. Brightness is left out, since light stands still while the object turns: only
hues are compared, so an object of one colour keeps its shape.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float
from numba import njit
from scipy import ndimage

from hoifield.fitting.frame_pixels import FramePixels
from hoifield.geometry.isosurface import extract_isosurface
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.mesh_distance import MeshDistance

RESOLUTION = 60
"""Nodes along the side of the cube that has the volume of the hull's box."""
MOST_DISAGREEMENT = 0.1
"""Spread of the hue of one point over its views (standard deviation of RGB / their sum). Of the textured mug, 97 % of the true surface stays
below 0.07, and 90 % of what lies 3 mm or more before it above 0.09. Lower, and walls are eaten through."""
LEAST_VIEWS = 3
LEAST_JUDGED = 3
"""Judged nodes among a surface node's 27 neighbours that decide about it."""
ROUNDS = 100
FEWEST_REMOVED = 10
LEAST_CARVED = 0.1
"""Share of the nodes that one piece of what is carved must have: a smaller pit is rather a shine, or a wall that a wrong pose breached."""
STEEPEST = 0.25
"""Cosine between normal and view below which a view does not count."""
SPIKE_SHARE = 0.58
"""Of the 125 nodes around; a node with fewer left is a spike, and falls. The hull's own surface, three nodes deep, is spared: handles are thin."""


@dataclass(frozen=True)
class ColourViews:
    """Pictures under known poses, at the size of the masks."""

    colours: Float[np.ndarray, "frame height width 3"]
    """RGB in [0, 1], smoothed by the pixel."""
    counted: Bool[np.ndarray, "frame height width"]
    """Where the object is seen, off its rim."""
    T_camera_object: Float[np.ndarray, "frame 4 4"]
    intrinsics: Float[np.ndarray, "4"]
    """fx, fy, cx, cy."""


@dataclass(frozen=True)
class _Grid:
    lower: Float[np.ndarray, "3"]
    spacing: float


def gather_views(pixels: FramePixels, T_camera_object: Float[np.ndarray, "frame 4 4"]) -> ColourViews:
    """The fitted frames under these poses."""
    camera, frames = pixels.camera, len(pixels.entities)
    colours, counted = np.zeros((frames, camera.height, camera.width, 3), np.float32), np.zeros((frames, camera.height, camera.width), bool)
    for row, (left, top) in enumerate(pixels.corner):
        height, width = pixels.entities[row].shape
        box = np.s_[row, top : top + height, left : left + width]
        colours[box] = cv2.GaussianBlur((pixels.colours[row] / 255.0).astype(np.float32), (0, 0), 0.8)
        counted[box] = (pixels.entities[row] == 0) & (pixels.certain[row] > 0)
    K = camera.K
    return ColourViews(colours, counted, T_camera_object, np.array([K[0, 0], K[1, 1], K[0, 2], K[1, 2]]))


def carve_colours(hull: Mesh, views: ColourViews) -> Mesh:
    """The hull (object frame, metres) without what views disagree about, round by round from its surface inward; the hull itself where they agree."""
    low, high = hull.vertices.min(0), hull.vertices.max(0)
    spacing = float(np.prod(high - low) ** (1 / 3)) / RESOLUTION
    grid = _Grid(low - 2 * spacing, spacing)
    shape = np.ceil((high - grid.lower) / spacing + 3).astype(int)
    nodes = grid.lower + spacing * np.indices(shape).reshape(3, -1).T
    signed = MeshDistance(hull.vertices, hull.faces).closest(nodes).signed_distance.reshape(shape)
    kept = signed < 0
    whole, deep = kept.copy(), signed < -2.5 * spacing
    for number in range(ROUNDS):
        removed = _disagreeing(kept, grid, views)
        if removed.sum() < FEWEST_REMOVED:
            break
        kept &= ~removed
        if number % 2 == 1:
            kept &= ~(deep & (ndimage.uniform_filter(kept.astype(np.float32), 5) < SPIKE_SHARE))
    kept |= _small_pieces(whole & ~kept, int(LEAST_CARVED * whole.sum()))
    if not kept.any() or (kept == whole).all():
        return hull
    carved = (np.where(kept, 0.5 - ndimage.distance_transform_edt(kept), ndimage.distance_transform_edt(~kept) - 0.5)) * spacing
    # Where nothing was carved nearby the hull's own surface stays, which is finer than the nodes.
    untouched = np.abs(carved - signed) < 1.5 * spacing
    return extract_isosurface(np.where(untouched, signed, ndimage.gaussian_filter(carved, 0.7)), grid.lower, spacing)


def _small_pieces(nodes: Bool[np.ndarray, "x y z"], least: int) -> Bool[np.ndarray, "x y z"]:
    """Those of pieces with fewer nodes."""
    pieces, _ = ndimage.label(nodes)
    return nodes & (np.bincount(pieces.reshape(-1)) < least)[pieces]


def _disagreeing(kept: Bool[np.ndarray, "x y z"], grid: _Grid, views: ColourViews) -> Bool[np.ndarray, "x y z"]:
    """Surface nodes whose views, together with those of their neighbours, differ in hue."""
    nodes = np.argwhere(kept & ~ndimage.binary_erosion(kept))
    slope = np.stack(np.gradient(ndimage.gaussian_filter(kept.astype(np.float32), 1.2)), -1)[tuple(nodes.T)]
    normals = -slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-9)
    R, t = np.ascontiguousarray(views.T_camera_object[:, :3, :3]), np.ascontiguousarray(views.T_camera_object[:, :3, 3])
    points = grid.lower + grid.spacing * nodes
    depth = np.full(views.counted.shape, np.inf, np.float32)
    _splat_depth(points, grid.spacing, R, t, views.intrinsics, depth)
    spread, seen = np.zeros(len(nodes), np.float32), np.zeros(len(nodes), np.int64)
    _spread_of_hue(points, normals, 1.5 * grid.spacing, R, t, views.intrinsics, depth, views.counted, views.colours, seen, spread)
    total, judged = np.zeros(kept.shape, np.float32), np.zeros(kept.shape, np.float32)
    total[tuple(nodes.T)], judged[tuple(nodes.T)] = np.where(seen >= LEAST_VIEWS, spread, 0.0), seen >= LEAST_VIEWS
    total, judged = 27 * ndimage.uniform_filter(total, 3, mode="constant"), 27 * ndimage.uniform_filter(judged, 3, mode="constant")
    disagree = (judged > LEAST_JUDGED - 0.5) & (total > MOST_DISAGREEMENT * np.maximum(judged, 1.0))
    removed = np.zeros(kept.shape, bool)
    removed[tuple(nodes.T)] = disagree[tuple(nodes.T)]
    return removed


@njit(cache=True)
def _turn(R, vector):  # type: ignore[no-untyped-def]
    """R vector, by hand: the products of numba go through a library, and are slow on three numbers."""
    x, y, z = vector[0], vector[1], vector[2]
    return (
        R[0, 0] * x + R[0, 1] * y + R[0, 2] * z,
        R[1, 0] * x + R[1, 1] * y + R[1, 2] * z,
        R[2, 0] * x + R[2, 1] * y + R[2, 2] * z,
    )


@njit(cache=True)
def _splat_depth(points, spacing, R, t, intrinsics, depth):  # type: ignore[no-untyped-def]
    """Depth (m) of the nearest node at each pixel, nodes drawn as squares a little wider than their spacing."""
    frames, height, width = depth.shape
    for f in range(frames):
        for n in range(len(points)):
            x, y, z = _turn(R[f], points[n])
            x, y, z = x + t[f, 0], y + t[f, 1], z + t[f, 2]
            if z <= spacing:
                continue
            u, v = intrinsics[0] * x / z + intrinsics[2], intrinsics[1] * y / z + intrinsics[3]
            reach = 0.6 * spacing * intrinsics[0] / z
            for i in range(max(int(np.floor(v - reach)), 0), min(int(np.floor(v + reach)) + 1, height)):
                for j in range(max(int(np.floor(u - reach)), 0), min(int(np.floor(u + reach)) + 1, width)):
                    depth[f, i, j] = min(depth[f, i, j], z)


@njit(cache=True)
def _spread_of_hue(points, normals, tolerance, R, t, intrinsics, depth, counted, colours, seen, spread):  # type: ignore[no-untyped-def]
    """Views that see each node, and the standard deviation of RGB / sum over them, weighted by brightness."""
    frames, height, width = depth.shape
    for n in range(len(points)):
        first, second, weight, colour = np.zeros(3), np.zeros(3), 0.0, np.zeros(3)
        for f in range(frames):
            x, y, z = _turn(R[f], points[n])
            x, y, z = x + t[f, 0], y + t[f, 1], z + t[f, 2]
            if z <= 0.0:
                continue
            u, v = intrinsics[0] * x / z + intrinsics[2], intrinsics[1] * y / z + intrinsics[3]
            if u < 1.0 or v < 1.0 or u >= width - 1.0 or v >= height - 1.0 or not counted[f, int(v), int(u)]:
                continue
            nx, ny, nz = _turn(R[f], normals[n])
            turned_away = nx * x + ny * y + nz * z > -STEEPEST * np.sqrt(x * x + y * y + z * z)
            if turned_away or z > depth[f, int(v), int(u)] + tolerance:
                continue
            column, row = int(u - 0.5), int(v - 0.5)
            a, b = u - 0.5 - column, v - 0.5 - row
            for k in range(3):
                upper = (1 - a) * colours[f, row, column, k] + a * colours[f, row, column + 1, k]
                colour[k] = (1 - b) * upper + b * ((1 - a) * colours[f, row + 1, column, k] + a * colours[f, row + 1, column + 1, k])
            brightness = colour[0] + colour[1] + colour[2] + 1e-6
            for k in range(3):
                first[k] += colour[k]
                second[k] += colour[k] * colour[k] / brightness
            weight += brightness
            seen[n] += 1
        if weight > 0:
            variance = 0.0
            for k in range(3):
                variance += second[k] / weight - (first[k] / weight) ** 2
            spread[n] = np.sqrt(max(variance, 0.0))
