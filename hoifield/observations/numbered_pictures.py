"""Folders of pictures that belong to frames of a clip, `%06d.png`: masks and depth that the user gives."""

import re
from pathlib import Path

_NAME = re.compile(r"\d{6}\.png")


def find_pictures(folder: Path) -> list[Path]:
    """The folder's PNG files by name; hidden ones are left out."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() == ".png" and not path.name.startswith("."))


def frame_of(path: Path, frame_count: int) -> int | None:
    """The frame that a file's name says; None where it says none of the clip."""
    frame = int(path.stem) if _NAME.fullmatch(path.name) else -1
    return frame if 0 <= frame < frame_count else None


def has_aspect(width: int, height: int, clip_size: tuple[int, int]) -> bool:
    """Whether a picture has the aspect of the clip (width, height), to 1 % and a pixel."""
    return abs(width / height / (clip_size[0] / clip_size[1]) - 1.0) <= 0.01 + 1.0 / min(width, height)
