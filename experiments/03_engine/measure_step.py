"""What one training step and one placement step of the draft fit cost, part by part, and each kernel beside its readable twin.

    python experiments/03_engine/measure_step.py CLIP RUN [--steps 20]

RUN is a run folder of that clip with its observations (`hoifield observe` or `fit` makes one). All figures are medians of one process, in
milliseconds: processor time of the process on one thread, and clock time on one and on two threads.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import hoifield  # noqa: F401  (before torch: it sets how threads wait)

# isort: split
import numpy as np
import torch

from hoifield.actors.choose_actor import load_actor
from hoifield.clip.open_clip import open_clip
from hoifield.fields import distance_numba, encode_numba
from hoifield.fields.distance_field import DistanceField
from hoifield.fitting import refine_placement as placement
from hoifield.fitting import run_field_stage as field_stage
from hoifield.fitting.adam import NamedAdam
from hoifield.fitting.frame_pixels import FramePixels, load_frame_pixels
from hoifield.fitting.placement_evidence import gather_placement_evidence
from hoifield.fitting.stage import FieldStage, PlacementStage
from hoifield.observations.observations_folder import load_observations
from hoifield.pipelines.presets import build_preset
from hoifield.renderer import composite, march_numba, place_torch, render_rays, sample_rays
from hoifield.renderer.march_torch import march_torch
from hoifield.scene.initialise import initialise_scene
from hoifield.scene.scene import Scene

PARTS: tuple[tuple[str, Any, str], ...] = (
    ("pixels drawn", field_stage, "_draw"),
    ("samples on rays", render_rays, "_sample_union"),
    ("  march kernel", sample_rays, "march_numba"),
    ("object queried", render_rays, "_query_object"),
    ("  field forward kernel", distance_numba, "_forward"),
    ("hand queried", render_rays, "_query_hand"),
    ("background", Scene, "background_colour"),
    ("compositing", render_rays, "composite_entities"),
    ("backward, whole", torch.Tensor, "backward"),
    ("  field backward kernel", distance_numba, "_backward"),
    ("  field scatter kernel", distance_numba, "_scatter"),
    ("  other encodings' scatter", encode_numba, "_backward_table"),
    ("Adam", NamedAdam, "step"),
    ("gradients finite", NamedAdam, "gradients_are_finite"),
)


@contextmanager
def timed(parts: tuple[tuple[str, Any, str], ...], spent: dict[str, float]):  # type: ignore[no-untyped-def]
    """Adds the processor seconds of the named functions to `spent` while the block runs."""
    originals = [(owner, name, getattr(owner, name)) for _, owner, name in parts]

    def wrapped(label: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **named: Any) -> Any:
            started = time.process_time()
            result = function(*given, **named)
            spent[label] = spent.get(label, 0.0) + time.process_time() - started
            return result

        return run

    for (label, owner, name), (_, _, function) in zip(parts, originals, strict=True):
        setattr(owner, name, wrapped(label, function))
    try:
        yield
    finally:
        for owner, name, function in originals:
            setattr(owner, name, function)


class EnoughError(Exception):
    """All steps to be measured are done."""


def field_steps(scene: Scene, stage: FieldStage, pixels: FramePixels, first: int, count: int) -> tuple[list[float], list[float], dict[str, float]]:
    """Clock and processor seconds of `count` steps from step `first` on, after three to warm up; and mean seconds of the parts."""
    clock, processor, spent, marks = [], [], {}, []

    def after_step(*_: Any) -> None:
        marks.append((time.perf_counter(), time.process_time()))
        if len(marks) == 3:
            spent.clear()
        if len(marks) > 3:
            clock.append(marks[-1][0] - marks[-2][0])
            processor.append(marks[-1][1] - marks[-2][1])
        if len(marks) == 3 + count:
            raise EnoughError

    with timed(PARTS, spent):
        try:
            field_stage.run_field_stage(scene, stage, pixels, 0, field_stage.build_optimiser(scene, stage), first, after_step)
        except EnoughError:
            pass
    return clock, processor, {label: seconds / count for label, seconds in spent.items()}


def median_time(run: Callable[[], Any], count: int) -> float:
    """Median processor seconds of a call."""
    run()
    times = []
    for _ in range(count):
        started = time.process_time()
        run()
        times.append(time.process_time() - started)
    return statistics.median(times)


def kernel_pairs(scene: Scene, rays: int = 1024, samples: int = 24) -> list[tuple[str, Callable[[], Any], Callable[[], Any]]]:
    """(name, kernel, twin) of forward and backward together, on random material of the size of a step."""
    generator = torch.Generator().manual_seed(0)
    field, near = scene.object_distance, 10 * rays
    points = field.lower + torch.rand(near, 3, generator=generator) * (field.upper - field.lower)

    def query(backend: str) -> None:
        field.backend = backend  # type: ignore[assignment]
        given = points.clone().requires_grad_()
        sample = DistanceField.query(field, given)
        (sample.signed_distance.sum() + sample.gradient.square().sum() + sample.feature.sum()).backward()
        field.backend = "auto"

    slot = torch.arange(rays * samples * 2).reshape(rays, samples, 2)
    distance = torch.randn(slot.numel(), generator=generator) * 0.005
    colour, behind = torch.rand(slot.numel(), 3, generator=generator), torch.rand(rays, 3, generator=generator)
    intervals = torch.rand(rays, samples, generator=generator) * 0.004

    def blend(engine: Callable[..., composite.CompositeColours]) -> None:
        found = engine(distance.clone().requires_grad_(), colour.clone().requires_grad_(), slot, behind, intervals, 0.002)
        (found.colour.sum() + found.alone_colour.square().sum() + found.alone_opacity.sum() + found.entity_weight[:, 0].sum()).backward()

    ray = torch.arange(rays).repeat_interleave(10)
    T, directions = torch.eye(4).repeat(rays, 1, 1), torch.nn.functional.normalize(torch.randn(rays, 3, generator=generator), dim=-1)

    def turn(place: Callable[..., torch.Tensor], normals: Callable[..., torch.Tensor]) -> None:
        moved, gradient = T.clone().requires_grad_(), points.clone().requires_grad_()
        (place(moved, directions, torch.ones(len(ray)), ray).square().sum() + normals(gradient, moved, ray)[:, 0].sum()).backward()

    grid = render_rays.CachedDistances.of_one(field_stage.read_object_grid(scene))
    origins = field.bounds_center - directions * 3 * field.bounds_half_size
    near_end, far_end = torch.full((rays,), 2.0 * field.bounds_half_size), torch.full((rays,), 4.0 * field.bounds_half_size)
    uniform, row, out = torch.rand(rays, 16, generator=generator), torch.zeros(rays, dtype=torch.int64), torch.empty(rays, 16)
    arrays = [tensor.contiguous().numpy() for tensor in (origins, directions, near_end, far_end, grid.values, row, grid.lower, grid.spacing)]
    return [
        ("distance field", lambda: query("numba"), lambda: query("torch")),
        ("compositing", lambda: blend(composite.composite_entities), lambda: blend(composite.composite_entities_torch)),
        (
            "placing and turning",
            lambda: turn(place_torch.place_samples, place_torch.turn_normals),
            lambda: turn(place_torch.place_samples_torch, place_torch.turn_normals_torch),
        ),
        (
            "march",
            lambda: march_numba.march_numba(*arrays, 0.002, uniform.numpy(), out.numpy()),
            lambda: march_torch(origins, directions, near_end, far_end, grid, row, 0.002, uniform),
        ),
    ]


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--steps", type=int, default=20)
    given = parser.parse_args()
    clip, preset = open_clip(given.clip), build_preset("draft", 0)
    observations = load_observations(next((given.run / "stages" / "observe").glob("*")))
    pixels = load_frame_pixels(clip, observations)
    actors = {hand.side: load_actor("auto", hand.side) for hand in observations.hands}
    torch.set_num_threads(1)
    scene = initialise_scene(observations, clip.time_s, pixels.camera, actors, preset.scene)
    write = sys.stdout.write
    for stage, first in ((preset.stages[0], 10), (preset.stages[2], 1003)):
        assert isinstance(stage, FieldStage)
        _, processor, parts = field_steps(scene, stage, pixels, first, given.steps)
        write(f"{stage.name}, from step {first}: {1e3 * np.median(processor):.1f} ms of processor time a step on one thread\n")
        for label, _, _ in PARTS:
            write(f"    {label:28s} {1e3 * parts.get(label, 0.0):6.2f}\n")
        for threads in (1, 2):
            torch.set_num_threads(threads)
            clock, _, _ = field_steps(scene, stage, pixels, first, given.steps)
            write(f"    clock, {threads} thread(s)           {1e3 * np.median(clock):6.1f}\n")
        torch.set_num_threads(1)
    evidence = gather_placement_evidence(observations, pixels, 0)
    grid = field_stage.read_object_grid(scene)
    touch = preset.stages[1]
    assert isinstance(touch, PlacementStage)
    poses = median_time(lambda: placement.refine_placement(scene, replace(touch, steps=5), grid, evidence), 3) / 5
    write(f"placement: {1e3 * poses:.1f} ms of processor time a step\n")
    for name, kernel, twin in kernel_pairs(scene):
        fast, slow = median_time(kernel, 7), median_time(twin, 7)
        write(f"{name:22s} kernel {1e3 * fast:6.2f} ms, twin {1e3 * slow:7.2f} ms: {slow / fast:.1f} times\n")


if __name__ == "__main__":
    main()
