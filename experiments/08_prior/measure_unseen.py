"""What the geometry prior does to the sides that a clip never shows, when camera, masks, poses and hand are the truth's.

    python experiments/08_prior/measure_unseen.py TRUTH ... [--weights FILE] [--category WORD] [--weight W] [--skip-without] [--out FOLDER]

TRUTH are folders of `hoifield synth --truth full`; the benchmark's everyday clips show their objects under 60 degrees. Two lines a clip,
without and with the prior: squared distances (cm^2, both directions summed) of seen and of unseen surface, F10, CD, seconds of the fit. The
fit is the draft's two field stages, shortened, with every pose held. --category names every object so, in place of its own family; --out keeps
pictures of the meshes. The last lines are medians of the ratios.
"""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from hoifield.actors.choose_actor import load_actor
from hoifield.benchmark.true_observations import observe_truth
from hoifield.clip.open_clip import open_clip
from hoifield.datasets.read_truth import read_truth
from hoifield.evaluation.evaluate import evaluate_shape
from hoifield.fitting.imagined_views import Imagination
from hoifield.fitting.stage import FieldStage
from hoifield.observations.hand_track import HandTrack
from hoifield.pipelines.fit_observations import RunListener, fit_observations
from hoifield.pipelines.presets import Preset, build_preset
from hoifield.priors.geometry_network import category_of
from hoifield.priors.geometry_prior import load_geometry_prior, read_geometry_prior
from hoifield.report.turntable import render_turntable
from hoifield.result.fit_result import FitResult, HandResult
from hoifield.runlog.run_folder import RunFolder
from hoifield.runlog.stop_request import StopRequest

NAMES = ("cd_seen_cm2", "cd_unseen_cm2", "f10_icp_pct", "cd_icp_cm2")
STEPS = {"coarse": 300, "final": 500}


def track_of_truth(hand: HandResult, K: np.ndarray) -> HandTrack:
    """The true hand as if it had been observed without error."""
    projected = hand.joints @ K.transpose(0, 2, 1)
    there, frames = np.isfinite(hand.T_camera_hand).all((1, 2)), len(hand.pose)
    keypoints = projected[..., :2] / projected[..., 2:]
    pose = hand.T_camera_hand, hand.pose, hand.shape
    return HandTrack(hand.side, hand.actor, there, keypoints, np.zeros(frames), there.astype(float), *pose, np.zeros((21, 3)))


def held_poses(preset: Preset, weight: float | None) -> Preset:
    """The preset's field stages, shortened, with poses held, and the prior at that weight."""
    stages = []
    for stage in preset.stages:
        if isinstance(stage, FieldStage):
            weights = stage.weights if weight is None else replace(stage.weights, imagined=weight)
            stages.append(replace(stage, steps=STEPS[stage.name], free=("object_shape", "object_colour", "background", "hand_surface"), weights=weights))
    return replace(preset, stages=tuple(stages))


def measure(truth_folder: Path, imagination: Imagination | None, weight: float | None, picture: Path | None) -> dict[str, float]:
    """Scores and seconds of one fit."""
    clip, truth = open_clip(truth_folder / "clip.mp4"), read_truth(truth_folder)
    preset = held_poses(build_preset("draft", 0), weight)
    observations = observe_truth(clip, truth, preset.most_frames)
    hands = tuple(track_of_truth(hand, truth.result.K) for hand in truth.result.hands)
    observations = replace(observations, hands=hands)
    actors = {hand.side: load_actor("anny", hand.side) for hand in hands}
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch, RunFolder.open(Path(scratch) / "run", {"of": "08_prior"}) as run, StopRequest() as stop:
        listener = RunListener(run, preset.stages, stop, lambda *_: None)
        fitted, _ = fit_observations(run, clip, observations, actors, preset, listener, imagination)
    seconds = time.monotonic() - started
    result: FitResult = replace(truth.result, object_mesh=fitted.object_mesh)
    if picture is not None:
        picture.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(picture), render_turntable(result.object_mesh, clay=True)[..., ::-1])
    measured = evaluate_shape(result, truth_folder).measured()
    return {**{name: measured[name] for name in NAMES if name in measured}, "seconds": seconds}


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("truth", type=Path, nargs="+")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--category")
    parser.add_argument("--weight", type=float)
    parser.add_argument("--skip-without", action="store_true")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    prior = load_geometry_prior() if arguments.weights is None else read_geometry_prior(arguments.weights)
    ratios: dict[str, list[float]] = {name: [] for name in (*NAMES, "seconds")}
    print(f"{'clip':30s} {'prior':10s} " + " ".join(f"{name:>13s}" for name in (*NAMES, "seconds")))
    for folder in arguments.truth:
        name = folder.parent.name if folder.name == "truth" else folder.name
        family = arguments.category or json.loads((folder / "truth.json").read_text())["recipe"]["object"]
        rows = []
        asked: tuple[Imagination | None, ...] = (None, Imagination(prior, category_of(family)))
        for imagination in asked[1:] if arguments.skip_without else asked:
            word = "without" if imagination is None else imagination.category
            found = measure(folder, imagination, arguments.weight, None if arguments.out is None else arguments.out / f"{name}-{word}.png")
            print(f"{name:30s} {word:10s} " + " ".join(f"{found.get(key, float('nan')):13.4f}" for key in (*NAMES, "seconds")), flush=True)
            rows.append(found)
        for key, values in ratios.items():
            if len(rows) == 2 and all(key in row for row in rows):
                values.append(rows[1][key] / rows[0][key])
    for key, values in ratios.items():
        if values:
            better = f"not worse in {sum(value <= 1 for value in values)} of {len(values)}"
            print(f"{key}: with / without, median {np.median(values):.3f}, worst {max(values):.3f}, {better}")


if __name__ == "__main__":
    main()
