"""What a generated clip is made of: enough to make the same clip again."""

from dataclasses import asdict, dataclass
from typing import Any

from hoifield.actors.skinned_model import Side
from hoifield.errors import UsageError
from hoifield.synthetic.motion import MOTION_NAMES, MotionName


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

    def __post_init__(self) -> None:
        if self.frames < 2 or self.size < 32 or self.size % 2:
            raise UsageError(
                "HF-SYN-003",
                f"{self.frames} frames of {self.size} pixels cannot be made",
                "ask for 2 frames or more of an even size from 32",
            )
        if self.motion not in MOTION_NAMES:
            raise UsageError("HF-SYN-004", f"{self.motion!r} is not a motion", f"use one of {', '.join(MOTION_NAMES)}")

    def as_json(self) -> dict[str, Any]:
        """Plain values for truth.json; a mesh file is named without its folder."""
        return {**asdict(self), "object": self.object.replace("\\", "/").rsplit("/", 1)[-1]}
