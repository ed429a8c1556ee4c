"""First shapes of short clips beside the truth: as silhouettes leave them, and with what the network imagines.

    python experiments/14_completion/measure_hulls.py TIER_FOLDER CLIP ...

TIER_FOLDER is the --out of `hoifield benchmark accuracy`, with clips/CLIP/truth and a clips/CLIP/fit whose observations are read. Under the
tracked poses and under the true ones: F10 (%) and CD (cm2) after rigid + scale ICP of the hull without what nobody saw (`trim_unseen`), and of
the hull inside of what is imagined, with and without being told of the hand.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from hoifield.clip.open_clip import open_clip
from hoifield.datasets.read_truth import read_truth
from hoifield.evaluation.align import align_surfaces
from hoifield.evaluation.shape_metrics import compare_surfaces
from hoifield.geometry.mesh import Mesh
from hoifield.observations.complete_hull import imagine_shape
from hoifield.observations.hand_locked_poses import object_radius, view_span
from hoifield.observations.observations_folder import load_observations
from hoifield.observations.refine_poses import carve_sized
from hoifield.observations.refine_silhouettes import gather_rays
from hoifield.observations.track_object import FARTHER, IMAGINED_FROM, RIGID_MARGIN, VOLUME_SPACING, gather_clip_evidence, holding_hand, pose_actor
from hoifield.observations.trim_hull import trim_unseen
from hoifield.observations.visual_hull import CarveConfig, HullGrid, SilhouetteEvidence, hull_mesh

CARVE = CarveConfig(background_share=0.05, hand_margin=RIGID_MARGIN)
FRAMES = 60


def describe(hull: HullGrid | None, truth: Mesh) -> str:
    """F10 and CD."""
    if hull is None:
        return "nothing"
    mesh = hull_mesh(hull)
    found = compare_surfaces(align_surfaces(mesh, truth, True, 0).apply_to_mesh(mesh), truth, np.random.default_rng(0))
    return f"{found.f_score_pct(0.01):.1f} {found.chamfer_squared_cm2:.2f}"


def measure(name: str, evidence: SilhouetteEvidence, poses, hand: HullGrid, truth: Mesh) -> None:
    """One line."""
    radius, rays = FARTHER * object_radius(evidence, poses), gather_rays(evidence, 0)
    known = replace(evidence, hand_volume=hand)
    alone = carve_sized(known, poses, radius, CARVE, rays)
    scores = {"silhouettes": describe(None if alone is None else trim_unseen(alone, known, poses), truth)}
    for told, volume in (("imagined", hand), ("not told of the hand", None)):
        shape = imagine_shape(known, poses, volume, IMAGINED_FROM)
        scores[told] = describe(carve_sized(replace(known, imagined=shape), poses, radius, CARVE, rays), truth)
    print(f"{name}, {view_span(poses):.0f} degrees: " + "; ".join(f"{what} {score}" for what, score in scores.items()), flush=True)


def main() -> None:
    for clip_name in sys.argv[2:]:
        folder = Path(sys.argv[1]) / "clips" / clip_name
        clip, truth = open_clip(folder / "truth" / "clip.mp4"), read_truth(folder / "truth").result
        found = load_observations(sorted((folder / "fit" / "stages" / "observe").glob("*"))[-1])
        hand, track = holding_hand(found.hands, found.masks), found.object_track
        actor = pose_actor(hand)
        frames = np.flatnonzero(np.isfinite(track.T_camera_object).all((1, 2)) & hand.posed & np.isfinite(truth.T_camera_object).all((1, 2)))
        frames = frames[np.unique(np.linspace(0, len(frames) - 1, min(len(frames), FRAMES)).round().astype(int))]
        evidence = gather_clip_evidence(clip, found.camera, actor, found.masks, frames)
        middle = frames[len(frames) // 2]
        for name, poses in (("tracked", track.T_camera_object), ("true", truth.T_camera_object)):
            pose = poses[middle]
            posed = Mesh((actor.vertices[middle].astype(float) - pose[:3, 3]) @ pose[:3, :3], actor.faces)
            measure(f"{clip_name} {name}", evidence, poses[frames], HullGrid.of_mesh(posed, VOLUME_SPACING, 3), truth.object_mesh)


if __name__ == "__main__":
    main()
