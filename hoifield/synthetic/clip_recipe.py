"""What a generated clip is made of: enough to make the same clip again."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from hoifield.actors.skinned_model import Side
from hoifield.errors import UsageError
from hoifield.synthetic.camera_path import CAMERA_NAMES, CameraName
from hoifield.synthetic.motion import MOTION_NAMES, MotionName
from hoifield.synthetic.solid_texture import SKIN_NAMES, SkinName

TruthName = Literal["basic", "full"]
TRUTH_NAMES: tuple[TruthName, ...] = get_args(TruthName)
SecondHandName = Literal["none", "beside", "holding"]
SECOND_HAND_NAMES: tuple[SecondHandName, ...] = get_args(SecondHandName)
KNOB_RANGES = {
    "motion_blur": (0.0, 1.0),
    "sensor_noise": (0.0, 0.5),
    "exposure_drift": (-4.0, 4.0),
    "compression": (0.0, 51.0),
    "stated_focal": (0.1, 10.0),
    "instance": (0.0, 2.0**31),
    "leaves": (0.0, 0.5),
}
"""Smallest and largest value of each number that disturbs a clip or picks its object."""


@dataclass(frozen=True)
class ClipRecipe:
    """One generated clip. Everything random follows from `seed`."""

    object: str = "mug"
    """Name of a shape, or path of a mesh file."""
    motion: MotionName = "turn"
    frames: int = 60
    size: int = 480
    """Side of the square picture, pixels."""
    side: Side = "right"
    seed: int = 0
    frames_per_second: float = 30.0
    focal_ratio: float | None = None
    """Focal length as a share of the side; None draws one in [0.95, 1.2] from the seed."""
    motion_from: str | None = None
    """Folder with the recorded motion of a real hand (`recording`); takes the place of `motion`."""
    camera: CameraName = "fixed"
    motion_blur: float = 0.0
    """Share of the time between frames during which the shutter is open."""
    sensor_noise: float = 0.0
    """Standard deviation of noise on top of the camera's own, as a share of white."""
    exposure_drift: float = 0.0
    """Stops by which the exposure rises over the clip."""
    compression: int = 17
    """Constant rate factor of the video: 17 shows nothing, 35 shows blocks."""
    stated_focal: float | None = None
    """Focal length that a fit is told (intrinsics.txt) as a factor on the true one; None tells nothing."""
    truth: TruthName = "basic"
    """`full` adds whole outlines, normals, contacts and penetration."""
    instance: int = 0
    """Which object of the named family: 0 is its standard shape, any other number draws sizes and form."""
    skin: SkinName = "textured"
    """What the object looks like."""
    hand_model: str | None = None
    """A rigged hand in glTF (`load_rigged_hand`) that is filmed in place of the built-in one, which a fit will use."""
    leaves: float = 0.0
    """Share of the frames, in the middle of the clip, in which the object is out of the picture; it goes along with any motion."""
    second_hand: SecondHandName = "none"
    """The hand of the other side: open beside the object without touching it, or holding the object as well, fixed to it."""

    def __post_init__(self) -> None:
        if self.frames < 2 or self.size < 32 or self.size % 2:
            raise UsageError(
                "HF-SYN-003",
                f"{self.frames} frames of {self.size} pixels cannot be made",
                "ask for 2 frames or more of an even size from 32",
            )
        if self.motion not in MOTION_NAMES:
            raise UsageError("HF-SYN-004", f"{self.motion!r} is not a motion", f"use one of {', '.join(MOTION_NAMES)}")
        choices_of = {"camera": CAMERA_NAMES, "truth": TRUTH_NAMES, "skin": SKIN_NAMES, "second_hand": SECOND_HAND_NAMES}
        for name, choices in choices_of.items():
            if getattr(self, name) not in choices:
                raise UsageError("HF-SYN-009", f"{getattr(self, name)!r} is no choice of {name}", f"use one of {', '.join(choices)}")
        if self.second_hand == "holding" and (self.motion == "release" or self.motion_from is not None):
            raise UsageError(
                "HF-SYN-009",
                "a second hand that holds cannot be where the first one lets go or follows a recording",
                "use another motion, or a second hand beside the object",
            )
        for name, (least, most) in KNOB_RANGES.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise UsageError("HF-SYN-009", f"{name} {value:g} cannot be", f"give a number from {least:g} to {most:g}")

    def as_json(self) -> dict[str, Any]:
        """Plain values for truth.json; files and folders are named without where they lie."""
        given = {name: _last_part(getattr(self, name)) for name in ("object", "motion_from", "hand_model")}
        return {**asdict(self), **given}


def _last_part(path: str | None) -> str | None:
    """A path without its folders."""
    return None if path is None else path.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
