"""The clips of a batch, each with a name of its own that does not depend on the others."""

import hashlib
import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v"})
MOST_WORDS, DIGITS = 24, 10


@dataclass(frozen=True)
class BatchClip:
    """One clip: what it is called in the batch, and where it lies."""

    name: str
    """Letters of the file's name and ten digits of the digest of its path: a-z, 0-9, '-' and '_'."""
    path: str
    """Absolute, links followed."""


def gather_clips(paths: Sequence[Path]) -> tuple[BatchClip, ...]:
    """The clips in the order given, each once however often it is named.

    A folder that holds videos (mp4, mov, mkv, avi, webm, m4v) and no other visible file stands for its videos; any other path is a clip
    itself, whether it exists or not.
    """
    named = [name_batch_clip(clip) for path in paths for clip in _expand(path)]
    return tuple(dict.fromkeys(named))


def name_batch_clip(path: Path) -> BatchClip:
    """The clip at `path`. The name is made from the path alone, so that it stays when clips come and go."""
    place = path.resolve()
    plain = unicodedata.normalize("NFKD", place.stem).encode("ascii", "ignore").decode("ascii")
    words = re.sub(r"[^a-z0-9_]+", "-", plain.lower()).strip("-_")[:MOST_WORDS].strip("-_") or "clip"
    return BatchClip(f"{words}-{hashlib.sha256(os.fsencode(place)).hexdigest()[:DIGITS]}", str(place))


def _expand(path: Path) -> list[Path]:
    """The videos of a folder of videos, in order of their names; else the path."""
    if not path.is_dir():
        return [path]
    files = sorted(entry for entry in path.iterdir() if entry.is_file() and not entry.name.startswith("."))
    only_videos = bool(files) and all(entry.suffix.lower() in VIDEO_SUFFIXES for entry in files)
    return files if only_videos else [path]
