"""The run folder: one owner at a time, an identity written once, stages and checkpoints that are complete or absent.

| code       | exit | meaning                                                       |
|------------|------|---------------------------------------------------------------|
| HF-RUN-001 | 73   | the output folder is not empty and not a run folder           |
| HF-RUN-002 | 77   | another process works in the run folder                       |
| HF-RUN-003 | 73   | the run folder belongs to another clip or other options       |
| HF-RUN-004 | 65   | run.json is damaged                                           |
| HF-RUN-005 | 70   | a stage or key name that cannot be a folder name              |
| HF-RUN-008 | 75   | stopped by a signal (`stop_request`)                          |
"""

import contextlib
import errno
import fcntl
import json
import os
import re
import time
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hoifield import file_operations, storage
from hoifield.errors import CannotCreateOutput, ExitCode, HoifieldError, InternalError, Locked, RefusedInput
from hoifield.file_operations import translated_errors
from hoifield.runlog.provenance import package_versions

RUN_SCHEMA = "hoifield.run/1"
KEPT_CHECKPOINTS = 2
_SAFE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")
_STEP_NAME = re.compile(r"^[0-9]{9}$")
_OWN_BEFORE_IDENTITY = re.compile(r"^(LOCK|\.run\.json\.tmp-\d+-[0-9a-f]{32})$")


class RunFolder:
    """An open run folder, locked for this process until `close` or the end of the `with` block (a kill frees it at once)."""

    def __init__(self, path: Path, identity: dict[str, Any], run_id: str, resumed: bool, lock: int) -> None:
        self.path = path
        self.identity = identity
        self.run_id = run_id
        self.resumed = resumed
        """Whether the folder held this run already."""
        self._lock = lock
        self._next_sequence = 1 + max((record["seq"] for record in read_journal(path)), default=-1)

    @classmethod
    def open(cls, path: Path, identity: dict[str, Any]) -> Self:
        """The locked run folder at `path`: created where absent or empty, resumed where its run.json has the same `identity`.

        `identity` is a JSON object (clip sha256, options, seed). Raises CannotCreateOutput (73) for a folder with other things in
        it, another identity or no permission to write, Locked (77) while another process works there, RefusedInput (65) for a
        damaged run.json. Nothing in a foreign folder is touched.
        """
        identity = json.loads(json.dumps(identity, allow_nan=False))
        _refuse_foreign(path)
        with translated_errors(path):
            file_operations.make_folders(path)
        lock = _lock_folder(path)
        try:
            with translated_errors(path):
                storage.remove_leftovers(path, also_living=True)
            _refuse_foreign(path)
            resumed = (path / "run.json").exists()
            if not resumed:
                record = {"schema": RUN_SCHEMA, "run_id": uuid.uuid4().hex, "identity": identity, "versions": package_versions()}
                storage.write_file(path / "run.json", json.dumps(record, indent=1, sort_keys=True).encode("ascii"))
            known = read_run_record(path)
            _require_same_identity(path, known["identity"], identity)
            run = cls(path, identity, known["run_id"], resumed, lock)
            run.journal({"event": "resumed" if resumed else "created", "process": os.getpid()})
            return run
        except BaseException:
            os.close(lock)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            self._journal_failure(error)
        self.close()

    def close(self) -> None:
        """Frees the lock."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def journal(self, event: dict[str, Any]) -> None:
        """Adds an event to journal.jsonl, with its number, the time of day (for people only) and a check sum."""
        record = {**event, "seq": self._next_sequence, "unix_time_s": round(time.time(), 3)}
        storage.append_json_line(self.path / "journal.jsonl", {**record, "crc32": _checksum(record)})
        self._next_sequence += 1

    def stage_folder(self, name: str, key: str) -> Path:
        """Where the stage `name` with the content key `key` lies, or will lie."""
        for part in (name, key):
            if not _SAFE_NAME.match(part):
                raise InternalError("HF-RUN-005", f"{part!r} cannot be the name of a stage folder", "report this")
        return self.path / "stages" / name / key

    def run_stage(self, name: str, key: str, write: Callable[[Path], None]) -> Path:
        """The committed, verified folder of a stage: the one that is there, else what `write(folder)` writes now.

        A damaged one is moved to quarantine/ and made again; the journal says which of the three happened.
        """
        folder = self.stage_folder(name, key)
        if self._is_sound(folder):
            self.journal({"event": "stage reused", "stage": name, "key": key})
            return folder
        started = time.monotonic()
        storage.commit_directory(folder, write)
        self.journal({"event": "stage done", "stage": name, "key": key, "seconds": round(time.monotonic() - started, 3)})
        return folder

    def checkpoint_folders(self) -> tuple[Path, ...]:
        """Folders of the complete checkpoints, oldest first (digests not checked here)."""
        return list_checkpoints(self.path)

    def commit_checkpoint(self, step: int, write: Callable[[Path], None]) -> Path:
        """Commits what `write(folder)` writes as the checkpoint of `step`, then removes all but the newest two.

        Nothing older is removed before the new one is durable and complete.
        """
        folder = self.path / "ckpt" / f"{step:09d}"
        previous = self.checkpoint_folders()
        size = sum(path.stat().st_size for path in previous[-1].rglob("*")) if previous else 0
        storage.commit_directory(folder, write, expected_bytes=size)
        storage.verify_committed(folder)
        for old in self.checkpoint_folders()[:-KEPT_CHECKPOINTS]:
            storage.discard_folder(old)
        self.journal({"event": "checkpoint", "step": step})
        return folder

    def latest_checkpoint(self) -> Path | None:
        """The newest checkpoint whose digests are right, None for none; damaged newer ones go to quarantine/ and into the journal."""
        for folder in reversed(self.checkpoint_folders()):
            if self._is_sound(folder):
                return folder
        return None

    def _journal_failure(self, error: BaseException) -> None:
        """Keeps what ended the run, so that whoever lists runs can say it."""
        match error:
            case HoifieldError():
                code, message, exit_code = error.code, error.cause, error.exit_code
            case KeyboardInterrupt():
                code, message, exit_code = "KeyboardInterrupt", "stopped by Ctrl-C", ExitCode.INTERRUPTED
            case _:
                code, message, exit_code = type(error).__name__, str(error), ExitCode.INTERNAL
        # A disk that refuses this line has mostly caused the error, which must not be hidden behind a second one.
        with contextlib.suppress(HoifieldError):
            self.journal({"event": "failed", "code": code, "message": message, "exit_code": exit_code})

    def _is_sound(self, folder: Path) -> bool:
        """Whether a committed folder passes its digests; a damaged one is moved out of the way and journalled."""
        if not folder.exists():
            return False
        try:
            storage.verify_committed(folder)
        except RefusedInput as damage:
            quarantine = self.path / "quarantine"
            target = quarantine / f"{folder.parent.name}-{folder.name}-{uuid.uuid4().hex[:8]}"
            with translated_errors(target):
                file_operations.make_folders(quarantine)
                file_operations.rename(folder, target)
            self.journal({"event": "quarantined", "folder": folder.relative_to(self.path).as_posix(), "cause": damage.cause})
            return False
        return True


def list_checkpoints(path: Path) -> tuple[Path, ...]:
    """Folders of the complete checkpoints of the run folder `path`, oldest first (digests not checked); () where there is no run."""
    folder = path / "ckpt"
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    return tuple(entry for entry in entries if _STEP_NAME.match(entry.name) and storage.is_committed(entry))


def read_run_record(path: Path) -> dict[str, Any]:
    """The content of run.json: schema, run_id, identity, versions. Raises RefusedInput HF-RUN-004 where it is damaged."""
    try:
        record = json.loads((path / "run.json").read_bytes())
    except (OSError, ValueError) as error:
        raise _damaged_record(path) from error
    sound = isinstance(record, dict) and record.get("schema") == RUN_SCHEMA and isinstance(record.get("identity"), dict)
    if not sound or not isinstance(record.get("run_id"), str):
        raise _damaged_record(path)
    return record


def read_journal(path: Path) -> list[dict[str, Any]]:
    """The events of a run folder's journal in order; those whose check sum is wrong are left out."""
    events = []
    for record in storage.read_json_lines(path / "journal.jsonl"):
        checksum = record.pop("crc32", None)
        if checksum == _checksum(record) and isinstance(record.get("seq"), int):
            events.append(record)
    return events


def _refuse_foreign(path: Path) -> None:
    """Raises CannotCreateOutput HF-RUN-001 for a path that holds something else."""
    if not os.path.lexists(path):
        return
    remedy = "choose another folder with --out, or move this one aside"
    if not path.is_dir():
        raise CannotCreateOutput("HF-RUN-001", f"{str(path)!r} is a file, not a folder", remedy)
    with translated_errors(path):
        names = [entry.name for entry in path.iterdir()]
    if "run.json" in names:
        return
    foreign = [name for name in names if not _OWN_BEFORE_IDENTITY.match(name)]
    if foreign:
        cause = f"{str(path)!r} holds {len(foreign)} entries (first {min(foreign)!r}) and no run.json: it is not a run folder"
        raise CannotCreateOutput("HF-RUN-001", cause, remedy)


def _require_same_identity(path: Path, known: dict[str, Any], asked: dict[str, Any]) -> None:
    """Raises CannotCreateOutput HF-RUN-003 that names what differs. What an older version did not know of was not asked for."""
    there, here = _flat(known), _flat(asked)
    differing = [
        f"{name} ({_short(there.get(name))} there, {_short(here.get(name))} asked)"
        for name in sorted(there.keys() | here.keys())
        if there.get(name) != here.get(name)
    ]
    if differing:
        cause = f"{str(path)!r} holds another run: it differs in {', '.join(differing)}"
        raise CannotCreateOutput("HF-RUN-003", cause, "choose another folder with --out, or run with the options of that run to resume it")


def _flat(identity: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Names of options, those of parts as part/name, with their values."""
    flat: dict[str, Any] = {}
    for name, value in identity.items():
        flat |= _flat(value, f"{prefix}{name}/") if isinstance(value, dict) else {prefix + name: value}
    return flat


def _short(value: object) -> str:
    """A value as a person tells it from another: sums of files by their first digits."""
    text = "none" if value is None else str(value)
    return f"{text[:12]}..." if len(text) > 24 else text


def _lock_folder(path: Path) -> int:
    """Descriptor of the held LOCK file; raises Locked HF-RUN-002 that names the holder."""
    lock_path = path / "LOCK"
    with translated_errors(lock_path):
        descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        with translated_errors(lock_path):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
    except BaseException as error:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno in (errno.EAGAIN, errno.EACCES):
            remedy = "wait until it is done, or choose another folder with --out"
            raise Locked("HF-RUN-002", f"process {holder or 'unknown'} works in {str(path)!r}", remedy) from error
        raise
    return descriptor


def _damaged_record(path: Path) -> RefusedInput:
    """The refusal for an unreadable run.json."""
    return RefusedInput("HF-RUN-004", f"{str(path / 'run.json')!r} is damaged or from another version", "choose another folder with --out")


def _checksum(record: dict[str, Any]) -> int:
    """CRC-32 of a record in canonical form."""
    return zlib.crc32(json.dumps(record, sort_keys=True, separators=(",", ":")).encode("ascii"))
