"""`hoifield report`, `view`, `export`, `compare`: look at runs, and take results away."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from hoifield.cli.options import require_folder, require_port
from hoifield.cli.threads import use_threads
from hoifield.errors import ExitCode, MissingInput


def require_run(run: Path, finished: bool = True) -> None:
    """Raises MissingInput (HF-RUN-012) for a folder that holds no run, or no finished one."""
    if not (run / ("result/result.json" if finished else "run.json")).is_file():
        cause = f"{str(run)!r} holds no {'result' if finished else 'run'}"
        raise MissingInput("HF-RUN-012", cause, f"name a run folder that `hoifield fit` {'finished' if finished else 'began'}")


def print_address(address: str, port: int) -> None:
    """The address to open on standard output; how to reach it from another machine on the error stream."""
    print(address, flush=True)
    hint = f"From another machine: ssh -N -L {port}:127.0.0.1:{port} THIS_MACHINE, then open the same address there. Ctrl-C ends it.\n"
    sys.stderr.write(hint)
    sys.stderr.flush()


@dataclass(frozen=True)
class ReportCommand:
    """Write the report page of a run again, or serve it."""

    run_folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """Run folder."""
    serve: bool = False
    """Serve the page that is there to this machine alone, until Ctrl-C, at an address that holds a token."""
    port: int = 0
    """With --serve: port on 127.0.0.1; 0 takes a free one."""

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        require_run(self.run_folder)
        require_port(self.port)
        if self.serve:
            from hoifield.report.serve_report import serve_report

            serve_report(self.run_folder, self.port, print_address)
            return ExitCode.DONE
        from hoifield.pipelines.write_outputs import rewrite_report

        print(rewrite_report(self.run_folder))
        return ExitCode.DONE


@dataclass(frozen=True)
class ViewCommand:
    """See a run in three dimensions in the browser, for this machine alone, until Ctrl-C. Needs the package viser."""

    run_folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """Run folder."""
    port: int = 0
    """Port on 127.0.0.1; 0 takes a free one."""
    live: bool = False
    """Also a run that is not finished: what was observed, then each checkpoint as the fit saves it, then the result."""

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        require_run(self.run_folder, finished=not self.live)
        require_port(self.port)
        from hoifield.report.viser_server import require_viser

        require_viser()
        use_threads()
        from hoifield.pipelines.follow_run import follow_run, read_finished
        from hoifield.report.run_viewer import view_run

        states = follow_run(self.run_folder) if self.live else iter([read_finished(self.run_folder)])
        view_run(states, self.port, print_address)
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
