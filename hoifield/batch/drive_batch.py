"""The loop of a batch: starts attempts where there is room, takes in how they ended, until every clip is in its final state.

| code       | exit | meaning                                                       |
|------------|------|---------------------------------------------------------------|
| HF-BAT-002 | 69   | something that every clip needs is missing                    |
| HF-BAT-003 | 74   | the disk is full                                              |
| HF-BAT-009 | –    | a fit ended with 0 and left no result                         |
| HF-BAT-010 | –    | a clip died three times without a newer checkpoint            |
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from hoifield.batch.batch_folder import BatchFolder
from hoifield.batch.judge_attempts import NO_SPACE, AttemptEnding, ClipRecord, concerns_whole_batch
from hoifield.batch.name_clips import BatchClip
from hoifield.batch.run_attempt import AttemptOrder
from hoifield.errors import HoifieldError, InputOutputFailure, MissingDependency
from hoifield.runlog.stop_request import StopRequest

GO_ON = "see to it, then run the same command again; it goes on"


class Engine(Protocol):
    """Where attempts run."""

    def has_room(self) -> bool:
        """Whether another attempt may start now."""

    def start(self, order: AttemptOrder) -> None:
        """Starts an attempt."""

    def wait(self) -> list[tuple[str, AttemptEnding]]:
        """The attempts that ended since, by the name of their clip, after a short wait at most."""

    def stop(self) -> list[tuple[str, AttemptEnding]]:
        """Stops what runs, letting it save, and gives how it ended; closes the engine."""


def drive_batch(
    folder: BatchFolder, engine: Engine, order: Callable[[BatchClip], AttemptOrder], stop: StopRequest, announce: Callable[[str], None]
) -> None:
    """Brings every clip of the folder to its final state; one that died is tried again after all others.

    Raises Interrupted (75) after a signal, MissingDependency (HF-BAT-002) and InputOutputFailure (HF-BAT-003) where all clips would end the
    same way. What ran is stopped then, and the same call goes on.
    """
    waiting = deque(folder.unfinished())
    clips = {clip.name: clip for clip in waiting}
    running = 0
    try:
        while waiting or running:
            stop.raise_if_requested()
            while waiting and engine.has_room():
                clip = waiting.popleft()
                folder.note_start(clip.name)
                engine.start(order(clip))
                running += 1
            troubles = []
            for name, ending in engine.wait():
                running -= 1
                if concerns_whole_batch(ending):
                    folder.note_stop(name, ending)
                    troubles.append(_trouble(name, ending))
                    continue
                record = folder.note_end(name, ending)
                announce(_line(record, ending))
                if record.outcome is None:
                    waiting.append(clips[name])
            folder.write_overview()
            if troubles:
                raise troubles[0]
    finally:
        for name, ending in engine.stop():
            folder.note_stop(name, ending)
        folder.write_overview(now=True)


def _trouble(name: str, ending: AttemptEnding) -> HoifieldError:
    """The error that ends the batch."""
    cause = f"{name} ended with exit code {ending.exit_code}, as every clip would: {' '.join(ending.codes)} {ending.message}"
    if NO_SPACE in ending.codes:
        return InputOutputFailure("HF-BAT-003", cause, GO_ON)
    return MissingDependency("HF-BAT-002", cause, GO_ON)


def _line(record: ClipRecord, ending: AttemptEnding) -> str:
    """What a person is told when an attempt ended."""
    if record.outcome is None:
        return f"{record.name}: died (exit code {ending.exit_code}) after {ending.seconds:.0f} s, is tried again"
    why = f": {' '.join(record.codes)} {record.message}" if record.codes else ""
    return f"{record.name}: {record.outcome} after {record.seconds:.0f} s{why}"
