"""Programs in child processes, side by side: one that stalls or dies is started once more, then given up with a reason.

A program that works is never cut short, however slow the machine: it is stalled only when it neither computes nor waits for a core or the
disk. So a clock tells the dead from the living and nothing else.
"""

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
"""Environment of the programs: cores are shared out among programs, not within one."""
IDLE_SHARE = 0.02
"""Of the time watched: what a thread computes that only wakes up to look whether it may go on."""
LONGEST_REASON = 200


@dataclass(frozen=True)
class WatchLimits:
    """When a program is given up."""

    stall_s: float = 30.0
    """Seconds in which a living program does something."""
    attempts: int = 2
    poll_s: float = 0.05


class _Attempt:
    """One run of a program."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        with log.open("wb") as stream:
            # a session of its own: Ctrl-C at the terminal is for the parent, which stops its programs when it stops
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env=os.environ | ONE_THREAD, start_new_session=True
            )
        self.log = log
        self.watch_anew()

    def watch_anew(self) -> None:
        self.polls, self.awake, self.computed_s = 0, 0, self._activity()[0]

    def _activity(self) -> tuple[float, bool]:
        """Seconds computed so far by all threads, and whether it is computing, or waiting for a core or the disk, just now."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0, True
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), fields[0] in "RD"

    def is_stalled(self, limits: WatchLimits) -> bool:
        """Called once a poll. Polls are counted, not seconds: a machine that slept does not make its programs look stalled."""
        computed_s, awake = self._activity()
        self.polls += 1
        self.awake += awake
        if self.polls * limits.poll_s < limits.stall_s:
            return False
        still = computed_s - self.computed_s < IDLE_SHARE * limits.stall_s and self.awake < max(IDLE_SHARE * self.polls, 1)
        self.watch_anew()
        return still

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def last_words(self) -> str:
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return (": " + " / ".join(lines[-2:])[-LONGEST_REASON:]) if lines else ""


class WatchedPrograms:
    """Context manager that runs commands side by side, at most one a core, earlier ones first; leaving it stops those still running.

    The commands must give the same result each time they run, since a stalled one runs twice.
    """

    def __init__(self, commands: Sequence[Sequence[str]], folder: Path, limits: WatchLimits) -> None:
        self.failures: list[str | None] = [None] * len(commands)
        """For each command why it was given up, empty where it ended well; None before it ended."""
        self._commands, self._folder, self._limits = commands, folder, limits
        self._running: dict[int, _Attempt] = {}
        self._attempts = [0] * len(commands)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for attempt in self._running.values():
            attempt.stop()
        self._running.clear()

    def wait_for(self, index: int) -> str:
        """Why the command was given up, empty where it ended well; looks after the others meanwhile."""
        while True:
            self._start_what_fits()
            for number in list(self._running):
                self._look_after(number)
            failure = self.failures[index]
            if failure is not None:
                return failure
            time.sleep(self._limits.poll_s)

    def _start_what_fits(self) -> None:
        cores = len(os.sched_getaffinity(0))
        for number, failure in enumerate(self.failures):
            if failure is None and number not in self._running and len(self._running) < cores:
                self._attempts[number] += 1
                self._running[number] = _Attempt(self._commands[number], self._folder / f"program_{number}.log")

    def _look_after(self, number: int) -> None:
        attempt = self._running[number]
        status = attempt.process.poll()
        if status is None and not attempt.is_stalled(self._limits):
            return
        attempt.stop()
        del self._running[number]
        if status == 0:
            self.failures[number] = ""
        elif self._attempts[number] >= self._limits.attempts:
            ended = "stalled" if status is None else f"died of signal {-status}" if status < 0 else f"ended with status {status}"
            self.failures[number] = f"{ended}, {self._attempts[number]} times{attempt.last_words()}"
