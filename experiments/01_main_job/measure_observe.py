"""CPU and wall seconds of every step of `hoifield observe` on one clip, and how often the clip is decoded.

Run: python experiments/01_main_job/measure_observe.py CLIP [--masks DIR] [--save DIR]. The first run on a machine also compiles the
kernels: run it twice. CPU seconds count all threads of the process and the programs it ran; a step's own seconds leave out the steps indented below it.
"""

import argparse
import functools
import importlib
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hoifield.cli.threads import use_threads
from hoifield.clip.open_clip import open_clip
from hoifield.observations.observations_folder import save_observations
from hoifield.pipelines.observe import ObserveConfig, observe_clip

STEPS = (
    "pipelines.observe.guess_camera",
    "pipelines.observe.track_hands",
    "observations.track_hands.track_keypoints",
    "observations.track_hands.fit_hand",
    "pipelines.observe.find_masks",
    "observations.find_masks.learn_appearance",
    "observations.find_masks.samples_of_masks",
    "observations.find_masks.samples_of_position",
    "observations.find_masks.see_clip",
    "observations.find_masks.samples_of_sights",
    "observations.find_masks._samples_of_labels",
    "observations.find_masks.fit_pixel_classifier",
    "observations.find_masks._judge_frame",
    "observations.find_masks._probability",
    "observations.find_masks.smooth_labels",
    "pipelines.observe.correct_hand_masks",
    "pipelines.observe.track_object",
    "observations.track_object.gather_clip_evidence",
    "observations.track_object.lock_to_hand",
    "observations.track_object.refine_poses",
    "observations.refine_silhouettes.carve_hull",
    "observations.refine_silhouettes.align_to_hull",
    "observations.refine_silhouettes.match_size",
    "observations.refine_silhouettes._held_out_agreement",
    "observations.track_object.gather_features",
    "observations.track_object.follow_rigid_grasp",
    "observations.rigid_grasp.run_motion_program",
    "observations.track_object.find_motion_poses",
    "observations.track_object._follow_motion",
    "observations.track_object.trim_unseen",
    "observations.track_object._align_rest",
    "pipelines.observe.hold_steady",
    "pipelines.observe.settle_depth",
    "pipelines.observe.drawn_agreement",
    "pipelines.observe.measure_sharpness",
    "pipelines.observe.assess_readiness",
)
"""Where each step is called from; nothing in the package is changed for this."""


def computed_s() -> float:
    """CPU seconds of this process and of the programs that it ran and that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


class Stopwatch:
    """Seconds by path of nested steps."""

    def __init__(self) -> None:
        self.path: tuple[str, ...] = ()
        self.spent: dict[tuple[str, ...], list[float]] = {}

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*values: Any, **named: Any) -> Any:
            outer, self.path = self.path, (*self.path, name)
            entry = self.spent.setdefault(self.path, [0.0, 0.0, 0])
            wall, cpu = time.perf_counter(), computed_s()
            try:
                return function(*values, **named)
            finally:
                entry[0] += computed_s() - cpu
                entry[1] += time.perf_counter() - wall
                entry[2] += 1
                self.path = outer

        return call

    def report(self) -> None:
        print(f"{'step':44s} {'calls':>6s} {'CPU s':>7s} {'own':>7s} {'wall s':>7s}")
        for path, (cpu, wall, calls) in self.spent.items():
            own = cpu - sum(inner[0] for other, inner in self.spent.items() if other[:-1] == path)
            print(f"{'  ' * (len(path) - 1) + path[-1]:44s} {calls:6d} {cpu:7.2f} {own:7.2f} {wall:7.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--masks", type=Path)
    parser.add_argument("--save", type=Path, help="folder for the observations, to compare two versions")
    arguments = parser.parse_args()
    use_threads()
    watch = Stopwatch()
    for step in STEPS:
        module_name, _, name = step.rpartition(".")
        module = importlib.import_module(f"hoifield.{module_name}")
        setattr(module, name, watch.timed(name, getattr(module, name)))
    streams = importlib.import_module("hoifield.clip.read_frames")
    passes: list[int] = []
    stream_video = streams._stream_video

    def counted(clip: Any, wanted: list[int], size: tuple[int, int]) -> Any:
        passes.append(wanted[-1] + 1 if wanted else 0)
        return stream_video(clip, wanted, size)

    streams._stream_video = counted
    clip = watch.timed("open_clip", open_clip)(arguments.clip)
    config = ObserveConfig(masks=arguments.masks)
    observations = watch.timed("observe_clip", observe_clip)(clip, config, 60, print)
    if arguments.save:
        watch.timed("save_observations", save_observations)(observations, arguments.save)
    watch.report()
    print(f"decoded {len(passes) + 1} times, {sum(passes) + clip.frame_count} frames of {clip.frame_count} in all")


if __name__ == "__main__":
    main()
