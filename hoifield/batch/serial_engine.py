"""Attempts as child processes of this one: one at a time, or one for each GPU."""

import os
import re
import time
from pathlib import Path

from hoifield.batch.judge_attempts import AttemptEnding
from hoifield.batch.run_attempt import POLL_S, Attempt, AttemptOrder, stop_attempts


class SerialEngine:
    """Runs at most `at_once` attempts; the GPUs, where there are any, are dealt out among them, else the cores."""

    def __init__(self, at_once: int, gpus: tuple[str, ...] = ()) -> None:
        self._environments = [_share(number, at_once, gpus) for number in range(at_once)]
        self._running: dict[int, Attempt] = {}

    def has_room(self) -> bool:
        """Whether a place is free."""
        return len(self._running) < len(self._environments)

    def start(self, order: AttemptOrder) -> None:
        """Starts an attempt in the first free place."""
        place = next(number for number in range(len(self._environments)) if number not in self._running)
        self._running[place] = Attempt(order, self._environments[place])

    def wait(self) -> list[tuple[str, AttemptEnding]]:
        """The attempts that ended, after POLL_S seconds."""
        time.sleep(POLL_S)
        ended = []
        for place, attempt in list(self._running.items()):
            ending = attempt.poll()
            if ending is not None:
                del self._running[place]
                ended.append((attempt.order.clip, ending))
        return ended

    def stop(self) -> list[tuple[str, AttemptEnding]]:
        """Stops all attempts, each with everything that it started."""
        ended = stop_attempts(self._running.values())
        self._running.clear()
        return ended


def visible_gpus() -> tuple[str, ...]:
    """Numbers or names of the GPUs that this process may use: CUDA_VISIBLE_DEVICES where it is set, else those of the machine."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return tuple(word.strip() for word in named.split(",") if word.strip() not in ("", "-1"))
    found = (re.fullmatch(r"nvidia(\d+)", entry.name) for entry in Path("/dev").iterdir())
    return tuple(str(number) for number in sorted(int(match[1]) for match in found if match))


def _share(number: int, at_once: int, gpus: tuple[str, ...]) -> dict[str, str]:
    """Environment of the attempts in one place."""
    if gpus:
        return {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]}
    if at_once == 1 or "OMP_NUM_THREADS" in os.environ:
        return {}
    return {"OMP_NUM_THREADS": str(max(1, len(os.sched_getaffinity(0)) // at_once))}
