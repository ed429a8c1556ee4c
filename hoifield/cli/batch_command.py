"""`hoifield batch`: many clips into one folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, assert_never

import tyro

from hoifield.cli.options import require_max_frames, require_seed
from hoifield.errors import ConfigurationError, ExitCode, UsageError

if TYPE_CHECKING:
    from hoifield.batch.drive_batch import Engine


@dataclass(frozen=True)
class BatchCommand:
    """Fit many clips, each in a process of its own. The same command again goes on; more clips may be named each time.

    Every clip ends as done, degraded, refused or quarantined: DIR/batch.html, batch.csv and batch.json say which, and why.
    """

    clips: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="CLIP ...")]
    """Videos and folders of images. A folder that holds nothing but videos stands for its videos."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder for the runs (DIR/runs), logs and overviews. It belongs to one set of options."""
    engine: Literal["serial", "ray"] = "serial"
    """serial: child processes on this machine; ray: tasks of Ray, on this machine or a cluster that sees DIR and the clips."""
    address: Annotated[str | None, tyro.conf.arg(metavar="HOST:PORT|auto|local")] = None
    """Ray cluster; needs RAY_AUTH_MODE=token. By default Ray is started on this machine, for this machine."""
    at_once: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Clips at the same time; by default one, or one a GPU; with ray one a GPU of the cluster, without GPUs one a core."""
    retry_quarantined: bool = False
    """Try quarantined clips again."""
    strict: bool = False
    """Exit with 65 unless every clip is done."""
    preset: Literal["auto", "draft", "standard", "fine"] = "auto"
    """Amount of work for each clip; auto is draft on a CPU."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    hand: Literal["auto", "left", "right", "both"] = "auto"
    """Which hand holds the object."""
    actor: Literal["auto", "anny", "mano"] = "auto"
    """Hand model: the built-in one, or your own MANO file (HOIFIELD_MANO_DIR)."""
    max_frames: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Frames of each clip that its fit looks at, at most."""
    seed: int = 0
    """Seed of every random choice."""

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        require_max_frames(self.max_frames)
        require_seed(self.seed)
        if self.at_once is not None and self.at_once < 1:
            raise ConfigurationError("HF-BAT-007", f"--at-once {self.at_once} is less than 1", "give 1 or more")
        if self.address is not None and self.engine != "ray":
            raise UsageError("HF-BAT-008", f"--address {self.address!r} without Ray", "add --engine ray, or leave --address out")
        from hoifield.batch.batch_folder import BatchFolder
        from hoifield.batch.batch_table import count_states
        from hoifield.batch.drive_batch import drive_batch
        from hoifield.batch.fit_orders import FitOptions, order_fit
        from hoifield.batch.name_clips import gather_clips
        from hoifield.cli.console import BatchConsole
        from hoifield.runlog.stop_request import StopRequest

        clips = gather_clips(self.clips)
        if not clips:
            raise UsageError("HF-BAT-001", "0 clips were named", "name at least one clip")
        self._require_engine()
        options = FitOptions(self.preset, self.device, self.hand, self.actor, self.seed, self.max_frames)
        with BatchFolder.open(self.out.resolve(), options.identity()) as folder:
            folder.add_clips(clips)
            if self.retry_quarantined:
                folder.release_quarantined()
            engine = self._open_engine()
            # after the engine: Ray's handlers would end the batch without saving
            with StopRequest() as stop, BatchConsole(folder.records) as console:
                drive_batch(folder, engine, lambda clip: order_fit(clip, folder.path, options), stop, console.announce)
            counts = count_states(list(folder.records.values()))
        print(f"{', '.join(f'{count} {state}' for state, count in counts.items() if count)}: {self.out / 'batch.html'}")
        return ExitCode.REFUSED if self.strict and counts["done"] < sum(counts.values()) else ExitCode.DONE

    def _require_engine(self) -> None:
        """Raises, before anything is written, what keeps the engine from working."""
        if self.engine == "ray":
            from hoifield.batch.ray_engine import require_ray, require_token

            require_ray()
            require_token(self.address)

    def _open_engine(self) -> "Engine":
        """The engine that the options name."""
        match self.engine:
            case "serial":
                from hoifield.batch.serial_engine import SerialEngine, visible_gpus

                gpus = () if self.device == "cpu" else visible_gpus()
                return SerialEngine(self.at_once or max(1, len(gpus)), gpus)
            case "ray":
                from hoifield.batch.ray_engine import RayEngine

                return RayEngine(self.address, self.at_once, on_gpus=self.device != "cpu")
            case _:
                assert_never(self.engine)
