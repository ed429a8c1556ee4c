"""How far object and hand are from the truth after each stage of a fit, and what the result scores; observations as a benchmark left them.

    python experiments/10_placement/measure_stages.py TIER_FOLDER CLIP ...

TIER_FOLDER is the --out of `hoifield benchmark accuracy`, with clips/CLIP/truth and a finished clips/CLIP/fit, whose observations are fitted
again with the draft preset. Medians over the fitted frames, after one constant alignment of the object's frame: degrees (90th percentile in
brackets) of the object, and the hand's joints relative to its wrist, mm; seconds of processor time.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import assert_never

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from hoifield.actors.choose_actor import load_actor
from hoifield.clip.open_clip import open_clip
from hoifield.datasets.read_truth import read_truth
from hoifield.evaluation.evaluate import evaluate
from hoifield.fitting.frame_pixels import load_frame_pixels
from hoifield.fitting.held_surface import hold_surface
from hoifield.fitting.placement_evidence import gather_placement_evidence
from hoifield.fitting.refine_placement import refine_placement
from hoifield.fitting.run_field_stage import build_optimiser, run_field_stage
from hoifield.fitting.run_stages import rebuild_hand_volumes
from hoifield.fitting.stage import FieldStage, PlacementStage, last_width
from hoifield.observations.observations_folder import load_observations
from hoifield.pipelines.presets import build_preset, preset_for
from hoifield.result.collect_result import collect_result
from hoifield.result.fit_result import FitResult
from hoifield.scene.initialise import initialise_scene
from hoifield.scene.scene import Scene

SCORES = (
    "f10_icp_pct", "f5_seen_pct", "cd_icp_cm2", "pose_rot_deg", "mpjpe_ra_mm", "cd_hand_cm2", "penetration_cm3", "contact_f1", "mask_iou_object",
    "mask_iou_hand",
)  # fmt: skip


def describe(scene: Scene, truth: FitResult, frames: np.ndarray) -> str:
    """One line: how far poses are off."""
    T, true = scene.frames.T_camera_object().detach().double().numpy(), truth.T_camera_object[frames]
    aligned = T[:, :3, :3] @ Rotation.from_matrix(T[:, :3, :3].transpose(0, 2, 1) @ true[:, :3, :3]).mean().as_matrix()
    turn = np.degrees(Rotation.from_matrix(aligned @ true[:, :3, :3].transpose(0, 2, 1)).magnitude())
    actor, poses = scene.hands()[0]
    with torch.no_grad():
        joints = actor.model.pose(poses.shape(), poses.pose(), poses.T_camera_hand()).keypoints.numpy()
    known = truth.hands[0].joints[frames]
    off = np.linalg.norm((joints - joints[:, :1]) - (known - known[:, :1]), axis=-1).mean(-1) * 1000
    return f"object {np.median(turn):5.2f} deg ({np.percentile(turn, 90):5.2f}), joints {np.median(off):5.2f} mm"


def measure(folder: Path) -> None:
    clip, truth = open_clip(folder / "truth" / "clip.mp4"), read_truth(folder / "truth")
    observations = load_observations(sorted((folder / "fit" / "stages" / "observe").glob("*"))[-1])
    preset = preset_for(build_preset("draft", 0), observations)
    stages = preset.stages
    torch.manual_seed(0)
    actors = {hand.side: load_actor("anny", hand.side) for hand in observations.hands}
    pixels = load_frame_pixels(clip, observations)
    scene = initialise_scene(observations, clip.time_s, pixels.camera, actors, preset.scene)
    print(f"{folder.name}: observed {describe(scene, truth.result, observations.fit_frames)}", flush=True)
    for number, stage in enumerate(stages):
        started = time.process_time()
        match stage:
            case FieldStage():
                run_field_stage(scene, stage, pixels, number, build_optimiser(scene, stage), 0, lambda report, at_cache: None)
            case PlacementStage():
                surface = hold_surface(scene, last_width(stages[:number]), 0)
                refine_placement(scene, stage, surface, gather_placement_evidence(observations, pixels, 0))
                rebuild_hand_volumes(scene)
            case _:
                assert_never(stage)
        print(f"  {stage.name:10s} {describe(scene, truth.result, observations.fit_frames)} [{time.process_time() - started:.0f} s]", flush=True)
    result = collect_result(scene, observations, clip, actors, preset.mesh_resolution, last_width(stages))
    measured = evaluate(replace(result, summary=truth.result.summary), folder / "truth").measured()
    print("  " + ", ".join(f"{name} {measured[name]:.3g}" for name in SCORES), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tier", type=Path)
    parser.add_argument("clips", nargs="+")
    options = parser.parse_args()
    for clip in options.clips:
        measure(options.tier / "clips" / clip)


if __name__ == "__main__":
    main()
