"""Files that survive a crash: whole folders committed by one rename, whole files replaced, lines appended.

The rule for a folder: write into a temporary folder beside the target, sync every file, write DONE (a manifest with sizes and
digests) last, sync, rename, sync the parent. A folder with a valid DONE is complete; anything else does not count.
"""

import hashlib
import json
import os
import re
import uuid
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from hoifield import file_operations
from hoifield.errors import CannotCreateOutput, InputOutputFailure, RefusedInput
from hoifield.file_operations import translated_errors

DONE_NAME = "DONE"
_LEFTOVER = re.compile(r"^\..+\.(tmp|trash)-(\d+)-[0-9a-f]{32}$")
_LONGEST_MANIFEST = 16 * 1024 * 1024


def commit_directory(final: Path, write: Callable[[Path], None], expected_bytes: int = 0) -> None:
    """Makes `final` hold what `write(folder)` writes: all of it with a DONE manifest, or nothing new.

    A folder committed earlier under the same name is replaced; a folder without DONE is somebody else's and is refused.
    Raises CannotCreateOutput (73) where the target cannot be written, InputOutputFailure (74) for a full or failing disk
    (also before writing, when less than 2.2 x `expected_bytes` are free). What was there before stays in both cases.
    """
    with translated_errors(final):
        file_operations.make_folders(final.parent)
        remove_leftovers(final.parent)
        _require_replaceable(final)
        require_free_space(final.parent, expected_bytes)
        temporary = _hidden_name(final, "tmp")
        file_operations.make_folder(temporary)
        try:
            write(temporary)
            _seal(temporary)
            _move_into_place(temporary, final)
        except BaseException:
            _remove_quietly(temporary)
            raise


def is_committed(folder: Path) -> bool:
    """Whether `folder` has a DONE manifest and every file in it exists with the size named there."""
    manifest = _read_manifest(folder)
    if manifest is None:
        return False
    return all(_size_of(folder / name) == entry["size"] for name, entry in manifest.items())


def verify_committed(folder: Path) -> None:
    """Checks the sha256 of every file of a committed folder; raises RefusedInput (HF-OUT-010) that names the first damaged one."""
    remedy = f"move {folder.name!r} aside and run the command that made it again"
    manifest = _read_manifest(folder)
    if manifest is None:
        raise RefusedInput("HF-OUT-010", f"{folder} has no valid {DONE_NAME} manifest: it was not completed", remedy)
    for name, entry in manifest.items():
        size = _size_of(folder / name)
        if size != entry["size"]:
            found = "missing" if size is None else f"{size} bytes"
            raise RefusedInput("HF-OUT-010", f"{folder / name} is {found} instead of {entry['size']} bytes", remedy)
        if sha256_of(folder / name) != entry["sha256"]:
            raise RefusedInput("HF-OUT-010", f"{folder / name} is damaged: its sha256 differs from the manifest", remedy)


def write_file(path: Path, content: bytes) -> None:
    """Makes `path` hold `content`, atomically and durably: after a crash the old or the new content is there, never a mixture."""
    with translated_errors(path):
        file_operations.make_folders(path.parent)
        temporary = _hidden_name(path, "tmp")
        try:
            file_operations.write_new_file(temporary, content)
            file_operations.replace(temporary, path)
        except BaseException:
            _remove_quietly(temporary)
            raise
        file_operations.sync_folder(path.parent)


def append_json_line(path: Path, record: dict[str, Any], durable: bool = True) -> None:
    """Adds one JSON object as a line to `path`; a torn last line left by a crash is cut off first. One writer at a time."""
    line = json.dumps(record, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
    with translated_errors(path):
        file_operations.append_to_file(path, line, durable)


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """The objects in `path`, one per line, [] when the file is absent. A torn last line is ignored; a broken line before it raises
    RefusedInput (HF-OUT-011)."""
    if not path.exists():
        return []
    with translated_errors(path):
        lines = path.read_bytes().split(b"\n")
    records: list[dict[str, Any]] = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise RefusedInput("HF-OUT-011", f"line {number} of {path} is damaged", "restore the file from a copy") from error
        if not isinstance(record, dict):
            raise RefusedInput("HF-OUT-011", f"line {number} of {path} is not an object", "restore the file from a copy")
        records.append(record)
    return records


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file's content, read in blocks."""
    with translated_errors(path), path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def require_free_space(folder: Path, expected_bytes: int) -> None:
    """Raises InputOutputFailure (HF-OUT-001) unless 2.2 x `expected_bytes` are free: old and new must fit side by side."""
    needed = int(2.2 * expected_bytes)
    free = file_operations.free_bytes(folder)
    if needed > free:
        cause = f"{needed / 1e6:.1f} MB are needed in {folder} and {free / 1e6:.1f} MB are free"
        raise InputOutputFailure("HF-OUT-001", cause, "free some space and run the same command again; it resumes")


def cache_folder() -> Path:
    """Folder for what can be computed again: HOIFIELD_CACHE, or ~/.cache/hoifield. Created when absent."""
    named = os.environ.get("HOIFIELD_CACHE")
    folder = Path(named) if named else Path.home() / ".cache" / "hoifield"
    with translated_errors(folder):
        file_operations.make_folders(folder)
    return folder


def discard_folder(folder: Path) -> None:
    """Removes a folder that this program committed: hidden by a rename first, so that no reader sees half of it."""
    with translated_errors(folder):
        hidden = _hidden_name(folder, "trash")
        file_operations.rename(folder, hidden)
        file_operations.remove_folder(hidden)


def remove_leftovers(folder: Path, also_living: bool = False) -> None:
    """Removes temporary files and folders that ended processes left directly in `folder`; with `also_living`, which needs the
    run's lock, those that bear the number of a living process too. Other names are never touched."""
    for entry in list(folder.iterdir()) if folder.is_dir() else []:
        match = _LEFTOVER.match(entry.name)
        if match and (also_living or not _is_alive(int(match.group(2)))):
            _remove_quietly(entry)


def _hidden_name(final: Path, purpose: str) -> Path:
    """A new hidden name beside `final` that says what it is for and which process made it."""
    return final.parent / f".{final.name[:80]}.{purpose}-{os.getpid()}-{uuid.uuid4().hex}"


def _require_replaceable(final: Path) -> None:
    """Refuses a target that this program did not commit and that is not an empty folder."""
    if not os.path.lexists(final):
        return
    empty = final.is_dir() and not final.is_symlink() and not any(final.iterdir())
    if not empty and (final.is_symlink() or _read_manifest(final) is None):
        cause = f"{final} exists and was not made by a completed hoifield step"
        raise CannotCreateOutput("HF-OUT-004", cause, "move it aside or choose another folder with --out")


def _seal(folder: Path) -> None:
    """Syncs every file below `folder` and writes the DONE manifest last."""
    manifest: dict[str, dict[str, Any]] = {}
    folders = [folder]
    for path in sorted(folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            folders.append(path)
            continue
        file_operations.sync_file(path)
        name = path.relative_to(folder).as_posix()
        manifest[name] = {"size": path.stat().st_size, "sha256": sha256_of(path)}
    content = json.dumps(manifest, indent=1, sort_keys=True).encode("ascii")
    file_operations.write_new_file(folder / DONE_NAME, content)
    for path in reversed(folders):
        file_operations.sync_folder(path)


def _move_into_place(temporary: Path, final: Path) -> None:
    """Renames a sealed folder to its final name; an earlier one is hidden first and removed last."""
    hidden = None
    if final.is_dir() and any(final.iterdir()):
        hidden = _hidden_name(final, "trash")
        file_operations.rename(final, hidden)
    try:
        file_operations.rename(temporary, final)
    except OSError:
        if hidden is not None:
            os.rename(hidden, final)
        raise
    file_operations.sync_folder(final.parent)
    if hidden is not None:
        _remove_quietly(hidden)


def _read_manifest(folder: Path) -> dict[str, dict[str, Any]] | None:
    """The DONE manifest of a folder, None where it is absent, unreadable or names a file outside the folder."""
    path = folder / DONE_NAME
    try:
        if path.is_symlink() or path.stat().st_size > _LONGEST_MANIFEST:
            return None
        manifest = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(manifest, dict):
        return None
    for name, entry in manifest.items():
        inside = not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts
        if not inside or not isinstance(entry, dict) or set(entry) != {"size", "sha256"}:
            return None
    return manifest


def _size_of(path: Path) -> int | None:
    """Bytes of a regular file, None where there is none."""
    try:
        return path.lstat().st_size if path.is_file() and not path.is_symlink() else None
    except OSError:
        return None


def _is_alive(process: int) -> bool:
    """Whether a process with this number runs on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _remove_quietly(path: Path) -> None:
    """Removes a temporary file or folder; what cannot be removed is left, because readers ignore it and the next start tries again."""
    try:
        if path.is_dir() and not path.is_symlink():
            file_operations.remove_folder(path)
        elif os.path.lexists(path):
            file_operations.remove_file(path)
    except OSError:
        return
