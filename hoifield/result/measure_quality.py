"""How well a result agrees with what was observed: masks, colours, touch."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from hoifield.actors.contact_zones import touching_vertices
from hoifield.actors.skinned_model import Side, SkinnedModel
from hoifield.fitting.frame_pixels import FramePixels
from hoifield.fitting.run_field_stage import read_object_grid
from hoifield.geometry.mesh import face_normals
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.observations.frame_masks import LEFT_HAND, OBJECT, RIGHT_HAND
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.observations import Observations
from hoifield.observations.rotated_boxes import keypoint_box_side
from hoifield.renderer.render_rays import SamplingConfig, render_rays
from hoifield.result.fit_result import FitResult
from hoifield.scene.scene import Scene

SEEN_SIDE = 480
"""Longest side, in pixels, of the depth pictures that tell what is seen."""
SEEN_DEPTH = 0.003
"""Metres by which a point may lie behind the surface drawn at its pixel and still be that surface: a slanted one falls off within a pixel."""


@dataclass(frozen=True)
class FrameAgreement:
    """Rendered meshes against the observed masks, per frame; NaN where a frame has no pose or no mask."""

    object_iou: Float[np.ndarray, "frame"]
    hand_iou: Float[np.ndarray, "frame"]


def measure_agreement(result: FitResult, observations: Observations) -> FrameAgreement:
    """IoU of the visible rendered object (the hand hides and is hidden by depth) and hand with the observed masks, per frame."""
    labels = observations.masks.labels
    height, width = labels.shape[1:]
    scale = np.array([width / result.image_size[0], height / result.image_size[1]])
    frames = len(result.frame_index)
    object_iou, hand_iou = np.full(frames, np.nan), np.full(frames, np.nan)
    for frame in range(frames):
        drawn = draw_entities(result, frame, width, height, scale)
        if drawn is None:
            continue
        if (labels[frame] == OBJECT).any():
            object_iou[frame] = _iou(drawn == OBJECT, labels[frame] == OBJECT)
        hand_label = (labels[frame] == RIGHT_HAND) | (labels[frame] == LEFT_HAND)
        if hand_label.any():
            hand_iou[frame] = _iou((drawn == RIGHT_HAND) | (drawn == LEFT_HAND), hand_label)
    return FrameAgreement(object_iou, hand_iou)


def measure_keypoints(result: FitResult, track: HandTrack) -> Float[np.ndarray, "frame"]:
    """How far the hand of the track's side is from its detected keypoints: mean distance, share of the hand's box; NaN without a pose or a detection.

    Joints are taken to where the detector marks them. It errs itself: on generated clips the true hand is some 5 % off (decision 0022).
    """
    hand = next(hand for hand in result.hands if hand.side == track.side)
    marked = hand.joints + track.keypoint_offsets @ hand.T_camera_hand[:, :3, :3].transpose(0, 2, 1)
    pixels = marked @ result.K.transpose(0, 2, 1)
    off = np.linalg.norm(pixels[..., :2] / pixels[..., 2:] - track.keypoints, axis=-1)
    return off.mean(-1) / keypoint_box_side(track.keypoints)


def draw_entities(result: FitResult, frame: int, width: int, height: int, scale: Float[np.ndarray, "2"]) -> np.ndarray | None:
    """Contract labels of the meshes as the camera sees them; None for a frame without any pose."""
    parts = _posed_parts(result, frame)
    if not parts:
        return None
    owner = np.concatenate([np.full(len(faces), label) for label, _, faces in parts])
    _, face = _draw(parts, np.diag([scale[0], scale[1], 1.0]) @ result.K[frame], width, height)
    return np.where(face >= 0, owner[np.maximum(face, 0)], 0)


def _posed_parts(result: FitResult, frame: int) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """Label, camera-frame vertices and faces of everything that has a pose in the frame, the object first."""
    parts = []
    if np.isfinite(result.T_camera_object[frame]).all():
        parts.append((OBJECT, result.object_mesh.moved(result.T_camera_object[frame]).vertices, result.object_mesh.faces))
    for hand in result.hands:
        if np.isfinite(hand.vertices[frame]).all():
            parts.append((RIGHT_HAND if hand.side == "right" else LEFT_HAND, hand.vertices[frame].astype(np.float64), hand.faces))
    return parts


def _draw(parts: list[tuple[int, np.ndarray, np.ndarray]], K: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Depth and face pictures; faces count on from part to part."""
    offsets = np.cumsum([0] + [len(vertices) for _, vertices, _ in parts])
    faces = np.concatenate([faces + offset for (_, _, faces), offset in zip(parts, offsets)])
    depth, face, _ = rasterise_mesh(np.concatenate([vertices for _, vertices, _ in parts]), faces, K, width, height)
    return depth, face


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


def measure_seen_share(result: FitResult) -> float:
    """Share of the object's surface area that the camera saw in some frame.

    Of the frames that have the object's pose. One of them shows less than half of a convex object; what the hand covers throughout is
    never seen.
    """
    _, areas = face_normals(result.object_mesh)
    return float(areas[count_sightings(result) > 0].sum() / areas.sum())


def count_sightings(result: FitResult) -> Int[np.ndarray, "face"]:
    """In how many frames the camera saw each face of the object: facing it, inside the picture, with nothing in front."""
    normals, _ = face_normals(result.object_mesh)
    centres = result.object_mesh.vertices[result.object_mesh.faces].mean(1)
    scale = SEEN_SIDE / max(result.image_size)
    width, height = (round(side * scale) for side in result.image_size)
    count = np.zeros(len(normals), np.int64)
    for frame in np.flatnonzero(np.isfinite(result.T_camera_object).all((1, 2))).tolist():
        T = result.T_camera_object[frame]
        K = np.diag([scale, scale, 1.0]) @ result.K[frame]
        depth, _ = _draw(_posed_parts(result, frame), K, width, height)
        points = centres @ T[:3, :3].T + T[:3, 3]
        candidate = np.flatnonzero((np.einsum("fi,fi->f", normals @ T[:3, :3].T, points) < 0) & (points[:, 2] > 0))
        column, row = np.floor((points[candidate] @ K.T)[:, :2] / points[candidate, 2:]).astype(int).T
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        shown = depth[row[inside], column[inside]] > points[candidate[inside], 2] - SEEN_DEPTH
        count[candidate[inside][shown]] += 1
    return count


@dataclass(frozen=True)
class TouchMeasurement:
    """How hand and object meet, over the frames."""

    penetration_mean_mm: float
    """Mean over frames of the deepest hand vertex inside the object."""
    contact_fraction: float
    """Share of frames in which some contact-zone vertex is within 3 mm of the surface or inside."""


def measure_touch(result: FitResult, actors: dict[Side, SkinnedModel], every: int = 5) -> TouchMeasurement:
    """Depth and presence of contact from the exact signed distance of the object mesh, on every `every`-th frame."""
    query = MeshDistance(result.object_mesh.vertices, result.object_mesh.faces)
    depths, touching = [], []
    zones = {hand.side: touching_vertices(actors[hand.side]).numpy() for hand in result.hands}
    for frame in range(0, len(result.frame_index), every):
        T = result.T_camera_object[frame]
        for hand in result.hands:
            if not (np.isfinite(T).all() and np.isfinite(hand.vertices[frame]).all()):
                continue
            local = (hand.vertices[frame] - T[:3, 3]) @ T[:3, :3]
            distance = query.closest(local.astype(np.float64)).signed_distance
            depths.append(max(0.0, -float(distance.min())))
            touching.append(bool((distance[zones[hand.side]] < 0.003).any()))
    if not depths:
        return TouchMeasurement(0.0, 0.0)
    return TouchMeasurement(float(np.mean(depths)) * 1000.0, float(np.mean(touching)))


def measure_psnr(scene: Scene, pixels: FramePixels, width: float, seed: int) -> float:
    """Peak signal-to-noise ratio (dB) of the rendered scene on pixels of the fitted frames that the fit did not draw in this order."""
    generator = torch.Generator().manual_seed(seed)
    numbers = np.random.default_rng((seed, 4711))
    grid = read_object_grid(scene)
    squared = []
    with torch.no_grad():
        for row in range(0, scene.frames.frame_count, max(scene.frames.frame_count // 8, 1)):
            batch = pixels.draw(np.array([row]), 1024, numbers)
            trace = render_rays(scene, grid, batch.row, batch.pixel, SamplingConfig(width, 24, 12), generator)
            squared.append(float(((trace.rendering.colour - batch.colour) ** 2).mean()))
    return float(-10.0 * np.log10(max(float(np.mean(squared)), 1e-10)))
