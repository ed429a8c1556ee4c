"""`hoifield benchmark accuracy`: the generated benchmark, fitted and scored beside its anchors."""

import json as json_format
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from hoifield.cli.console import ProgressConsole
from hoifield.cli.options import require_seed
from hoifield.errors import ExitCode


@dataclass(frozen=True)
class BenchmarkCommand:
    """Make the clips of a tier, fit them, and score the fits beside anchors. The same command again goes on, or prints the table."""

    action: tyro.conf.Positional[Literal["accuracy"]]
    """What is measured."""
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
