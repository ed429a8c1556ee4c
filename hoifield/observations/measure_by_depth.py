"""Hand and object brought to the distance that a depth sensor measured, and the hull emptied of what it looked through."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8, UInt16
from scipy import ndimage

from hoifield.actors.skinned_model import SkinnedModel
from hoifield.geometry.cameras import Camera
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.observations.frame_masks import LEFT_HAND, OBJECT, RIGHT_HAND, FrameMasks
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.sensor_depth import SensorDepth
from hoifield.observations.visual_hull import HullGrid, hull_mesh, keep_largest_part

LEAST_PIXELS = 40
"""Pixels that a frame must show for its depth to be believed."""
SAME_SURFACE = 0.25
"""Share of the depth by which drawn and measured may differ and still be the same thing."""
TIGHT = 25.0
"""Percentile of measured over drawn depth that says how far the object is: a hull reaches beyond the object, never behind it."""
EMPTY_BEFORE = 0.008
"""Metres before the measured surface from which space is taken to be empty."""
ON_SURFACE = 0.004
"""Metres about the measured surface within which space is taken to be filled."""
LEAST_LOOKS = 0.04
"""Share of the frames that must look through a place, and more than show something there."""

Posed = tuple[Float[np.ndarray, "vertex 3"], np.ndarray]


def hand_depth_error(
    hand: HandTrack, actor: SkinnedModel, depth: SensorDepth, masks: FrameMasks, camera: Camera
) -> tuple[Float[np.ndarray, "frame"], float]:
    """Measured less drawn depth (m) of the hand per frame, and the median of measured over drawn; NaN where too little shows both."""
    label = RIGHT_HAND if hand.side == "right" else LEFT_HAND
    frames = np.flatnonzero(hand.observed & hand.posed)
    with torch.no_grad():
        shape, pose, T = (torch.tensor(value, dtype=torch.float32) for value in (hand.shape, hand.pose[frames], hand.T_camera_hand[frames]))
        vertices = actor.pose(shape, pose, T).vertices.double().numpy()
    working = camera.resized(masks.labels.shape[2], masks.labels.shape[1])
    difference, ratios = np.full(len(masks.labels), np.nan), []
    for frame, posed in zip(frames, vertices):
        drawn, measured = _seen_depths((posed, actor.faces.numpy()), masks.labels[frame] == label, depth.millimetres[frame], working)
        if len(drawn) >= LEAST_PIXELS:
            difference[frame] = np.median(measured - drawn)
            ratios.append(np.median(measured / drawn))
    return difference, float(np.median(ratios)) if ratios else float("nan")


def object_depth_ratio(
    hull: HullGrid, poses: Float[np.ndarray, "frame 4 4"], labels: UInt8[np.ndarray, "frame height width"], depth: UInt16[np.ndarray, "frame height width"],
    camera: Camera
) -> float:  # fmt: skip
    """How many times farther (and larger) than its hull the object is, where the hull is tight; 1 where too little shows both."""
    mesh, ratios = hull_mesh(hull), []
    for pose, label, measured_mm in zip(poses, labels, depth, strict=True):
        if np.isfinite(pose).all():
            drawn, measured = _seen_depths((mesh.moved(pose).vertices, mesh.faces), label == OBJECT, measured_mm, camera)
            if len(drawn) >= LEAST_PIXELS:
                ratios.append(np.percentile(measured / drawn, TIGHT))
    return float(np.median(ratios)) if ratios else 1.0


def _seen_depths(
    posed: Posed, shown: Bool[np.ndarray, "height width"], measured_mm: UInt16[np.ndarray, "height width"], camera: Camera
) -> tuple[Float[np.ndarray, "pixel"], Float[np.ndarray, "pixel"]]:
    """Drawn and measured depths (m) of the pixels that show the same thing."""
    drawn = rasterise_mesh(*posed, camera.K, camera.width, camera.height)[0]
    both = np.isfinite(drawn) & shown & (measured_mm > 0)
    drawn, measured = drawn[both], measured_mm[both] / 1000.0
    same = np.abs(measured / drawn - 1.0) < SAME_SURFACE
    return drawn[same], measured[same]


def scale_hull(hull: HullGrid, factor: float) -> HullGrid:
    """The hull made larger about the origin of its frame."""
    return HullGrid((hull.signed_distance * factor).astype(np.float32), hull.lower * factor, hull.spacing * factor)


def carve_by_depth(
    hull: HullGrid, poses: Float[np.ndarray, "frame 4 4"], labels: UInt8[np.ndarray, "frame height width"], depth: UInt16[np.ndarray, "frame height width"],
    camera: Camera
) -> HullGrid:  # fmt: skip
    """The hull without the space that frames looked through onto the object behind it: cavities, which no silhouette shows."""
    inside = np.argwhere(hull.signed_distance < 0)
    points = inside * hull.spacing + hull.lower
    through, filled = np.zeros(len(points), int), np.zeros(len(points), int)
    for pose, label, measured_mm in zip(poses, labels, depth, strict=True):
        gap = _gap_before_surface(points, pose, label, measured_mm, camera)
        through += gap > EMPTY_BEFORE
        filled += np.abs(gap) < ON_SURFACE
    empty = np.zeros(hull.signed_distance.shape, bool)
    empty[tuple(inside.T)] = (through >= max(2.0, LEAST_LOOKS * len(poses))) & (through > filled)
    if not empty.any():
        return hull
    beyond = hull.spacing * (ndimage.distance_transform_edt(empty) - 0.5)
    within = hull.spacing * (0.5 - ndimage.distance_transform_edt(~empty))
    carved = np.maximum(hull.signed_distance, np.where(empty, beyond, within)).astype(np.float32)
    return keep_largest_part(replace(hull, signed_distance=carved)) or hull


def _gap_before_surface(
    points: Float[np.ndarray, "point 3"], pose: Float[np.ndarray, "4 4"], label: np.ndarray, measured_mm: np.ndarray, camera: Camera
) -> Float[np.ndarray, "point"]:
    """Metres by which points lie before the object's surface as it was measured at their pixels; NaN where none was."""
    gap = np.full(len(points), np.nan)
    if not np.isfinite(pose).all():
        return gap
    placed = points @ pose[:3, :3].T + pose[:3, 3]
    projected = placed @ camera.K.T
    column, row = np.floor(projected[:, :2] / np.maximum(projected[:, 2:], 1e-6)).astype(int).T
    known = (column >= 0) & (row >= 0) & (column < camera.width) & (row < camera.height) & (placed[:, 2] > 0)
    known[known] = (label[row[known], column[known]] == OBJECT) & (measured_mm[row[known], column[known]] > 0)
    gap[known] = measured_mm[row[known], column[known]] / 1000.0 - placed[known, 2]
    return gap
