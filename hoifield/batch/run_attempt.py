"""One attempt at one clip: a process of its own in a session of its own, and how it ended.

Everything here happens on the machine that fits. What the process starts bears a mark in its environment, so that all of it can be found and
ended, in whatever session it is and whoever its parent has become.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoifield import file_operations
from hoifield.batch import die_with_parent
from hoifield.batch.judge_attempts import NO_PROGRESS, AttemptEnding, Progress
from hoifield.errors import ExitCode, HoifieldError
from hoifield.file_operations import translated_errors
from hoifield.runlog.run_folder import list_checkpoints
from hoifield.storage import is_committed

RUN_MARK = "HOIFIELD_BATCH_RUN"
"""Environment variable of everything that works on a run: its run folder."""
ATTEMPT_MARK = "HOIFIELD_BATCH_ATTEMPT"
"""Environment variable of everything that one attempt started: a random number."""
GRACE_S = 30.0
"""Seconds that a fit has to save and stop."""
POLL_S = 0.05
LONGEST_TAIL = 4096
LONGEST_MESSAGE, MOST_CODES = 300, 6
_ERROR_LINE = re.compile(r"^(HF-[A-Z]{3}-\d{3}): (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class AttemptOrder:
    """What is to be run."""

    clip: str
    """Name in the batch."""
    command: tuple[str, ...]
    run: str
    """Run folder, absolute."""
    log: str
    """File for what the process prints; that of an earlier attempt is replaced."""


class Attempt:
    """A running attempt."""

    def __init__(self, order: AttemptOrder, environment: dict[str, str]) -> None:
        """Starts the process, after ending what earlier attempts left behind on this machine. `environment` is added to this process's own."""
        self.order = order
        self._started = time.monotonic()
        self._failure: HoifieldError | None = None
        self._mark = uuid.uuid4().hex
        end_processes(RUN_MARK, order.run)
        leash = (sys.executable, "-S", "-I", die_with_parent.__file__, str(os.getpid()))
        log = Path(order.log)
        try:
            with translated_errors(log):
                file_operations.make_folders(log.parent)
                with log.open("wb") as stream:
                    self._process = subprocess.Popen(
                        (*leash, *order.command), stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True,
                        env={**os.environ, **environment, RUN_MARK: order.run, ATTEMPT_MARK: self._mark},
                    )  # fmt: skip
        except HoifieldError as failure:
            self._failure = failure

    def poll(self) -> AttemptEnding | None:
        """How it ended; None while it runs."""
        seconds = time.monotonic() - self._started
        if self._failure is not None:
            return AttemptEnding(self._failure.exit_code, seconds, NO_PROGRESS, codes=(self._failure.code,), message=self._failure.cause)
        if self._process.poll() is None:
            return None
        end_processes(ATTEMPT_MARK, self._mark)  # not those of the run: another batch may work on it by now
        return describe_ending(self.order, self._process.returncode, seconds)

    def ask_to_stop(self) -> None:
        """Asks the fit to save and stop."""
        if self._failure is None and self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """Ends the fit and everything it started, at once."""
        if self._failure is None:
            end_processes(ATTEMPT_MARK, self._mark)
            self._process.wait()


def stop_attempts(attempts: Iterable[Attempt]) -> list[tuple[str, AttemptEnding]]:
    """Stops all of them: asked first, killed after GRACE_S seconds. Gives the clips' names and how they ended."""
    attempts = list(attempts)
    for attempt in attempts:
        attempt.ask_to_stop()
    deadline = time.monotonic() + GRACE_S
    while any(attempt.poll() is None for attempt in attempts) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    for attempt in attempts:
        attempt.kill()
    return [(attempt.order.clip, ending) for attempt in attempts if (ending := attempt.poll()) is not None]


def end_processes(variable: str, value: str) -> None:
    """Kills every process on this machine that bears a mark, and waits until they are gone, at most GRACE_S seconds."""
    deadline = time.monotonic() + GRACE_S
    while (found := list(find_processes(variable, value))) and time.monotonic() < deadline:
        for process in found:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(POLL_S / 5)


def find_processes(variable: str, value: str) -> Iterator[int]:
    """Numbers of this user's living processes whose environment has `variable` as `value`."""
    mark = os.fsencode(f"{variable}={value}")
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:  # ended meanwhile, or another user's
                continue
            if mark in environment.split(b"\0"):
                yield int(entry.name)


def read_progress(run: Path) -> Progress:
    """How far the run in a run folder has come; NO_PROGRESS where there is none."""
    checkpoints = list_checkpoints(run)
    outputs = sum(is_committed(run / name) for name in ("result", "report"))
    stages = sum(is_committed(folder) for folder in (run / "stages").glob("*/*"))
    return outputs, int(checkpoints[-1].name) if checkpoints else -1, stages


def describe_ending(order: AttemptOrder, exit_code: int, seconds: float) -> AttemptEnding:
    """What the run folder and the log say about a process that ended with `exit_code` after `seconds`."""
    run = Path(order.run)
    progress = read_progress(run)
    result = _read_result(run) if progress[0] == 2 and exit_code in (ExitCode.DONE, ExitCode.REFUSED) else None
    if result is None:
        codes, message = _read_last_words(Path(order.log))
        return AttemptEnding(exit_code, round(seconds, 3), progress, codes=codes, message=message)
    codes = tuple(dict.fromkeys(str(reason["code"]) for reason in result["reasons"]))[:MOST_CODES]
    message = shorten_message(result["reasons"][0]["message"]) if codes else ""
    return AttemptEnding(exit_code, round(seconds, 3), progress, result["status"], codes, message, dict(result["quality"]))


def shorten_message(text: object) -> str:
    """The start of a text, without letters that steer a terminal."""
    return "".join(letter if letter.isprintable() and letter < "\U00010000" else "\ufffd" for letter in str(text)[:LONGEST_MESSAGE])


def _read_result(run: Path) -> dict[str, Any] | None:
    """result.json of a finished run; None where it cannot be read. Read without numpy: this runs once for every clip of thousands."""
    try:
        result = json.loads((run / "result" / "result.json").read_bytes())
        sound = result["status"] in ("ok", "degraded", "refused") and isinstance(result["reasons"], list) and isinstance(result["quality"], dict)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return result if sound else None


def _read_last_words(log: Path) -> tuple[tuple[str, ...], str]:
    """(code of the error that a log ends with, its cause); without one, no code and the last lines."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - LONGEST_TAIL))
            tail = stream.read().decode("utf-8", "replace")
    except OSError as error:
        return (), f"the log cannot be read: {error.strerror}"
    errors = _ERROR_LINE.findall(tail)
    if errors:
        return (errors[-1][0],), shorten_message(errors[-1][1])
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    return (), shorten_message(" / ".join(lines[-3:])[-LONGEST_MESSAGE:])
