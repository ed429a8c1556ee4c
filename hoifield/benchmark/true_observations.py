"""What perfect eyes would see of a generated clip: the true camera, masks and object poses. For anchors, never for a fit."""

import numpy as np
from jaxtyping import Int, UInt16

from hoifield.clip.clip import Clip
from hoifield.datasets.truth import Truth
from hoifield.errors import RefusedInput
from hoifield.geometry.cameras import Camera
from hoifield.observations.frame_masks import OBJECT, FrameMasks, MaskSource
from hoifield.observations.hand_locked_poses import object_reach
from hoifield.observations.object_track import ObjectTrack, PoseSource
from hoifield.observations.observations import Observations, Readiness
from hoifield.observations.visual_hull import CarveConfig, carve_hull, gather_evidence, hand_depth_maps, hull_mesh
from hoifield.result.fit_result import FitResult

EXACT_CARVING = CarveConfig(background_share=0.0, hand_margin=0.0, resolution=128)
"""Every silhouette and every hand is right: one frame of background removes a point, and so does one in which it would hide the hand."""
FARTHEST_REACH = 1.3
"""Of the farthest reach that any frame shows: an object may point at the camera in all of them."""
LEAST_PIXELS = 12
"""Pixels of the object that make a frame worth fitting."""


def observe_truth(clip: Clip, truth: Truth, most_frames: int) -> Observations:
    """Observations without error: hull, poses and masks of the truth; at most `most_frames` frames, spread evenly, to fit.

    No hand is in them, since a fit could only spoil it: what hands hide is unknown, and where they are tells the hull alone.
    Raises RefusedInput (HF-BEN-003) for a truth without masks or without a frame that shows the object.
    """
    if truth.read_labels is None:
        raise RefusedInput("HF-BEN-003", "the truth holds no masks", "make the clip again with `hoifield synth`")
    result = truth.result
    found = [truth.read_labels(int(frame)) for frame in result.frame_index]
    labels = np.stack([np.zeros((clip.height, clip.width), np.uint8) if picture is None else picture for picture in found])
    shown = np.flatnonzero(((labels == OBJECT).sum((1, 2)) >= LEAST_PIXELS) & np.isfinite(result.T_camera_object).all((1, 2)))
    if not len(shown):
        raise RefusedInput("HF-BEN-003", "no frame of the truth shows the object", "make the clip again with `hoifield synth`")
    camera = Camera(result.K[0], clip.width, clip.height)
    trusted = np.ones(len(labels))
    evidence = gather_evidence(labels, shown.astype(np.int16), trusted, camera, None, _hand_depth(result, shown, camera))
    poses = result.T_camera_object[shown]
    hull = carve_hull(evidence, poses, FARTHEST_REACH * float(object_reach(evidence, poses).max()), EXACT_CARVING)
    if hull is None:
        raise RefusedInput("HF-BEN-003", f"the {len(shown)} true masks enclose nothing", "make the clip again with `hoifield synth`")
    source: tuple[PoseSource, ...] = tuple("motion" for _ in labels)
    given: tuple[MaskSource, ...] = tuple("given" for _ in labels)
    track = ObjectTrack(result.T_camera_object, trusted, source, hull_mesh(hull), trusted)
    chosen = shown[np.unique(np.linspace(0, len(shown) - 1, min(most_frames, len(shown))).round().astype(int))]
    masks = FrameMasks(labels, trusted, trusted, given)
    return Observations(camera, "given", chosen, trusted, (), masks, track, Readiness("fit", (), {}))


def _hand_depth(result: FitResult, frames: Int[np.ndarray, "chosen"], camera: Camera) -> UInt16[np.ndarray, "chosen height width"]:
    """Millimetres to the nearest true hand, 0 where none is."""
    depth = np.zeros((len(frames), camera.height, camera.width), np.uint16)
    for hand in result.hands:
        own = hand_depth_maps(hand.vertices[frames].astype(np.float64), hand.faces, camera)
        depth = np.where((depth == 0) | ((own > 0) & (own < depth)), own, depth)
    return depth
