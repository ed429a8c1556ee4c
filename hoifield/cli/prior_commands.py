"""`hoifield prior data|train|sample|evaluate`: the geometry prior, from grasps to scores."""

import json as json_format
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from hoifield.cli.console import ProgressConsole
from hoifield.cli.options import require_folder, require_seed
from hoifield.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from hoifield.priors.geometry_prior import GeometryPrior

CategoryWord = Literal["unknown", "mug", "bottle", "box", "bowl", "can", "ring", "kettle", "knife", "toy-car", "tool"]


@dataclass(frozen=True)
class DataCommand:
    """Make right hands that hold objects, a file each; files that are there are kept. Several may run at once with seeds of their own."""

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR")]
    """Folder of the scenes; it belongs to one recipe."""
    scenes: int = 200
    """How many seeds are tried."""
    seed: int = 0
    """The first of them."""
    held_out: bool = False
    """Scenes to score with: instances that are never taught, and the category 'tool', which is never taught either."""

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        require_seed(self.seed)
        from hoifield.actors.choose_actor import load_actor
        from hoifield.cli.threads import use_threads
        from hoifield.synthetic.held_scenes import HELD_OUT_RECIPE, TAUGHT_RECIPE, make_held_scenes

        use_threads()
        recipe = HELD_OUT_RECIPE if self.held_out else TAUGHT_RECIPE
        with ProgressConsole() as console:
            seeds = range(self.seed, self.seed + self.scenes)
            count = make_held_scenes(self.folder, load_actor("anny", "right"), seeds, recipe, console.announce)
            console.announce(f"{count} scenes: {self.folder}")
        return ExitCode.DONE


@dataclass(frozen=True)
class TrainCommand:
    """Teach the prior with the scenes of a folder. The same command again goes on where it stopped.

    Under `accelerate launch` several processes share it, each with a GPU of its own.
    """

    scenes: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR")]
    """Folder of `prior data`."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("geometry_prior")
    """Folder of the training: its state, at the end geometry_prior.safetensors and its card."""
    steps: int = 12000
    """Steps."""
    batch: int = 16
    """Pictures per step, of all processes together."""
    peak_rate: float = 1e-3
    """Highest learning rate."""
    seconds: float = float("inf")
    """Stop after that time; what is done is kept."""
    seed: int = 0
    """Seed of weights, pictures and noise."""

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        require_folder(self.scenes, "DIR")
        require_seed(self.seed)
        if self.steps < 1 or self.batch < 1:
            raise ConfigurationError("HF-CFG-010", f"--steps {self.steps} and --batch {self.batch} must be 1 or more", "give 1 or more")
        from hoifield.cli.threads import use_threads
        from hoifield.pipelines.teach_geometry_prior import teach_geometry_prior
        from hoifield.priors.train_network import TrainingSettings
        from hoifield.priors.training_processes import find_processes

        use_threads()
        processes = find_processes()
        settings = TrainingSettings(steps=self.steps, peak_rate=self.peak_rate, average=0.999, reduced_precision=False)
        with ProgressConsole() as console:
            weights = teach_geometry_prior(self.scenes, self.out, settings, self.batch, self.seed, self.seconds, console.announce)
            processes.first_only(console.announce)(f"weights: {weights}" if weights else "stopped; the same command goes on")
        processes.leave()
        return ExitCode.DONE


@dataclass(frozen=True)
class SampleCommand:
    """Draw what the prior imagines in the hands of some scenes, as one picture: hand, truth, and samples beside each other."""

    scenes: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR")]
    """Folder of `prior data`."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.png")] = Path("samples.png")
    """Picture to write."""
    weights: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Weights with their card beside them; by default those that came with hoifield."""
    category: CategoryWord | None = None
    """Word for every object; by default each object's own."""
    rows: int = 8
    """Scenes drawn."""
    samples: int = 6
    """Samples of each."""
    guidance: float = 1.5
    """Away from what would be said of no hand and no word; 1 is none."""
    seed: int = 0
    """Seed of views and noise."""

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        require_folder(self.scenes, "DIR")
        require_seed(self.seed)
        from hoifield.cli.threads import use_threads
        from hoifield.pipelines.teach_geometry_prior import load_posed_scenes
        from hoifield.report.sample_sheet import draw_sample_sheet
        from hoifield.storage import write_file

        use_threads()
        sheet = draw_sample_sheet(_prior(self.weights), load_posed_scenes(self.scenes), self.category, self.rows, self.samples, self.guidance, self.seed)
        write_file(self.out, sheet)
        print(f"picture: {self.out}")
        return ExitCode.DONE


@dataclass(frozen=True)
class EvaluateCommand:
    """Score the prior on scenes that it was not taught with."""

    scenes: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR")]
    """Folder of `prior data --held-out`."""
    weights: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Weights with their card beside them; by default those that came with hoifield."""
    pictures: int = 48
    """Pictures looked at."""
    samples: int = 4
    """Samples of each."""
    guidance: float = 1.0
    """Away from what would be said of no hand and no word; 1 is none."""
    seed: int = 0
    """Seed of views and noise."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Also write the scores there."""

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        require_folder(self.scenes, "DIR")
        require_seed(self.seed)
        from hoifield.cli.threads import use_threads
        from hoifield.pipelines.score_geometry_prior import PriorScoring, score_geometry_prior
        from hoifield.pipelines.teach_geometry_prior import load_posed_scenes
        from hoifield.storage import write_file

        use_threads()
        settings = PriorScoring(self.pictures, self.samples, guidance=self.guidance, seed=self.seed)
        scores = score_geometry_prior(_prior(self.weights), load_posed_scenes(self.scenes), settings)
        print(f"{'told':20s} {'best IoU':>9s} {'mean IoU':>9s} {'normals deg':>12s} {'coverage':>9s}   error at t = 0.2, 0.5, 0.8, 1.0")
        for name, told in scores["told"].items():
            errors = " ".join(f"{told['denoising_mse'][time]:.4f}" for time in ("0.2", "0.5", "0.8", "1.0"))
            angle = "none" if told["normal_error_best_deg"] is None else f"{told['normal_error_best_deg']:.1f}"
            numbers = f"{told['mask_iou_best']:9.3f} {told['mask_iou_mean']:9.3f} {angle:>12s} {told['coverage']:9.2f}"
            print(f"{name:20s} {numbers}   {errors}")
        if self.json is not None:
            write_file(self.json, json_format.dumps(scores, indent=1).encode())
        return ExitCode.DONE


def _prior(weights: Path | None) -> "GeometryPrior":
    """The prior of a file, or the one that came along."""
    from hoifield.priors.geometry_prior import load_geometry_prior, read_geometry_prior

    return load_geometry_prior() if weights is None else read_geometry_prior(weights)


@dataclass(frozen=True)
class PriorCommand:
    """The geometry prior: a diffusion network that knows what objects look like in a hand."""

    action: (
        Annotated[DataCommand, tyro.conf.subcommand("data")]
        | Annotated[TrainCommand, tyro.conf.subcommand("train")]
        | Annotated[SampleCommand, tyro.conf.subcommand("sample")]
        | Annotated[EvaluateCommand, tyro.conf.subcommand("evaluate")]
    )

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        return self.action.run()
