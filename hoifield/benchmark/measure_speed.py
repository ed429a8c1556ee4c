"""Kernels and a training step by back end, in one run: what `hoifield benchmark speed` measures."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, assert_never

import torch

from hoifield.actors.choose_actor import load_actor
from hoifield.benchmark.machine_limits import MachineLimits, load_average, measure_limits, processor_name
from hoifield.benchmark.paired_times import PairedTimes, time_pairs
from hoifield.benchmark.speed_kernels import WIDE_LAYOUT, EncodeCost, count_encode, encode_work, time_kernels
from hoifield.benchmark.speed_step import (
    Growth,
    GrowthSizes,
    build_material,
    field_steps,
    measure_growth,
    measure_step_memory,
    split_step,
    time_field_steps,
    time_placement_steps,
)
from hoifield.fields.hash_grid_layout import HashGridLayout
from hoifield.fitting.stage import FieldStage, PlacementStage
from hoifield.pipelines.choose_device import choose_device
from hoifield.pipelines.presets import Preset, build_preset
from hoifield.runlog.provenance import package_versions

SCHEMA = "hoifield.speed/1"


@dataclass(frozen=True)
class SpeedConfig:
    """How much is measured; the defaults take 2.5 minutes of processor time."""

    device: Literal["cpu", "cuda"] = "cpu"
    points: int = 2**18
    """Encoded at a time."""
    wide_layout: HashGridLayout = WIDE_LAYOUT
    frames: int = 16
    """Of the drawn clip."""
    pairs: int = 11
    """Pairs of a step and of a kernel."""
    long_pairs: int = 5
    """Pairs of what takes seconds on the reference."""
    preset: Preset = field(default_factory=lambda: build_preset("draft", 0))
    growth: GrowthSizes = GrowthSizes()


@dataclass(frozen=True)
class EncodeSpeed:
    """One layout: times by back end, and what the machine needs at least."""

    points: int
    levels: int
    table_entries: int
    times: PairedTimes
    cost: EncodeCost
    least_seconds: float


@dataclass(frozen=True)
class SpeedReport:
    """What was measured; times in seconds, memory in bytes."""

    device: str
    processor: str
    threads: int
    load_before: float | None
    """Of the minute before: above `threads`, others computed too."""
    versions: Mapping[str, str]
    limits: MachineLimits
    preset: str
    encode: EncodeSpeed
    """On the grid of the preset."""
    encode_wide: EncodeSpeed
    """On a grid larger than the caches."""
    kernels: Mapping[str, PairedTimes]
    stages: Mapping[str, PairedTimes]
    """By stage of the preset: a field step, or three placement steps."""
    step_stage: str
    """The field stage with the most steps, which `step_speedup`, `parts` and `memory` are about."""
    parts: Mapping[str, float]
    memory: Mapping[str, int | None]
    growth: Mapping[str, Growth]

    @property
    def encode_speedup(self) -> float:
        """Median ratio of the plain reference's time to the default back end's, on the grid of the preset."""
        return self.encode.times.speedup

    @property
    def step_speedup(self) -> float:
        """Likewise of a whole training step."""
        return self.stages[self.step_stage].speedup


def measure_speed(config: SpeedConfig, announce: Callable[[str], None]) -> SpeedReport:
    """Everything, in one process on as many threads as torch has. Raises as `choose_device`."""
    device = choose_device(config.device)
    load_before = load_average()
    announce("drawing a clip of a ball on a hand")
    model, preset = load_actor("anny", "right"), config.preset
    material = build_material(model, config.frames, preset.scene, device)
    announce("measuring what the machine can do at most")
    limits = measure_limits(device)
    announce(f"encoding {config.points} points")
    shape = material.scene.object_distance
    encode = _time_encode(config.points, shape.layout, device, config.long_pairs, limits)
    encode_wide = _time_encode(config.points, config.wide_layout, device, config.long_pairs, limits)
    announce("timing kernels beside their twins")
    kernels = time_kernels(shape, config.pairs)
    stages: dict[str, PairedTimes] = {}
    for stage in preset.stages:
        announce(f"timing steps of stage {stage.name}")
        match stage:
            case FieldStage():
                stages[stage.name] = time_field_steps(material, stage, config.pairs)
            case PlacementStage():
                stages[stage.name] = time_placement_steps(material, stage, config.long_pairs)
            case _:
                assert_never(stage)
    longest = max((stage for stage in preset.stages if isinstance(stage, FieldStage)), key=lambda stage: stage.steps)
    announce("splitting a step into its parts")
    parts = split_step(field_steps(material.copied(), longest), 2 * config.pairs)
    memory = measure_step_memory(material, longest)
    announce("measuring how times grow")
    growth = measure_growth(model, material, preset.scene, longest, config.growth, config.long_pairs)
    return SpeedReport(
        config.device, processor_name(device), torch.get_num_threads(), load_before, package_versions(), limits, preset.name, encode, encode_wide,
        kernels, stages, longest.name, parts, memory, growth,
    )  # fmt: skip


def speed_as_json(report: SpeedReport) -> dict[str, Any]:
    """The report as plain data, schema "hoifield.speed/1"; milliseconds, bytes, and ratios above 1 where the default is faster."""
    return {
        "schema": SCHEMA,
        "encode_speedup": report.encode_speedup,
        "step_speedup": report.step_speedup,
        "device": report.device,
        "processor": report.processor,
        "threads": report.threads,
        "load_average_before": report.load_before,
        "versions": dict(report.versions),
        "limits": asdict(report.limits),
        "encode": {"preset": _encode_as_json(report.encode), "wide": _encode_as_json(report.encode_wide)},
        "kernels": {name: times.as_json() for name, times in report.kernels.items()},
        "steps": {
            "preset": report.preset,
            "stage": report.step_stage,
            "stages": {name: times.as_json() for name, times in report.stages.items()},
            "parts_ms": {name: 1e3 * seconds for name, seconds in report.parts.items()},
            "peak_memory_bytes": dict(report.memory),
        },
        "growth": {
            name: {"sizes": list(found.sizes), "ms": [1e3 * seconds for seconds in found.seconds], "exponent": found.exponent}
            for name, found in report.growth.items()
        },
    }


def _time_encode(points: int, layout: HashGridLayout, device: torch.device, pairs: int, limits: MachineLimits) -> EncodeSpeed:
    work, cost = encode_work(points, layout, device), count_encode(points, layout)
    return EncodeSpeed(points, layout.levels, layout.entries, time_pairs(work, work, pairs), cost, cost.least_seconds(limits))


def _encode_as_json(speed: EncodeSpeed) -> dict[str, Any]:
    counted = {"bytes": speed.cost.bytes, "flops": speed.cost.flops, "least_ms": 1e3 * speed.least_seconds}
    return {"points": speed.points, "levels": speed.levels, "table_entries": speed.table_entries, **speed.times.as_json(), **counted}
