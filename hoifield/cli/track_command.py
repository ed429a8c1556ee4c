"""`hoifield track sync|workspace`: the wandb run of a run folder, made anew from what lies in it, and the view that lays runs side by side."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from hoifield.cli.options import require_folder
from hoifield.errors import ExitCode


@dataclass(frozen=True)
class SyncCommand:
    """Build the wandb run of a run folder anew, whatever became of the run; during a fit, up to now."""

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


@dataclass(frozen=True)
class WorkspaceCommand:
    """Lay a saved view on a wandb project at the server: runs by clip, figures, curves, pictures. Sends the layout, nothing of clips or runs."""

    project: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Project; by default WANDB_PROJECT, else hoifield."""
    entity: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Who the project belongs to; by default WANDB_ENTITY, else whom the key belongs to."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE.json")] = None
    """Write the layout there instead, as JSON to be looked at; nothing is sent."""

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        from hoifield.pipelines.presets import choose_curves
        from hoifield.runlog.wandb_workspace import describe_comparison, save_comparison
        from hoifield.storage import write_file

        if self.out is not None:
            write_file(self.out, json.dumps(describe_comparison(choose_curves()), indent=1).encode())
            print(f"view written, nothing sent: {self.out}")
        else:
            print(f"view: {save_comparison(choose_curves(), self.project, self.entity)}")
        return ExitCode.DONE


@dataclass(frozen=True)
class TrackCommand:
    """Runs in wandb."""

    action: Annotated[SyncCommand, tyro.conf.subcommand("sync")] | Annotated[WorkspaceCommand, tyro.conf.subcommand("workspace")]

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        return self.action.run()
