"""The few file operations that storage is made of, each one counted so that a test can make any of them fail.

`HF_FAULT=crash@17` ends the process at the 17th operation as `kill -9` would (a write stops half-way); `enospc@17`, `eio@17` and
`eacces@17` make it raise that error. Without the variable the operations only count.
"""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hoifield.errors import CannotCreateOutput, HoifieldError, InputOutputFailure

FAULT_VARIABLE = "HF_FAULT"
CRASH_STATUS = 137
_FAULT_ERRNO = {"enospc": errno.ENOSPC, "eio": errno.EIO, "eacces": errno.EACCES}
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_NOT_WRITABLE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOENT,
    errno.EEXIST, errno.EINVAL, errno.EILSEQ,
}  # fmt: skip


class OperationCounter:
    """Counts file operations of this process and says which one must fail."""

    def __init__(self) -> None:
        self.count = 0

    def next_fault(self) -> str | None:
        """Name of the fault that this operation must show, None for none."""
        self.count += 1
        plan = os.environ.get(FAULT_VARIABLE)
        if not plan:
            return None
        kind, _, number = plan.partition("@")
        return kind if number.isdigit() and self.count == int(number) else None


operations = OperationCounter()


def _count_operation() -> None:
    """Counts one operation without data; fails it when the plan says so."""
    fault = operations.next_fault()
    if fault == "crash":
        os._exit(CRASH_STATUS)
    if fault is not None:
        raise OSError(_FAULT_ERRNO[fault], os.strerror(_FAULT_ERRNO[fault]))


@contextmanager
def translated_errors(path: Path) -> Iterator[None]:
    """Turns operating-system errors about `path` into typed ones: no space or a broken device 74, not writable 73."""
    try:
        yield
    except HoifieldError:
        raise
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        if error.errno in _NO_SPACE:
            cause = f"no space is left for {path} ({free_bytes(path) / 1e6:.1f} MB free)"
            raise InputOutputFailure("HF-OUT-001", cause, "free some space and run the same command again; it resumes") from error
        if error.errno in _NOT_WRITABLE:
            cause = f"cannot write {path}: {reason}"
            raise CannotCreateOutput("HF-OUT-002", cause, "choose another folder with --out, or change its permissions") from error
        cause = f"reading or writing {path} failed: {reason}"
        raise InputOutputFailure("HF-OUT-003", cause, "check the disk and run the same command again; it resumes") from error


def free_bytes(path: Path) -> int:
    """Bytes that this user can still write on the file system of `path` (or of its nearest existing parent)."""
    for folder in (path, *path.parents):
        if folder.is_dir():
            return shutil.disk_usage(folder).free
    return 0


def make_folder(folder: Path) -> None:
    """Creates one folder, which must not exist."""
    _count_operation()
    os.mkdir(folder)


def make_folders(folder: Path) -> None:
    """Creates a folder and its missing parents durably; nothing happens for those that exist."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    try:
        make_folder(folder)
    except FileExistsError:
        if not folder.is_dir():
            raise
    sync_folder(folder.parent)


def write_new_file(path: Path, content: bytes) -> None:
    """Creates `path` with `content` and syncs it; refuses anything that already bears the name, links included."""
    _count_operation()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        _write_all(descriptor, content)
        _count_operation()
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def append_to_file(path: Path, content: bytes, durable: bool) -> None:
    """Adds `content` at the end of `path`, after cutting off a torn last line left by a crash."""
    _count_operation()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        end = _end_of_last_line(descriptor)
        if end != os.fstat(descriptor).st_size:
            _count_operation()
            os.ftruncate(descriptor, end)
        os.lseek(descriptor, end, os.SEEK_SET)
        _write_all(descriptor, content)
        if durable:
            _count_operation()
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Waits until the content of an existing regular file is on the disk."""
    _count_operation()
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Waits until the names in a folder are on the disk."""
    _count_operation()
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rename(source: Path, target: Path) -> None:
    """Renames within one file system, atomically."""
    _count_operation()
    os.rename(source, target)


def replace(source: Path, target: Path) -> None:
    """Renames a file over another one, atomically."""
    _count_operation()
    os.replace(source, target)


def remove_file(path: Path) -> None:
    """Removes one file."""
    _count_operation()
    os.unlink(path)


def remove_folder(folder: Path) -> None:
    """Removes a folder that this program made, with its content; links are removed, not followed."""
    _count_operation()
    shutil.rmtree(folder)


def _write_all(descriptor: int, content: bytes) -> None:
    """Writes every byte; a planned fault leaves half of them, as a crash or a full disk does."""
    fault = operations.next_fault()
    view = memoryview(content)
    if fault is not None:
        os.write(descriptor, view[: len(view) // 2])
        if fault == "crash":
            os._exit(CRASH_STATUS)
        raise OSError(_FAULT_ERRNO[fault], os.strerror(_FAULT_ERRNO[fault]))
    while view:
        view = view[os.write(descriptor, view) :]


def _end_of_last_line(descriptor: int) -> int:
    """Offset just behind the last newline (0 when there is none)."""
    size = os.fstat(descriptor).st_size
    block = 4096
    position = size
    while position > 0:
        start = max(0, position - block)
        newline = os.pread(descriptor, position - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        position = start
    return 0
