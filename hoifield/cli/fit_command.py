"""`hoifield fit`: clip in, run folder out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from hoifield.cli.console import ProgressConsole
from hoifield.cli.options import parse_object_point, parse_prior, parse_template, require_folder, require_max_frames, require_sam2_weights, require_seed
from hoifield.errors import ExitCode, HoifieldError


@dataclass(frozen=True)
class FitCommand:
    """Recover hand, object and contact of one clip into a run folder. The same command again resumes, or says that it is done."""

    video: Annotated[Path, tyro.conf.arg(metavar="CLIP")]
    """Video file, folder of images, or HOLD's build/ folder, which brings its masks and camera."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="RUN")] = None
    """Run folder; by default runs/<name of the clip>."""
    preset: Literal["auto", "draft", "standard", "fine"] = "auto"
    """Amount of work; auto is draft on a CPU."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    hand: Literal["auto", "left", "right", "both"] = "auto"
    """Which hand holds the object."""
    actor: Literal["auto", "anny", "mano"] = "auto"
    """Hand model: the built-in one, or your own MANO file (HOIFIELD_MANO_DIR)."""
    category: str = "unknown"
    """What the object is called, for the prior: mug, bottle, box, bowl, can, ring, kettle, knife, toy-car."""
    prior: Annotated[str, tyro.conf.arg(metavar="auto|on|off|FILE")] = "auto"
    """Imagine the sides that the clip does not show: on asks the prior that comes along, FILE other weights; auto is off, for it is weak yet."""
    intrinsics: Annotated[str | None, tyro.conf.arg(metavar="FX,FY,CX,CY|FILE")] = None
    """Camera, pixels of the clip; without it the focal length is guessed, and depth is known only up to that guess."""
    object_point: Annotated[str | None, tyro.conf.arg(metavar="X,Y[,FRAME]")] = None
    """A pixel on the object, in pixels of the clip."""
    depth: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Depth pictures %06d.png in the colour camera (16 bit, millimetres along its axis, 0 = none) for some frames or all."""
    template: Annotated[str | None, tyro.conf.arg(metavar="MESH|WORD")] = None
    """Mesh of the object (PLY, OBJ or GLB, watertight), placed and sized instead of a shape being found; or what it is: mug, bottle, box, bowl, can, ring,
    kettle, knife, toy-car or tool, whose lengths are found too."""
    masks: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Label images %06d.png (0 background, 1 object, 2 right hand, 3 left hand, 254 not the object, 255 not labelled) for some frames or all."""
    sam2_weights: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Your SAM 2 checkpoint: it carries the labels of --masks, or --object-point, over the clip. Needs the package sam2."""
    max_frames: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Frames of the clip that the fit looks at, at most."""
    seed: int = 0
    """Seed of every random choice."""
    track: Literal["off", "offline", "online"] = "off"
    """Write the run to wandb once it ends, however it ends: into RUN/wandb, or also to the server. Needs the package wandb."""
    strict: bool = False
    """Exit with 65 when the result is poor."""

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        require_max_frames(self.max_frames)
        require_folder(self.masks, "--masks")
        require_folder(self.depth, "--depth")
        template = parse_template(self.template)
        require_seed(self.seed)
        if self.track != "off":
            from hoifield.runlog.wandb_log import require_wandb

            require_wandb()
        from hoifield.cli.threads import use_threads
        from hoifield.pipelines.bring_clip import bring_clip
        from hoifield.pipelines.fit_video import FitVideoConfig, fit_video
        from hoifield.pipelines.observe import ObserveConfig

        use_threads()
        prior = parse_prior(self.prior)
        point = parse_object_point(self.object_point)
        named = bring_clip(self.video, self.masks, self.intrinsics)
        require_sam2_weights(self.sam2_weights, named.masks, point)
        out = self.out or Path("runs") / named.name
        observe = ObserveConfig(self.hand, self.actor, named.intrinsics, named.masks, point, self.seed, self.sam2_weights, self.depth, template)
        config = FitVideoConfig(observe, self.preset, self.device, self.max_frames, self.seed, self.category, prior)
        with ProgressConsole() as console:
            try:
                outcome = fit_video(named.video, out, config, console.announce, console.announce_step)
            finally:
                self._track(out, console.announce)
            if outcome.was_done:
                console.announce("this run is done already")
            for reason in outcome.reasons:
                console.announce(f"{reason['code']}: {reason['message']}")
            console.announce(f"{outcome.status}: {out / 'report' / 'report.html'}")
        if outcome.status == "refused":
            return ExitCode.REFUSED
        return ExitCode.REFUSED if self.strict and outcome.status == "degraded" else ExitCode.DONE

    def _track(self, out: Path, announce: Callable[[str], None]) -> None:
        """Writes what became of the run to wandb; what goes wrong there is said and changes nothing. Another process's run is left alone."""
        if self.track == "off":
            return
        from hoifield.runlog.run_standing import read_standing
        from hoifield.runlog.wandb_log import sync_run

        try:
            if read_standing(out).status not in ("absent", "running"):
                announce(f"wandb run written, {sync_run(out, self.track)}")
        except HoifieldError as error:
            announce(f"{error}; {error.remedy}")
