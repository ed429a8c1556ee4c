"""`hoifield COMMAND`: parses, runs, and turns every outcome into an exit code. Parsing imports no tensor library."""

import os
import sys
import traceback
from typing import Annotated

import tyro

from hoifield.cli.batch_command import BatchCommand
from hoifield.cli.benchmark_command import BenchmarkCommand
from hoifield.cli.console import print_error
from hoifield.cli.doctor_command import DoctorCommand
from hoifield.cli.fit_command import FitCommand
from hoifield.cli.look_commands import CompareCommand, ExportCommand, ReportCommand, ViewCommand
from hoifield.cli.observe_command import ObserveCommand
from hoifield.cli.prior_commands import PriorCommand
from hoifield.cli.track_command import TrackCommand
from hoifield.cli.truth_commands import EvaluateCommand, SynthCommand
from hoifield.errors import ExitCode, HoifieldError

Command = (
    Annotated[FitCommand, tyro.conf.subcommand("fit")]
    | Annotated[ObserveCommand, tyro.conf.subcommand("observe")]
    | Annotated[SynthCommand, tyro.conf.subcommand("synth")]
    | Annotated[EvaluateCommand, tyro.conf.subcommand("evaluate")]
    | Annotated[BenchmarkCommand, tyro.conf.subcommand("benchmark")]
    | Annotated[BatchCommand, tyro.conf.subcommand("batch")]
    | Annotated[ReportCommand, tyro.conf.subcommand("report")]
    | Annotated[ViewCommand, tyro.conf.subcommand("view")]
    | Annotated[ExportCommand, tyro.conf.subcommand("export")]
    | Annotated[CompareCommand, tyro.conf.subcommand("compare")]
    | Annotated[TrackCommand, tyro.conf.subcommand("track")]
    | Annotated[PriorCommand, tyro.conf.subcommand("prior")]
    | Annotated[DoctorCommand, tyro.conf.subcommand("doctor")]
)


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Carries out a command line; gives the exit code of the contract. `--debug` anywhere shows tracebacks."""
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        command = tyro.cli(
            Command,  # type: ignore[arg-type]
            prog="hoifield",
            description="Hand motion, object shape and contact in metres from one ordinary video clip.",
            args=arguments,
            config=(tyro.conf.OmitArgPrefixes,),
        )
    except SystemExit as stop:
        return ExitCode.DONE if stop.code in (0, None) else ExitCode.USAGE
    try:
        return command.run()
    except HoifieldError as error:
        if debug:
            traceback.print_exc()
        print_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("HF-RUN-013: stopped by Ctrl-C\n  try: run the same command again; it resumes\n")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.INPUT_OUTPUT
    except MemoryError:
        sys.stderr.write("HF-RUN-014: memory ran out\n  try: run the same command again with a smaller --max-frames\n")
        return ExitCode.INPUT_OUTPUT
    except OSError as error:
        if debug:
            traceback.print_exc()
        sys.stderr.write(f"HF-RUN-011: {error.strerror or error}\n  try: see to the disk or the permissions, then run the same command again\n")
        return ExitCode.INPUT_OUTPUT
    except Exception as error:  # noqa: BLE001 the last resort: a bug becomes a code, with the traceback on request
        if debug:
            traceback.print_exc()
        sys.stderr.write(f"HF-INT-001: {type(error).__name__}: {error}\n  try: run again with --debug and report what it prints\n")
        return ExitCode.INTERNAL
