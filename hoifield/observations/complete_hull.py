"""What few sides leave open, completed: the shape that a network imagines behind the silhouettes, as a bound of the hull."""

from dataclasses import replace

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8

from hoifield.geometry.isosurface import extract_isosurface
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.observations.evidence_volume import EvidenceVolume, choose_volume, gather_channels
from hoifield.observations.frame_masks import OBJECT
from hoifield.observations.visual_hull import CarveConfig, HullGrid, SilhouetteEvidence, carve_nodes
from hoifield.priors.completion_network import CLIPPED, CompletionNetwork
from hoifield.priors.completion_weights import load_completion

LET_OUT = 0.5
"""Nodes by which the imagined surface is let out: the network knows nothing finer than its nodes, and silhouettes cut what they rule out."""
BELIEVED = -0.25
"""Nodes: the distance that the likeliest place is given where something is shown that was not imagined."""
NEAR_PIXELS = 2.0
"""Up to which an outline is explained."""
MISSING = 0.4
"""Share of a node's sights on the object in which nothing that was imagined explains the pixel."""
LEAST_VOTES = 0.2
"""Share of the frames that must see a node on the object for it to be missed."""
MIRRORS: tuple[tuple[int, ...], ...] = ((), (1,), (2,), (1, 2))
"""Axes of the channels that are turned round."""
FINER = 0.75
"""Of a node of the network: the spacing of the grid that its answer is kept in."""


def imagine_shape(
    evidence: SilhouetteEvidence, poses: Float[np.ndarray, "frame 4 4"], hand: HullGrid | None, config: CarveConfig
) -> HullGrid | None:
    """Distances to the object that the network imagines, let out a little, object frame, metres; None where hardly anything is seen.

    `poses` are T_camera_object; `hand` holds distances to the hand in the object frame, where that is known.
    """
    volume = choose_volume(evidence, poses)
    if volume is None:
        return None
    channels = gather_channels(evidence, poses, volume, hand, config)
    said = ask_from_all_sides(load_completion(), channels)
    said = believe_the_shown(said, evidence, poses, volume, config)
    nodes, spacing = volume.nodes(), FINER * volume.spacing
    lower, upper = nodes.min(0), nodes.max(0)
    shape = np.ceil((upper - lower) / spacing).astype(int) + 1
    points = np.indices(shape).reshape(3, -1).T * spacing + lower
    distance = volume.spacing * np.minimum(volume.at(said, points) - LET_OUT, CLIPPED)
    return HullGrid(distance.reshape(shape), lower, spacing)


def ask_from_all_sides(network: CompletionNetwork, channels: Float[np.ndarray, "channel x y z"]) -> Float[np.ndarray, "x y z"]:
    """The network's mean answer, nodes, to the volume and its three mirrored images across the view: axes point either way by chance."""
    given = torch.from_numpy(channels)
    mirrored = torch.stack([given.flip(axes) if axes else given for axes in MIRRORS])
    with torch.no_grad():
        answers = network(mirrored)
    return torch.stack([answer.flip([axis - 1 for axis in axes]) if axes else answer for axes, answer in zip(MIRRORS, answers)]).mean(0).double().numpy()


def believe_the_shown(
    said: Float[np.ndarray, "x y z"], evidence: SilhouetteEvidence, poses: Float[np.ndarray, "frame 4 4"], volume: EvidenceVolume, config: CarveConfig
) -> Float[np.ndarray, "x y z"]:
    """Distances lowered where silhouettes show the object and what was imagined does not explain them: there, along the view, the nodes that
    the network thinks least unlikely are believed. A blade is thinner than its nodes, and a spout may be like none that was taught."""
    T_camera_volume = poses @ volume.T_object_volume
    field, votes = carve_nodes(evidence, T_camera_volume, volume.lower, volume.shape, volume.spacing, config)
    imagined = np.maximum(field, volume.spacing * (said - LET_OUT))
    if not (imagined < 0).any():
        return said
    mesh = extract_isosurface(imagined, volume.lower, volume.spacing)
    left = replace(evidence, labels=_unexplained(evidence, T_camera_volume, mesh))
    missing = carve_nodes(left, T_camera_volume, volume.lower, volume.shape, volume.spacing, config)[1]
    shown = (field < 0) & (missing > MISSING * np.maximum(votes, LEAST_VOTES * evidence.weight.sum()))
    least = np.where(shown, said, np.inf).min(2, keepdims=True)
    return np.where(shown, said - np.maximum(np.where(np.isfinite(least), least, 0.0) - BELIEVED, 0.0), said)


def _unexplained(evidence: SilhouetteEvidence, T_camera_mesh: Float[np.ndarray, "frame 4 4"], mesh: Mesh) -> UInt8[np.ndarray, "frame row column"]:
    """The object's pixels that a mesh does not cover, nor comes near to; all others are background."""
    labels = np.zeros_like(evidence.labels)
    height, width = labels.shape[1:]
    for index in np.flatnonzero(np.isfinite(T_camera_mesh).all((1, 2))):
        covered = np.isfinite(rasterise_mesh(mesh.moved(T_camera_mesh[index]).vertices, mesh.faces, evidence.camera.K, width, height)[0])
        beside = cv2.distanceTransform((~covered).astype(np.uint8), cv2.DIST_L2, 5)
        labels[index] = (evidence.labels[index] == OBJECT) & (beside > NEAR_PIXELS)
    return labels
