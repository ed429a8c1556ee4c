"""How far the placement stage brings spoilt object poses back, the shape being known.

    python experiments/10_placement/measure_recovery.py TRUTH ... [--seeds 50] [--frames 16] [--degrees 5] [--millimetres 5] [--without TERM ...]

TRUTH are truth folders of generated clips. True masks, hands, keypoints and shape are given; each frame's object pose is turned by DEGREES
about a random axis and moved by MILLIMETRES in a random direction: the same in all frames ("shared"), or in each frame its own ("alone").
Then the draft's placement stage runs, with twice its steps. A line a clip and kind: medians over seeds of the median over frames, before and
after, the 90th percentile over seeds, and the share of seeds below 1.5 mm and 1.5 degrees. --without silences terms of the stage.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from hoifield.actors.choose_actor import load_actor
from hoifield.benchmark.true_observations import observe_truth
from hoifield.clip.clip import Clip
from hoifield.clip.open_clip import open_clip
from hoifield.datasets.read_truth import read_truth
from hoifield.datasets.truth import Truth
from hoifield.fitting.frame_pixels import FramePixels, load_frame_pixels
from hoifield.fitting.held_surface import HeldSurface, surface_of_grid
from hoifield.fitting.placement_evidence import gather_placement_evidence
from hoifield.fitting.refine_placement import refine_placement
from hoifield.fitting.stage import PlacementStage
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.observations import Observations
from hoifield.pipelines.presets import build_preset
from hoifield.renderer.cached_distance import CachedDistance
from hoifield.scene.initialise import SceneConfig, initialise_scene

CELLS = 112
AROUND = 0.015
"""Metres of the grid beyond the object."""


@dataclass(frozen=True)
class KnownClip:
    """A generated clip with what perfect eyes see of it."""

    clip: Clip
    truth: Truth
    observations: Observations
    pixels: FramePixels
    surface: HeldSurface


def know(folder: Path, frames: int) -> KnownClip:
    """The clip, its exact observations with the true hands, and its true surface on a grid."""
    clip, truth = open_clip(folder / "clip.mp4"), read_truth(folder)
    observed = observe_truth(clip, truth, frames)
    hands = []
    for hand in truth.result.hands:
        known = np.isfinite(hand.T_camera_hand).all((1, 2))
        projected = hand.joints @ truth.result.K[0].T
        hands.append(
            HandTrack(
                hand.side, "anny", known, projected[..., :2] / projected[..., 2:], np.zeros(len(known)), known.astype(float),
                hand.T_camera_hand, hand.pose, hand.shape, np.zeros((21, 3)),
            )
        )  # fmt: skip
    observed = replace(observed, hands=tuple(hands))
    return KnownClip(clip, truth, observed, load_frame_pixels(clip, observed), surface_of_grid(distance_grid(truth.result.object_mesh), 0))


def distance_grid(mesh: Mesh) -> CachedDistance:
    """The exact signed distance of a mesh, CELLS along its longest side."""
    lower, upper = mesh.vertices.min(0) - AROUND, mesh.vertices.max(0) + AROUND
    spacing = float((upper - lower).max()) / CELLS
    axes = [low + spacing * np.arange(int(np.ceil((high - low) / spacing)) + 1) for low, high in zip(lower, upper)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    distance = MeshDistance(mesh.vertices, mesh.faces).closest(points.reshape(-1, 3)).signed_distance.reshape(points.shape[:3])
    return CachedDistance(torch.tensor(distance, dtype=torch.float32), torch.tensor(lower, dtype=torch.float32), spacing)


@dataclass(frozen=True)
class Spoiling:
    """How far every pose is off."""

    degrees: float
    metres: float
    alone: bool
    """Whether each frame is off in a direction of its own."""


def spoil(T: np.ndarray, spoiling: Spoiling, seed: int) -> np.ndarray:
    """Every pose turned about its own origin and moved by exactly so much, in directions of its own or in the same one."""
    drawn = np.random.default_rng(seed).normal(size=(len(T) if spoiling.alone else 1, 2, 3))
    drawn = np.broadcast_to(drawn / np.linalg.norm(drawn, axis=-1, keepdims=True), (len(T), 2, 3))
    spoilt = T.copy()
    spoilt[:, :3, :3] = Rotation.from_rotvec(np.radians(spoiling.degrees) * drawn[:, 0]).as_matrix() @ T[:, :3, :3]
    spoilt[:, :3, 3] += spoiling.metres * drawn[:, 1]
    return spoilt


def errors(T: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Medians over frames: degrees, and millimetres of the object's origin."""
    turn = Rotation.from_matrix(T[:, :3, :3] @ true[:, :3, :3].transpose(0, 2, 1)).magnitude()
    return float(np.degrees(np.median(turn))), float(1000 * np.median(np.linalg.norm(T[:, :3, 3] - true[:, :3, 3], axis=1)))


def recover(known: KnownClip, stage: PlacementStage, spoiling: Spoiling, seed: int) -> tuple[float, float, float, float]:
    """Degrees and millimetres off, before and after the stage."""
    track = known.observations.object_track
    assert track is not None
    observed = replace(known.observations, object_track=replace(track, T_camera_object=spoil(track.T_camera_object, spoiling, seed)))
    actors = {hand.side: load_actor("anny", hand.side) for hand in observed.hands}
    scene = initialise_scene(observed, known.clip.time_s, known.pixels.camera, actors, SceneConfig(hull_steps=1))
    true = known.truth.result.T_camera_object[observed.fit_frames]
    before = errors(scene.frames.T_camera_object().detach().double().numpy(), true)
    refine_placement(scene, stage, known.surface, gather_placement_evidence(observed, known.pixels, seed))
    return *before, *errors(scene.frames.T_camera_object().detach().double().numpy(), true)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("truth", nargs="+", type=Path)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--degrees", type=float, default=5.0)
    parser.add_argument("--millimetres", type=float, default=5.0)
    parser.add_argument("--without", nargs="*", default=[])
    options = parser.parse_args()
    stage = next(stage for stage in build_preset("draft", 0).stages if isinstance(stage, PlacementStage))
    stage = replace(stage, steps=2 * stage.steps, **dict.fromkeys(options.without, 0.0))
    for folder in options.truth:
        known = know(folder, options.frames)
        for kind in ("shared", "alone"):
            spoiling = Spoiling(options.degrees, options.millimetres / 1000, kind == "alone")
            table = np.array([recover(known, stage, spoiling, seed) for seed in range(options.seeds)])
            middle, high = np.median(table, axis=0), np.percentile(table, 90, axis=0)
            good = ((table[:, 2] < 1.5) & (table[:, 3] < 1.5)).mean()
            print(
                f"{folder.parent.name:26s} {kind:6s} {middle[0]:.2f} deg {middle[1]:.2f} mm -> {middle[2]:.2f} deg {middle[3]:.2f} mm"
                f" (90th {high[2]:.2f} {high[3]:.2f}), below 1.5 and 1.5: {good:.0%} of {len(table)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
