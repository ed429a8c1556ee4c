"""The main job made small, for tests; as a program it kills itself in the middle of the last field stage."""

import json
import os
import signal
import sys
from pathlib import Path

import torch

from hoifield.fitting.stage import FieldLossWeights, FieldStage, PlacementStage
from hoifield.pipelines import fit_video as main_job
from hoifield.pipelines.fit_video import FitOutcome, FitVideoConfig, StepAnnounce, fit_video
from hoifield.pipelines.observe import ObserveConfig
from hoifield.pipelines.presets import EVERYTHING, Preset, PresetName
from hoifield.scene.initialise import SceneConfig

STEPS = 40


def build_tiny_preset(name: PresetName, seed: int) -> Preset:
    """The draft's four stages with few steps, frames and cells."""
    stages = (
        FieldStage("coarse", STEPS, EVERYTHING, rays=256, width_start=0.008, width_end=0.003),
        PlacementStage("placement", 10),
        FieldStage("final", STEPS, EVERYTHING, FieldLossWeights(gauge=0.02), rays=256, width_start=0.004, width_end=0.002),
        PlacementStage("touch", 10),
    )
    scene = SceneConfig(levels=4, table_size=2**12, finest_resolution=48, hand_volume_resolution=32, hull_steps=80, seed=seed)
    return Preset(name, 8, stages, scene, 40)


def run_tiny_fit(truth: Path, run: Path, announce_step: StepAnnounce, template: Path | None = None) -> FitOutcome:
    """Fits the clip of a truth folder with its camera and masks given, and with the object's shape where that is named."""
    written = json.loads((truth / "truth.json").read_text(encoding="utf-8"))
    focal, middle = written["focal_px"], written["recipe"]["size"] / 2
    observe = ObserveConfig(masks=truth / "masks", intrinsics=f"{focal},{focal},{middle},{middle}", template=template)
    return fit_video(truth / "clip.mp4", run, FitVideoConfig(observe), lambda line: None, announce_step)


def kill_in_the_final_stage(stage: str, done: int, steps: int) -> None:
    """As `kill -9` from outside, at a step that repeats."""
    if stage == "final" and done == STEPS // 2:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    torch.set_num_threads(1)
    setattr(main_job, "build_preset", build_tiny_preset)  # noqa: B010
    run_tiny_fit(Path(sys.argv[1]), Path(sys.argv[2]), kill_in_the_final_stage)
