"""`hoifield track sync RUN`: the wandb run of a run folder, made anew from what lies in it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from hoifield.cli.options import require_folder
from hoifield.errors import ExitCode


@dataclass(frozen=True)
class TrackCommand:
    """Build the wandb run of a run folder anew, whatever became of the run; during a fit, up to now."""

    action: tyro.conf.Positional[Literal["sync"]]
    """The one thing there is to do."""
    run_folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """Run folder."""
    mode: Literal["auto", "offline", "online"] = "auto"
    """Online sends it, people in the clip included; auto follows WANDB_MODE, else sends where WANDB_API_KEY is set."""

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        require_folder(self.run_folder, "RUN")
        from hoifield.runlog.wandb_log import sync_run

        print(f"wandb run written, {sync_run(self.run_folder, None if self.mode == 'auto' else self.mode)}")
        return ExitCode.DONE
