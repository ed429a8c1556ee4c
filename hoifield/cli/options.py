"""Options that need more than a type."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hoifield.errors import ConfigurationError, MissingInput, UsageError

if TYPE_CHECKING:
    from hoifield.shapes.draw_family import ShapeName


def parse_object_point(text: str | None) -> tuple[float, float, int] | None:
    """(x, y, frame) of "X,Y" or "X,Y,FRAME"; frame 0 where none is named. Raises UsageError (HF-CFG-001)."""
    if text is None:
        return None
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    sound = len(numbers) in (2, 3) and all(math.isfinite(number) and number >= 0 for number in numbers)
    if not sound or (len(numbers) == 3 and not numbers[2].is_integer()):
        raise UsageError("HF-CFG-001", f"--object-point {text!r} is not X,Y or X,Y,FRAME", "give pixels of the clip, for example 320,240,0")
    return numbers[0], numbers[1], int(numbers[2]) if len(numbers) == 3 else 0


def parse_prior(text: str) -> Literal["auto", "on", "off"] | Path:
    """The --prior that is meant. Raises MissingInput (HF-CFG-011) for a file that is not there."""
    match text:
        case "auto":
            return "auto"
        case "on":
            return "on"
        case "off":
            return "off"
    if not Path(text).is_file():
        raise MissingInput("HF-CFG-011", f"--prior {text!r} is not a file", "give auto, on, off, or the weights that `hoifield prior train` wrote")
    return Path(text)


def parse_template(text: str | None) -> "Path | ShapeName | None":
    """The --template that is meant: a file, or the family that a word names. Raises MissingInput (HF-CFG-013) for what is neither."""
    from hoifield.shapes.draw_family import SHAPE_NAMES, find_shape_name

    if text is None or Path(text).is_file():
        return None if text is None else Path(text)
    name = find_shape_name(text)
    if name is None:
        raise MissingInput("HF-CFG-013", f"--template {text!r} is neither a file nor a kind of object", f"name a mesh, or one of {', '.join(SHAPE_NAMES)}")
    return name


def require_folder(path: Path | None, option: str) -> None:
    """Raises MissingInput (HF-CFG-002) for a folder that is not there."""
    if path is not None and not path.is_dir():
        raise MissingInput("HF-CFG-002", f"{option} {str(path)!r} is not a folder", "name a folder that exists")


def require_max_frames(frames: int | None) -> None:
    """Raises ConfigurationError (HF-CFG-003) for fewer frames than a clip must have."""
    if frames is not None and frames < 8:
        raise ConfigurationError("HF-CFG-003", f"--max-frames {frames} is less than 8", "give at least 8")


def require_seed(seed: int) -> None:
    """Raises ConfigurationError (HF-CFG-004) for a seed below 0, which no random generator takes."""
    if seed < 0:
        raise ConfigurationError("HF-CFG-004", f"--seed {seed} is below 0", "give 0 or more")


def require_port(port: int) -> None:
    """Raises UsageError (HF-CFG-012) for a number that no port has."""
    if not 0 <= port <= 65535:
        raise UsageError("HF-CFG-012", f"--port {port} is not from 0 to 65535", "leave --port out, or name another")


def require_sam2_weights(weights: Path | None, masks: Path | None, object_point: tuple[float, float, int] | None) -> None:
    """Raises what `sam2_masks.require_sam2` raises, before any work, where weights are named."""
    if weights is not None:
        from hoifield.observations.sam2_masks import require_sam2

        require_sam2(weights, masks is not None or object_point is not None)
