"""`hoifield observe`: everything before the fit, and the readiness report."""

import json as json_format
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from hoifield.cli.console import ProgressConsole
from hoifield.cli.options import parse_object_point, parse_template, require_folder, require_sam2_weights, require_seed
from hoifield.errors import ExitCode


@dataclass(frozen=True)
class ObserveCommand:
    """Hand, masks, object track and a verdict before any fit: DIR/masks/%06d.png and DIR/readiness.json."""

    video: Annotated[Path, tyro.conf.arg(metavar="CLIP")]
    """Video file, folder of images, or HOLD's build/ folder, which brings its masks and camera."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder for the observations; by default observations/<name of the clip>."""
    hand: Literal["auto", "left", "right", "both"] = "auto"
    """Which hand holds the object."""
    actor: Literal["auto", "anny", "mano"] = "auto"
    """Hand model."""
    intrinsics: Annotated[str | None, tyro.conf.arg(metavar="FX,FY,CX,CY|FILE")] = None
    """Camera, pixels of the clip."""
    object_point: Annotated[str | None, tyro.conf.arg(metavar="X,Y[,FRAME]")] = None
    """A pixel on the object."""
    depth: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Depth pictures %06d.png in the colour camera (16 bit, millimetres along its axis, 0 = none) for some frames or all."""
    template: Annotated[str | None, tyro.conf.arg(metavar="MESH|WORD")] = None
    """Mesh of the object (PLY, OBJ or GLB, watertight), placed and sized instead of a shape being found; or what it is: mug, bottle, box, bowl, can, ring,
    kettle, knife, toy-car or tool, whose lengths are found too."""
    masks: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Label images for some frames or all."""
    sam2_weights: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Your SAM 2 checkpoint: it carries the labels of --masks, or --object-point, over the clip. Needs the package sam2."""
    seed: int = 0
    """Seed of every random choice."""
    json: bool = False
    """Print the readiness as JSON."""

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        require_folder(self.masks, "--masks")
        require_folder(self.depth, "--depth")
        template = parse_template(self.template)
        require_seed(self.seed)
        from hoifield.cli.threads import use_threads
        from hoifield.clip.open_clip import open_clip
        from hoifield.observations.observations_folder import save_observations
        from hoifield.pipelines.bring_clip import bring_clip
        from hoifield.pipelines.observe import ObserveConfig, observe_clip
        from hoifield.pipelines.presets import build_preset
        from hoifield.storage import commit_directory

        use_threads()
        point = parse_object_point(self.object_point)
        named = bring_clip(self.video, self.masks, self.intrinsics)
        require_sam2_weights(self.sam2_weights, named.masks, point)
        out = self.out or Path("observations") / named.name
        config = ObserveConfig(self.hand, self.actor, named.intrinsics, named.masks, point, self.seed, self.sam2_weights, self.depth, template)
        clip = open_clip(named.video)
        with ProgressConsole() as console:
            announce = (lambda line: None) if self.json else console.announce
            observations = observe_clip(clip, config, build_preset("draft", self.seed).most_frames, announce)
            commit_directory(out, lambda folder: save_observations(observations, folder))
            readiness = observations.readiness
            for reason in readiness.reasons:
                announce(f"{reason.code}: {reason.message}")
            announce(f"{readiness.verdict}: {out / 'readiness.json'}")
        if self.json:
            print(json_format.dumps(asdict(readiness)))
        return ExitCode.REFUSED if readiness.verdict == "refuse" else ExitCode.DONE
