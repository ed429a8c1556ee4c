"""The speed of the back ends as text."""

import statistics
from collections.abc import Mapping

from hoifield.benchmark.measure_speed import EncodeSpeed, SpeedReport
from hoifield.benchmark.paired_times import PairedTimes


def write_speed_table(report: SpeedReport) -> str:
    """Ratios first; then kernels, stages, the parts of a step, memory and growth."""
    load = "" if report.load_before is None else f", load {report.load_before:.1f} before"
    limits = report.limits
    lines = [
        f"{report.processor or report.device}, {report.threads} threads{load}; copies {limits.copy_bytes_per_s / 1e9:.1f} GB/s, "
        f"multiplies matrices at {limits.flops_per_s / 1e9:.0f} GFLOP/s",
        f"encode_speedup {report.encode_speedup:.1f}, step_speedup {report.step_speedup:.1f}: plain reference over default back end, medians of pairs",
        "",
        f"{'kernel, forward and backward':34s} {'default ms':>11s} {'reference ms':>13s} {'speed-up':>9s}   {'least to most':>14s}  pairs",
        _pair_line(_encode_name(report.encode), report.encode.times),
        _pair_line(_encode_name(report.encode_wide), report.encode_wide.times),
        *_pair_lines(report.kernels),
        "",
        f"step of the preset {report.preset}, by stage (placement: three steps)",
        *_pair_lines(report.stages),
        "",
        f"{'parts of a step, ' + report.step_stage:34s} {'default ms':>11s} {'share':>7s}",
    ]
    whole = sum(report.parts.values())
    lines += [f"{name:34s} {1e3 * seconds:11.2f} {100 * seconds / whole:6.1f}%" for name, seconds in report.parts.items()]
    held = (f"{name} {'not known' if count is None else f'{count / 2**20:.0f} MiB'}" for name, count in report.memory.items())
    lines += ["", f"memory of a step beyond the scene: {', '.join(held)}", ""]
    lines += [
        _roof_line(report.encode),
        _roof_line(report.encode_wide),
        "",
        f"{'growth':34s} {'exponent':>9s}  ms by size",
    ]
    for name, found in report.growth.items():
        sizes = ", ".join(f"{size}: {1e3 * seconds:.0f}" for size, seconds in zip(found.sizes, found.seconds, strict=True))
        lines.append(f"{name:34s} {found.exponent:9.2f}  {sizes}")
    return "\n".join(lines)


def _encode_name(speed: EncodeSpeed) -> str:
    return f"encode {speed.points} points, {speed.levels} levels"


def _pair_lines(times: Mapping[str, PairedTimes]) -> list[str]:
    return [_pair_line(name, found) for name, found in times.items()]


def _pair_line(name: str, times: PairedTimes) -> str:
    found = times.as_json()
    spread = f"{found['speedup_least']:.1f} to {found['speedup_most']:.1f}"
    return f"{name:34s} {found['default_ms']:11.2f} {found['reference_ms']:13.2f} {found['speedup']:9.1f}   {spread:>14s}  {found['pairs']}"


def _roof_line(speed: EncodeSpeed) -> str:
    taken = statistics.median(speed.times.default_s) / speed.least_seconds
    return (
        f"{_encode_name(speed)}: {speed.cost.bytes / 1e6:.0f} MB and {speed.cost.flops / 1e9:.2f} GFLOP at least, so {1e3 * speed.least_seconds:.1f} ms; "
        f"took {taken:.0f} times that"
    )
