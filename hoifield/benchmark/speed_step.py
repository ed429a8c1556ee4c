"""A whole training step of a preset on a drawn clip: by back end, by part, its memory, and how it grows."""

import cProfile
import inspect
import pstats
import statistics
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from types import CodeType, FunctionType
from typing import Any

import torch

from hoifield.actors.skinned_model import SkinnedModel
from hoifield.benchmark.ball_on_hand import draw_ball_on_hand, sphere_mesh
from hoifield.benchmark.machine_limits import peak_memory_of
from hoifield.benchmark.paired_times import PairedTimes, Work, fit_exponent, seconds_of, time_pairs
from hoifield.fields.distance_field import DistanceField
from hoifield.fitting.adam import NamedAdam
from hoifield.fitting.frame_pixels import FramePixels, load_frame_pixels
from hoifield.fitting.held_surface import hold_surface
from hoifield.fitting.placement_evidence import gather_placement_evidence
from hoifield.fitting.refine_placement import refine_placement
from hoifield.fitting.run_field_stage import build_optimiser, read_object_grid, take_field_step
from hoifield.fitting.stage import FieldStage, PlacementStage
from hoifield.geometry.plain_reference import plain_reference
from hoifield.geometry.tensor_record import move_record
from hoifield.observations.observations import Observations
from hoifield.renderer.composite import composite_entities
from hoifield.renderer.place_torch import place_samples, turn_normals
from hoifield.renderer.render_rays import read_along
from hoifield.renderer.sample_rays import merge_samples, sample_rays
from hoifield.scene.actor_entity import ActorEntity
from hoifield.scene.initialise import SceneConfig, initialise_scene
from hoifield.scene.scene import Scene

SIZE = 256
"""Pixels a side of the drawn clip; a step costs the same at every size, since it draws a fixed number of rays."""
PARTS: tuple[tuple[str, Callable[..., Any]], ...] = (
    ("pixels drawn", FramePixels.draw),
    ("samples on rays", sample_rays),
    ("samples merged", merge_samples),
    ("grids read along rays", read_along),
    ("placing and turning", place_samples),
    ("placing and turning", turn_normals),
    ("object's field", DistanceField.query),
    ("object's colour", Scene.surface_colour),
    ("hand's surface", ActorEntity.surface),
    ("background", Scene.background_colour),
    ("compositing", composite_entities),
    ("backward", torch.Tensor.backward),
    ("gradients finite", NamedAdam.gradients_are_finite),
    ("Adam", NamedAdam.step),
)
"""What a step consists of. None of these calls another; what is left over is losses, poses and bookkeeping."""
REST = "losses and the rest"


@dataclass(frozen=True)
class StepMaterial:
    """A scene at the start of a fit, and the pixels it is fitted to. Steps change the scene: give each measurement its own (`copied`)."""

    scene: Scene
    pixels: FramePixels
    observations: Observations

    def copied(self) -> "StepMaterial":
        """The same with a scene of its own."""
        return replace(self, scene=deepcopy(self.scene))


@dataclass(frozen=True)
class GrowthSizes:
    """At which sizes growth is measured; the other sizes stay those of the stage."""

    rays: tuple[int, ...] = (256, 512, 1024, 2048, 4096)
    samples: tuple[int, ...] = (8, 16, 32, 64)
    frames: tuple[int, ...] = (8, 16, 32)
    grid_sides: tuple[int, ...] = (32, 64, 96)


@dataclass(frozen=True)
class Growth:
    """Seconds by the size of one thing, and the p of seconds = c size^p."""

    sizes: tuple[int, ...]
    seconds: tuple[float, ...]

    @property
    def exponent(self) -> float:
        """Least squares of logarithms."""
        return fit_exponent(self.sizes, self.seconds)


def build_material(model: SkinnedModel, frames: int, config: SceneConfig, device: torch.device, size: int = SIZE) -> StepMaterial:
    """A ball on an open hand in that many frames, with its first scene on the device."""
    drawn = draw_ball_on_hand(model, sphere_mesh(), frames, size)
    pixels = load_frame_pixels(drawn.clip, drawn.observations)
    scene = initialise_scene(drawn.observations, drawn.clip.time_s, pixels.camera, {"right": model}, config)
    return StepMaterial(scene.on(device), pixels, drawn.observations)


def field_steps(material: StepMaterial, stage: FieldStage) -> Work:
    """Steps from the middle of the stage on, one a call, exactly as the fit takes them; the scene moves."""
    optimiser, lookup = build_optimiser(material.scene, stage), read_object_grid(material.scene)
    step = stage.steps // 2

    def work() -> None:
        nonlocal step
        take_field_step(material.scene, stage, material.pixels, 0, optimiser, step, lookup)
        step += 1

    return work


def placement_steps(material: StepMaterial, stage: PlacementStage, steps: int = 3) -> Work:
    """`steps` placement steps a call."""
    evidence = move_record(gather_placement_evidence(material.observations, material.pixels, 0), material.scene.device)
    surface = hold_surface(material.scene, 0.0, 0)
    return lambda: refine_placement(material.scene, replace(stage, steps=steps), surface, evidence)


def time_field_steps(material: StepMaterial, stage: FieldStage, pairs: int) -> PairedTimes:
    """Steps with kernels and with their twins, in turns; both start from the same scene and draw the same pixels."""
    return time_pairs(field_steps(material.copied(), stage), field_steps(material.copied(), stage), pairs)


def time_placement_steps(material: StepMaterial, stage: PlacementStage, pairs: int) -> PairedTimes:
    """Likewise three placement steps."""
    return time_pairs(placement_steps(material.copied(), stage), placement_steps(material.copied(), stage), pairs)


def split_step(work: Work, steps: int) -> dict[str, float]:
    """Mean seconds of the parts of a step, and of what is left over, under a profiler (which adds a little to every call).

    Of the host: what a GPU still computes when a part returns is counted where its result is waited for.
    """
    work()
    profile = cProfile.Profile()
    with profile:
        for _ in range(steps):
            work()
    measured: Mapping[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    by_code = {key: entry[3] for key, entry in measured.items()}
    parts: dict[str, float] = {}
    for name, function in PARTS:
        parts[name] = parts.get(name, 0.0) + by_code.get(_key_of(function), 0.0) / steps
    whole = sum(entry[2] for entry in measured.values()) / steps
    return {**parts, REST: whole - sum(parts.values())}


def measure_step_memory(material: StepMaterial, stage: FieldStage) -> dict[str, int | None]:
    """Bytes that one step holds at most beyond what the scene holds, by back end."""
    found: dict[str, int | None] = {}
    for name, engine in (("default", nullcontext), ("reference", plain_reference)):
        work = field_steps(material.copied(), stage)
        with engine():  # type: ignore[operator]
            work()
            found[name] = peak_memory_of(work, material.scene.device)
    return found


def measure_growth(
    model: SkinnedModel, material: StepMaterial, config: SceneConfig, stage: FieldStage, sizes: GrowthSizes, rounds: int
) -> dict[str, Growth]:
    """How the time of a step grows with rays, samples and frames, that of the hand's volumes with frames, and that of a grid with its side."""
    wide = {count: build_material(model, count, replace(config, hull_steps=20), material.scene.device) for count in sizes.frames}
    few = replace(stage, frames_per_step=min(sizes.frames))
    volumes = {}
    for count, found in wide.items():
        (actor, poses), *_ = found.scene.hands()
        volumes[count] = partial(actor.build_volumes, poses)
    shape = material.scene.object_distance
    return {
        "step, by rays": time_growth({count: field_steps(material.copied(), replace(stage, rays=count)) for count in sizes.rays}, rounds),
        "step, by object samples on a ray": time_growth(
            {count: field_steps(material.copied(), replace(stage, object_samples=count)) for count in sizes.samples}, rounds
        ),
        "step, by fitted frames": time_growth({count: field_steps(found, few) for count, found in wide.items()}, rounds),
        "hand volumes, by fitted frames": time_growth(volumes, 1),
        "object's grid, by vertices a side": time_growth({side: partial(shape.as_grid, side) for side in sizes.grid_sides}, rounds),
    }


def time_growth(works: Mapping[int, Work], rounds: int) -> Growth:
    """Median seconds by size; the sizes take turns, so that a busy minute strikes them all."""
    seconds = [[seconds_of(work) for work in works.values()] for _ in range(rounds + 1)]
    return Growth(tuple(works), tuple(statistics.median(column) for column in zip(*seconds[1:], strict=True)))


def _key_of(function: Callable[..., Any]) -> tuple[str, int, str]:
    """How the profiler names a function."""
    inner = inspect.unwrap(function)
    assert isinstance(inner, FunctionType)
    code: CodeType = inner.__code__
    return code.co_filename, code.co_firstlineno, code.co_name
