"""Nothing in the repository names a folder of one machine."""

import os
import re
from pathlib import Path

import pytest
from source_files import ROOT, write_tree

TEXT_SUFFIXES = {".py", ".md", ".toml", ".lock", ".js", ".css", ".html", ".json", ".yaml", ".yml", ".sh", ".txt", ".cfg", ".dockerfile", ""}
LEFT_OUT = {"build", "dist", "demo", "runs", "observations", "wandb", "__pycache__"}
"""Written by running the program; `observations` only at the top, where the command puts it."""
HOMES = r"(?<![\w.:/-])/(?:home|Users|root|work|tmp|mnt|scratch)/[\w.]+"
WINDOWS = r"\b[A-Z]:\\\\?Users\b"
MACHINE_PATH = re.compile(f"{HOMES}|{WINDOWS}")


def find_machine_paths(folder: Path) -> list[str]:
    """file:line of every absolute path below a home, work or temporary folder."""
    found = []
    for path in _text_files(folder):
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            found += [f"{path.relative_to(folder).as_posix()}:{number}: {match}" for match in MACHINE_PATH.findall(line)]
    return found


def _text_files(folder: Path) -> list[Path]:
    paths = []
    for place, folders, names in os.walk(folder):
        left_out = LEFT_OUT if Path(place) == folder else {"__pycache__"}
        kept = (name for name in folders if name not in left_out and not name.endswith(".egg-info"))
        folders[:] = sorted(name for name in kept if not name.startswith(".") or name == ".ci")
        paths += [Path(place) / name for name in sorted(names) if Path(name).suffix.lower() in TEXT_SUFFIXES]
    return paths


def test_no_file_names_a_folder_of_one_machine():
    assert find_machine_paths(ROOT) == []


@pytest.mark.parametrize("top", ["home", "work", "tmp"])
def test_the_check_finds_paths(tmp_path, top):
    path = f"/{top}" + "/someone"
    folder = write_tree(tmp_path, {"a.md": f"see `{path}/clip.mp4`\nhttps://example.org{path} and runs{path}\n", ".git/b.md": path})
    assert find_machine_paths(folder) == [f"a.md:1: {path}"]
