"""Run as a program: does storage work in forked children that crash at every file operation, and checks what is left.

A program of its own because only a process without threads may fork safely; the tests read the JSON that it prints.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from hoifield import file_operations, storage
from hoifield.errors import Locked
from hoifield.runlog.run_folder import RunFolder

CONTENT = {"mesh.bin": b"\x01" * 1000, "deep/poses.bin": b"\x02" * 5000}
MOST_OPERATIONS = 120


def write_content(folder: Path) -> None:
    (folder / "deep").mkdir()
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)


def write_naively(final: Path) -> None:
    """What many programs do: write to the final name, and skip what exists; the negative control."""
    if not final.is_dir():
        file_operations.make_folder(final)
    for name, content in CONTENT.items():
        path = final / name
        if not path.parent.is_dir():
            file_operations.make_folder(path.parent)
        if not path.exists():
            file_operations.write_new_file(path, content)


def is_whole(final: Path) -> bool:
    return all((final / name).is_file() and (final / name).read_bytes() == content for name, content in CONTENT.items())


def crash(number: int, work: Callable[[], None]) -> int:
    """Exit status of a child that does `work` and is killed at operation `number`."""
    child = os.fork()
    if child == 0:
        os.environ[file_operations.FAULT_VARIABLE] = f"crash@{number}"
        file_operations.operations.count = 0
        status = 99
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def commit(folder: Path, number: int) -> tuple[int, bool]:
    final = folder / "artifact"
    status = crash(number, lambda: storage.commit_directory(final, write_content))
    sound = not final.exists() or (storage.is_committed(final) and is_whole(final))
    storage.commit_directory(final, write_content)
    storage.verify_committed(final)
    return status, sound and is_whole(final) and [path.name for path in folder.iterdir()] == ["artifact"]


def naive(folder: Path, number: int) -> tuple[int, bool]:
    final = folder / "artifact"
    status = crash(number, lambda: write_naively(final))
    write_naively(final)
    return status, is_whole(final)


def replacement(folder: Path, number: int) -> tuple[int, bool]:
    final = folder / "artifact"
    storage.commit_directory(final, lambda temporary: (temporary / "old.bin").write_bytes(b"old") and None)
    status = crash(number, lambda: storage.commit_directory(final, write_content))
    if final.exists():
        storage.verify_committed(final)
    storage.commit_directory(final, write_content)
    return status, is_whole(final)


def one_file(folder: Path, number: int) -> tuple[int, bool]:
    path = folder / "run.json"
    storage.write_file(path, b"old content")
    status = crash(number, lambda: storage.write_file(path, b"new and longer content"))
    sound = path.read_bytes() in (b"old content", b"new and longer content")
    storage.remove_leftovers(folder)
    return status, sound and [entry.name for entry in folder.iterdir()] == ["run.json"]


def checkpoint(folder: Path, number: int) -> tuple[int, bool]:
    """The third checkpoint crashes while it is written or while the first is removed."""

    def write_third() -> None:
        with RunFolder.open(folder / "run", {"clip": "a"}) as run:
            file_operations.operations.count = 0
            run.commit_checkpoint(3, write_content)

    with RunFolder.open(folder / "run", {"clip": "a"}) as run:
        for step in (1, 2):
            run.commit_checkpoint(step, write_content)
    os.environ.pop(file_operations.FAULT_VARIABLE, None)
    status = crash(number, write_third)
    with RunFolder.open(folder / "run", {"clip": "a"}) as run:
        latest = run.latest_checkpoint()
        sound = latest is not None and latest.name in ("000000002", "000000003") and is_whole(latest)
        run.commit_checkpoint(3, write_content)
        kept = sorted(path.name for path in (folder / "run" / "ckpt").iterdir())
    return status, sound and kept == ["000000002", "000000003"] and not (folder / "run" / "quarantine").exists()


def race(folder: Path) -> list[int]:
    """Exit statuses of two processes that open one run folder; the winner holds on until the loser has gone."""
    held, release = os.pipe()
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            os.close(release)
            status = 99
            try:
                RunFolder.open(folder / "run", {"clip": "a"})
                os.read(held, 1)
                status = 0
            except Locked as error:
                status = error.exit_code
            finally:
                os._exit(status)
        children.append(child)
    first, status = os.waitpid(-1, 0)
    os.close(release)
    (other,) = [child for child in children if child != first]
    statuses = [os.waitstatus_to_exitcode(status), os.waitstatus_to_exitcode(os.waitpid(other, 0)[1])]
    os.close(held)
    return statuses


def main() -> None:
    scenario, root = sys.argv[1], Path(sys.argv[2])
    if scenario == "race":
        folders = [root / str(number) for number in range(10)]
        for folder in folders:
            folder.mkdir()
        sys.stdout.write(json.dumps([race(folder) for folder in folders]))
        return
    run = {"commit": commit, "naive": naive, "replacement": replacement, "one_file": one_file, "checkpoint": checkpoint}[scenario]
    outcomes = []
    for number in range(1, MOST_OPERATIONS):
        folder = root / str(number)
        folder.mkdir()
        outcomes.append(run(folder, number))
        if outcomes[-1][0] == 0:
            break
    sys.stdout.write(json.dumps(outcomes))


if __name__ == "__main__":
    main()
