"""`hoifield benchmark accuracy|speed`: the generated benchmark beside its anchors, and the back ends beside each other."""

import json as json_format
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from hoifield.cli.console import ProgressConsole
from hoifield.cli.options import require_seed
from hoifield.errors import ExitCode


@dataclass(frozen=True)
class AccuracyCommand:
    """Make the clips of a tier, fit them, and score the fits beside anchors. The same command again goes on, or prints the table."""

    tier: Literal["nano", "core", "hard"] = "nano"
    """nano: one tiny clip; core: 24 clips of six categories; hard: 24 clips along eight axes of stress."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of clips, runs and results; by default benchmark/<tier>. It belongs to one version of the code."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Also write all rows and statistics there."""
    clips: tuple[str, ...] = ()
    """Only these clips, by name; two processes may share a folder by different clips."""
    methods: tuple[
        Literal["fit", "hull_true_poses", "field_true_poses", "without_contact", "hold_schedule", "diffhoi_schedule"], ...
    ] = ("fit", "hull_true_poses", "field_true_poses", "without_contact", "hold_schedule", "diffhoi_schedule")
    """What is run: the fit, and the anchors beside it (docs/benchmark.md)."""
    seed: int = 0
    """Seed of the fits; the clips' own are fixed."""

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        require_seed(self.seed)
        from hoifield.benchmark.run_tier import TierConfig, run_tier
        from hoifield.benchmark.tier_page import render_tier_page
        from hoifield.benchmark.tier_summary import summarise_tier, summary_as_json
        from hoifield.benchmark.tier_table import write_table
        from hoifield.benchmark.tiers import tier_clips
        from hoifield.cli.threads import use_threads
        from hoifield.storage import write_file

        use_threads()
        out = self.out or Path("benchmark") / self.tier
        with ProgressConsole() as console:
            rows = run_tier(TierConfig(self.tier, out, self.clips, self.methods, seed=self.seed), console.announce, console.announce_step)
        summary = summarise_tier(rows)
        print(write_table(rows, summary))
        page = render_tier_page(f"hoifield benchmark: {self.tier}", tier_clips(self.tier), out / "clips", rows, summary)
        write_file(out / "benchmark.html", page.encode("utf-8"))
        if self.json is not None:
            mark = json_format.loads((out / "benchmark.json").read_text(encoding="utf-8"))
            write_file(self.json, json_format.dumps(summary_as_json(rows, summary, mark), indent=1, allow_nan=False).encode())
        print(f"page: {out / 'benchmark.html'}")
        return ExitCode.DONE


@dataclass(frozen=True)
class SpeedCommand:
    """Time kernels and a training step by back end, in turns in one run of a few minutes (the first compiles for one more)."""

    device: Literal["cpu", "cuda"] = "cpu"
    """Where to compute."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Also write the ratios, with all details, there."""

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        from hoifield.benchmark.measure_speed import SpeedConfig, measure_speed, speed_as_json
        from hoifield.benchmark.speed_table import write_speed_table
        from hoifield.cli.threads import use_threads
        from hoifield.storage import write_file

        use_threads()
        with ProgressConsole() as console:
            report = measure_speed(SpeedConfig(self.device), console.announce)
        print(write_speed_table(report))
        if self.json is not None:
            write_file(self.json, json_format.dumps(speed_as_json(report), indent=1, allow_nan=False).encode())
        return ExitCode.DONE


@dataclass(frozen=True)
class BenchmarkCommand:
    """Measure how well clips are reconstructed, or how fast."""

    measured: Annotated[AccuracyCommand, tyro.conf.subcommand("accuracy", prefix_name=False)] | Annotated[
        SpeedCommand, tyro.conf.subcommand("speed", prefix_name=False)
    ]
    """What is measured."""

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        return self.measured.run()
