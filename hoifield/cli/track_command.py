"""`hoifield track sync RUN`: the wandb run of a run folder, made anew from metrics.jsonl."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from hoifield.cli.options import require_folder
from hoifield.errors import ExitCode


@dataclass(frozen=True)
class TrackCommand:
    """Rebuild the wandb run of a run folder from its metrics.jsonl."""

    action: tyro.conf.Positional[Literal["sync"]]
    """The one thing there is to do."""
    run_folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """Run folder."""
    mode: Literal["offline", "online"] = "offline"
    """Online only if asked for and reachable."""

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        require_folder(self.run_folder, "RUN")
        from hoifield.runlog.wandb_log import sync_metrics

        print(f"wandb run written, {sync_metrics(self.run_folder, self.mode)}")
        return ExitCode.DONE
