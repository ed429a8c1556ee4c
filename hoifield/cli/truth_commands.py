"""`hoifield synth` and `hoifield evaluate`: clips with exact truth, and scores against it."""

import json as json_format
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from hoifield.cli.console import ProgressConsole
from hoifield.cli.options import require_folder, require_seed
from hoifield.errors import CannotCreateOutput, ExitCode


@dataclass(frozen=True)
class SynthCommand:
    """Render a hand that holds and turns an object, with the exact answer beside it."""

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR")]
    """Truth folder to write."""
    object: Annotated[str, tyro.conf.arg(metavar="SHAPE|MESH")] = "mug"
    """mug, bottle, box, bowl, can, ring, kettle, knife, toy-car, tool, or a mesh file (metres)."""
    motion: Literal["turn", "scan", "still", "everyday", "release"] = "turn"
    """How hand and object move: shown from both sides, from all sides, hardly, under 60 degrees of view, or let go and taken again."""
    frames: int = 60
    """Number of frames, 30 a second."""
    size: int = 480
    """Side of the square picture, pixels."""
    hand: Literal["left", "right"] = "right"
    """Which hand."""
    seed: int = 0
    """Seed of shape, grasp, motion and look."""
    motion_from: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder with the recorded motion of a real hand (Tzionas et al.); takes the place of --motion."""
    hand_model: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Rigged hand (glTF, bones named as in OpenXR) that is filmed instead of the built-in one."""
    camera: Literal["fixed", "moving", "shaky"] = "fixed"
    """How the camera moves in the room."""
    motion_blur: float = 0.0
    """Share of the time between frames during which the shutter is open, 0 to 1."""
    sensor_noise: float = 0.0
    """Standard deviation of added noise, share of white."""
    exposure_drift: float = 0.0
    """Stops by which the exposure rises over the clip."""
    compression: int = 17
    """Rate factor of the video: 17 shows nothing, 35 shows blocks."""
    stated_focal: float | None = None
    """Also write intrinsics.txt for --intrinsics, its focal length this factor of the true one."""
    truth: Literal["basic", "full"] = "basic"
    """full: also whole outlines (masks_amodal), normals, and contacts and penetration in truth.npz."""
    instance: int = 0
    """Which object of the named shape: 0 is the standard one, any other number draws its sizes and form."""
    skin: Literal["textured", "plain", "repeated", "glossy"] = "textured"
    """What the object looks like: rich in detail, one colour, a regular pattern, or one colour with sharp highlights."""
    leaves: float = 0.0
    """Share of the frames, in the middle, in which the object is out of the picture, 0 to 0.5."""
    second_hand: Literal["none", "beside", "holding"] = "none"
    """The hand of the other side: none, open beside the object without touching it, or holding the object as well."""

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        require_seed(self.seed)
        require_folder(self.motion_from, "--motion-from")
        is_file = self.folder.exists() and not self.folder.is_dir()
        if is_file or (self.folder.is_dir() and any(self.folder.iterdir()) and not (self.folder / "truth.json").is_file()):
            raise CannotCreateOutput("HF-SYN-010", f"{str(self.folder)!r} is not empty and no truth folder", "name an empty or a new folder")
        from hoifield.cli.threads import use_threads
        from hoifield.synthetic.clip_recipe import ClipRecipe
        from hoifield.synthetic.make_clip import make_clip

        use_threads()
        recipe = ClipRecipe(
            object=self.object,
            motion=self.motion,
            frames=self.frames,
            size=self.size,
            side=self.hand,
            seed=self.seed,
            motion_from=None if self.motion_from is None else str(self.motion_from),
            hand_model=None if self.hand_model is None else str(self.hand_model),
            camera=self.camera,
            motion_blur=self.motion_blur,
            sensor_noise=self.sensor_noise,
            exposure_drift=self.exposure_drift,
            compression=self.compression,
            stated_focal=self.stated_focal,
            truth=self.truth,
            instance=self.instance,
            skin=self.skin,
            leaves=self.leaves,
            second_hand=self.second_hand,
        )
        with ProgressConsole() as console:
            console.announce(f"rendering {self.frames} frames of a {self.hand} hand with a {Path(self.object).name}")
            make_clip(recipe, self.folder)
            console.announce(f"clip: {self.folder / 'clip.mp4'}")
        return ExitCode.DONE


@dataclass(frozen=True)
class EvaluateCommand:
    """Score a run against a truth folder; every score with unit, alignment and sampling."""

    run_folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """Run folder."""
    truth: Annotated[Path, tyro.conf.arg(metavar="TRUTH")]
    """Truth folder, as `synth` writes it, or a part of HO3D-v3, DexYCB, HOI4D or ARCTIC as docs/real_sets.md names it."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Also write the scores there."""

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        from hoifield.evaluation.evaluate import evaluate
        from hoifield.result.result_folder import read_result
        from hoifield.storage import write_file

        scorecard = evaluate(read_result(self.run_folder / "result"), self.truth)
        for score in scorecard:
            frames = f"{score.count} of {score.total}"
            print(f"{score.name:26s} {score.value:10.4g} {score.unit:8s} floor {score.floor:<10.4g} {frames:12s} {score.alignment}")
        if self.json is not None:
            write_file(self.json, json_format.dumps(scorecard.as_json(), indent=1).encode())
        return ExitCode.DONE
