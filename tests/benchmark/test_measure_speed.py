"""What the speed benchmark says, on a scene of seconds; no test here looks at an absolute time."""

import json
import math
import time
from dataclasses import replace

import pytest
import torch
from far_device import far_device
from tiny_scene import TINY, right_hand, tiny_pixels, tiny_scene

from hoifield.benchmark import speed_kernels
from hoifield.benchmark.machine_limits import MachineLimits, measure_limits, peak_memory_of
from hoifield.benchmark.measure_speed import SpeedConfig, SpeedReport, measure_speed, speed_as_json
from hoifield.benchmark.paired_times import time_pairs
from hoifield.benchmark.speed_kernels import count_encode, encode_work, time_kernels
from hoifield.benchmark.speed_step import PARTS, REST, GrowthSizes, build_material, field_steps, placement_steps, split_step
from hoifield.benchmark.speed_table import write_speed_table
from hoifield.cli import main
from hoifield.fields import distance_field, encode_numba
from hoifield.fields import encode as encode_module
from hoifield.fields.hash_grid_layout import HashGridLayout
from hoifield.fitting.run_field_stage import build_optimiser, read_object_grid, take_field_step
from hoifield.fitting.stage import FieldStage, PlacementStage
from hoifield.geometry import trilinear
from hoifield.geometry.plain_reference import plain_reference
from hoifield.pipelines.presets import EVERYTHING, build_preset
from hoifield.renderer import closest_approach, composite, place_torch, sample_rays

CPU = torch.device("cpu")
SMALL = HashGridLayout(levels=3, table_size=2**9, base_resolution=4, finest_resolution=16)
NANO = build_preset("nano", 0)
CONFIG = SpeedConfig(
    points=512,
    wide_layout=SMALL,
    frames=3,
    pairs=3,
    long_pairs=3,
    preset=replace(NANO, scene=TINY, stages=tuple(replace(stage, rays=64) if isinstance(stage, FieldStage) else stage for stage in NANO.stages)),
    growth=GrowthSizes((16, 64), (4, 8), (2, 3), (8, 12)),
)
STAGE = FieldStage("field", 10, EVERYTHING, rays=96)
PLACEMENT = PlacementStage("placement", 10)


@pytest.fixture(scope="module")
def report() -> SpeedReport:
    right_hand()
    return measure_speed(CONFIG, lambda line: None)


def test_the_two_ratios_are_those_of_the_details(report: SpeedReport):
    written = json.loads(json.dumps(speed_as_json(report), allow_nan=False))
    assert written["schema"] == "hoifield.speed/1"
    assert written["encode_speedup"] == written["encode"]["preset"]["speedup"] > 0
    assert written["step_speedup"] == written["steps"]["stages"][written["steps"]["stage"]]["speedup"] > 0
    assert written["steps"]["stage"] == "final" and set(written["steps"]["stages"]) == {"coarse", "placement", "final", "touch"}
    assert (written["device"], written["threads"]) == ("cpu", torch.get_num_threads())
    assert {"torch", "numba", "numpy", "python"} <= set(written["versions"])


def test_every_pair_carries_its_spread(report: SpeedReport):
    written = speed_as_json(report)
    entries = [*written["encode"].values(), *written["kernels"].values(), *written["steps"]["stages"].values()]
    assert len(entries) == 2 + 6 + 4
    for entry in entries:
        assert entry["speedup_least"] <= entry["speedup"] <= entry["speedup_most"] and entry["pairs"] == 3
        assert entry["default_ms"] > 0 and entry["reference_ms"] > 0


def test_parts_memory_and_growth_are_complete(report: SpeedReport):
    written = speed_as_json(report)
    assert set(written["steps"]["parts_ms"]) == {name for name, _ in PARTS} | {REST}
    assert set(written["steps"]["peak_memory_bytes"]) == {"default", "reference"}
    assert len(written["growth"]) == 5
    assert all(len(found["sizes"]) == len(found["ms"]) == 2 and math.isfinite(found["exponent"]) for found in written["growth"].values())


def test_the_table_names_the_ratios_and_everything_timed(report: SpeedReport):
    shown = write_speed_table(report)
    assert f"encode_speedup {report.encode_speedup:.1f}, step_speedup {report.step_speedup:.1f}" in shown
    assert all(name in shown for name in (*report.kernels, *report.stages, *report.parts, *report.growth))


def test_an_encoding_made_slower_on_purpose_lowers_its_ratio(monkeypatch: pytest.MonkeyPatch):
    work = encode_work(512, SMALL, CPU)
    fair = time_pairs(work, work, 5).speedup
    original = encode_numba.match_threads

    def dawdle() -> None:
        time.sleep(0.05)
        original()

    monkeypatch.setattr(encode_numba, "match_threads", dawdle)
    assert time_pairs(work, work, 5).speedup < fair


def test_a_kernel_made_slower_on_purpose_lowers_its_own_ratio_only_so_far_as_it_takes_part(monkeypatch: pytest.MonkeyPatch):
    field = tiny_scene().object_distance
    fair = time_kernels(field, 3, rays=32)["compositing"].speedup
    original = speed_kernels.composite_entities

    def dawdle(*given):  # type: ignore[no-untyped-def]
        time.sleep(0.05)
        return original(*given)

    monkeypatch.setattr(speed_kernels, "composite_entities", dawdle)
    assert time_kernels(field, 3, rays=32)["compositing"].speedup < fair


def test_each_part_is_seen_and_the_parts_make_up_the_whole():
    parts = split_step(field_steps(build_material(right_hand(), 3, TINY, CPU, size=96), STAGE), 2)
    assert all(seconds > 0 for seconds in parts.values()), parts


def test_a_step_on_the_reference_is_the_step_on_the_kernels():
    """Else the ratio would compare two things; a hand's samples come from 32-bit grids either way."""
    found = []
    for engine in ("default", "reference"):
        scene = tiny_scene()
        optimiser, lookup = build_optimiser(scene, STAGE), read_object_grid(scene)
        if engine == "reference":
            with plain_reference():
                report = take_field_step(scene, STAGE, tiny_pixels(), 0, optimiser, 0, lookup)
        else:
            report = take_field_step(scene, STAGE, tiny_pixels(), 0, optimiser, 0, lookup)
        found.append(report)
    default, reference = found
    assert default.losses.keys() == reference.losses.keys() and not default.skipped and not reference.skipped
    # A ray on the edge of a bin may be sampled otherwise in 32 bits: such rays are few.
    assert default.total == pytest.approx(reference.total, rel=0.01)
    assert default.losses["eikonal"] == pytest.approx(reference.losses["eikonal"], rel=0.01)


def test_no_kernel_takes_part_in_the_reference(monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise AssertionError("a kernel was called")

    material = build_material(right_hand(), 3, TINY, CPU, size=96)
    kernels = ((encode_module, "encode_numba"), (distance_field, "query_numba"), (composite, "composite_numba"), (place_torch, "place_samples_numba"))
    kernels += ((place_torch, "turn_normals_numba"), (sample_rays, "march_numba"), (closest_approach, "closest_numba"), (trilinear, "_lookup_numba"))
    for module, name in kernels:
        with monkeypatch.context() as patched, pytest.raises(AssertionError, match="a kernel"):
            patched.setattr(module, name, fail)
            field_steps(material, STAGE)()
            placement_steps(material, PLACEMENT, 1)()
        monkeypatch.setattr(module, name, fail)
    with plain_reference():
        field_steps(material, STAGE)()
        placement_steps(material, PLACEMENT, 1)()


def test_the_same_seed_takes_the_same_steps_to_the_last_bit_and_another_seed_others():
    def fitted(seed: int) -> list[torch.Tensor]:
        scene = tiny_scene()
        optimiser, lookup = build_optimiser(scene, STAGE), read_object_grid(scene)
        for step in range(4):
            take_field_step(scene, STAGE, tiny_pixels(), seed, optimiser, step, lookup)
        return [parameter.detach().clone() for parameter in optimiser.parameters.values()]

    first, second, other = fitted(3), fitted(3), fitted(4)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_an_encoding_costs_at_least_what_memory_or_arithmetic_allows():
    cost = count_encode(1000, SMALL)
    assert cost.bytes == 1000 * (2 * 12 + 2 * 4 * 6 * 4) + 4 * 4 * 2 * SMALL.entries
    assert count_encode(2000, SMALL).flops == 2 * cost.flops
    assert cost.least_seconds(MachineLimits(cost.bytes, 1e12)) == pytest.approx(1.0)
    assert cost.least_seconds(MachineLimits(1e12, cost.flops / 2)) == pytest.approx(2.0)


def test_the_limits_of_the_machine_are_numbers():
    limits = measure_limits(CPU, repetitions=1, copied=2**12, matrix=16)
    assert limits.copy_bytes_per_s > 0 and limits.flops_per_s > 0


def test_memory_that_is_held_is_counted_where_the_system_counts():
    found = peak_memory_of(lambda: torch.ones(2**24).sum(), CPU)
    if found is None:
        pytest.skip("this system does not start the count of resident memory anew")
    assert found > 0.9 * 2**26


def test_cuda_without_a_device_is_refused_with_a_remedy(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main.run(["benchmark", "speed", "--device", "cuda"]) == 69
    shown = capsys.readouterr().err
    assert shown.startswith("HF-DEV-001") and "\n  try: " in shown


def test_everything_timed_runs_on_another_device():
    with far_device() as device:
        material = build_material(right_hand(), 3, TINY, device, size=96)
        encode_work(64, SMALL, device)()
        field_steps(material, STAGE)()
        placement_steps(material, PLACEMENT, 1)()
        times = time_kernels(material.scene.object_distance, 1, rays=16)
        assert measure_limits(device, repetitions=1, copied=2**12, matrix=16).flops_per_s > 0
    assert all(found.speedup > 0 for found in times.values())


def test_the_command_writes_its_json(monkeypatch: pytest.MonkeyPatch, tmp_path, report: SpeedReport, capsys: pytest.CaptureFixture[str]):
    from hoifield.benchmark import measure_speed as module

    monkeypatch.setattr(module, "measure_speed", lambda config, announce: report)
    assert main.run(["benchmark", "speed", "--json", str(tmp_path / "speed.json")]) == 0
    assert json.loads((tmp_path / "speed.json").read_text())["step_speedup"] == report.step_speedup
    assert "encode_speedup" in capsys.readouterr().out
