"""The pip settings of this machine, for a builder that sees none of its folders: local wheels, indexes and certificates go along."""

import ast
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SOURCES = ("find-links", "index-url", "extra-index-url")
"""Settings that say where packages come from."""
PYPI = "https://pypi.org/simple"
PLACE = "/pip-of-the-host"
"""Folder in the builder below which local files appear: at their own paths they would stand in the way of packages that bring the same."""


@dataclass(frozen=True)
class PipSettings:
    """What a builder gets."""

    text: str
    """A pip.conf; empty where this machine has no settings."""
    mounts: tuple[tuple[Path, str], ...]
    """Local files and folders that it names, and where the builder has to see them."""
    index: str | None
    """Where torch comes from too; None where nothing is said of sources, so that PyTorch's own index serves."""


def read_pip_settings() -> PipSettings:
    """The settings of the pip of this Python, from its files and the environment."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return translate_settings(listed, lambda path: path.exists())


def translate_settings(listed: str, exists: Callable[[Path], bool]) -> PipSettings:
    """What `pip config list` printed, with every local path replaced by the builder's; `exists` says what is local."""
    values = _values(listed)
    mounts: dict[Path, str] = {}
    lines = []
    for key, value in values.items():
        words = [_moved(word, mounts, exists) for word in value.split()]
        lines.append(f"{key} = {' '.join(words)}\n")
    index = values.get("index-url", PYPI) if any(key in values for key in SOURCES) else None
    return PipSettings("[global]\n" + "".join(lines) if lines else "", tuple(mounts.items()), index)


def _values(listed: str) -> dict[str, str]:
    """Settings that `pip install` reads, the environment's last because it wins."""
    lines = [line.partition("=") for line in listed.splitlines() if "=" in line]
    found: dict[str, str] = {}
    for section in ("global.", "install.", ":env:."):
        for name, _, quoted in lines:
            if name.startswith(section):
                found[name.removeprefix(section)] = str(ast.literal_eval(quoted))
    return found


def _moved(word: str, mounts: dict[Path, str], exists: Callable[[Path], bool]) -> str:
    """The word, or the builder's name of the local file or folder that it names."""
    scheme = "file://" if word.startswith("file://") else ""
    path = Path(word.removeprefix(scheme))
    if not path.is_absolute() or not exists(path):
        return word
    # The pages of an index link to files beside it, so its parent goes along.
    whole, rest = (path.parent, f"/{path.name}") if scheme else (path, "")
    return scheme + mounts.setdefault(whole, f"{PLACE}/{len(mounts)}-{whole.name}") + rest
