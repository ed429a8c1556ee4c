"""`hoifield report`, `view`, `export`, `compare`: look at runs, and take results away."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from hoifield.cli.options import require_folder
from hoifield.errors import ExitCode, MissingInput


def require_run(run: Path) -> None:
    """Raises MissingInput (HF-RUN-012) for a folder that holds no finished run."""
    if not (run / "result" / "result.json").is_file():
        raise MissingInput("HF-RUN-012", f"{str(run)!r} holds no result", "name a run folder that `hoifield fit` finished")


@dataclass(frozen=True)
class ReportCommand:
    """Write the report page of a run again."""

    run_folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """Run folder."""

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        require_run(self.run_folder)
        from hoifield.pipelines.write_outputs import rewrite_report

        print(rewrite_report(self.run_folder))
        return ExitCode.DONE


@dataclass(frozen=True)
class ViewCommand:
    """Serve the report of a run on this machine alone, until Ctrl-C."""

    run_folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """Run folder."""
    port: int = 0
    """Port on 127.0.0.1; 0 takes a free one."""

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        require_run(self.run_folder)
        from hoifield.report.view import view_report

        view_report(self.run_folder, self.port, lambda address: print(address, flush=True))
        return ExitCode.DONE


@dataclass(frozen=True)
class ExportCommand:
    """Write the result of a run for another program."""

    run_folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """Run folder."""
    format: Literal["glb", "ply", "obj", "usd", "npz", "mano", "colmap", "nerfstudio", "hold", "arctic"]
    """glb: animated scene; ply, obj: object mesh; usd: scene; npz: all arrays; mano: parameters of MANO's hands; colmap: text model of
    the cameras around the object; nerfstudio: the same cameras with pictures and masks; hold: HOLD's build/ folder; arctic: zip for HOLD's
    ARCTIC server, to which each run adds the sequence that its folder is named after. mano and hold need a run with --actor mano."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """File to write (colmap, nerfstudio, hold, --frames: folder); by default one below RUN/exports, named as the run."""
    frames: bool = False
    """With ply or obj: the meshes of every frame instead, object and hands in the camera frame, one file each."""

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        require_run(self.run_folder)
        from hoifield.pipelines.export_run import export_run

        export = export_run(self.run_folder, self.format, self.out, self.frames)
        print(export.path)
        if export.left_out:
            print(f"frames left out, without a pose of the object: {len(export.left_out)}")
        return ExitCode.DONE


@dataclass(frozen=True)
class CompareCommand:
    """Runs side by side on one page."""

    run_folders: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN")]
    """Run folders."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.html")] = Path("comparison.html")
    """Page to write."""

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        for run in self.run_folders:
            require_folder(run, "RUN")
        from hoifield.report.compare import write_comparison

        write_comparison(self.run_folders, self.out)
        print(self.out)
        return ExitCode.DONE
