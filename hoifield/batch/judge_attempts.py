"""What becomes of a clip: the ending of each attempt moves its record on, until it is done, degraded, refused or quarantined.

An attempt that dies is tried again without limit as long as attempts get further: dying is the machine's fault until three attempts in a
row leave no newer checkpoint behind. Counting attempts alone would lose long clips on machines that are taken away often.
"""

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, assert_never

from hoifield.errors import ExitCode

Outcome = Literal["done", "degraded", "refused", "quarantined"]
OUTCOMES: tuple[Outcome, ...] = ("done", "degraded", "refused", "quarantined")
MOST_DEATHS = 3
"""Attempts in a row that may die without a newer checkpoint."""
LOCKED_RUN = "HF-RUN-002"
NO_SPACE = "HF-OUT-001"
_TRY_AGAIN = (ExitCode.INPUT_OUTPUT, ExitCode.INTERRUPTED)

Progress = tuple[int, int, int]
"""Outputs complete (result, report), step of the newest checkpoint (-1 for none), stages complete: later is greater."""
NO_PROGRESS: Progress = (0, -1, 0)


@dataclass(frozen=True)
class AttemptEnding:
    """How one attempt ended; small, because it travels between machines and is kept as one line."""

    exit_code: int
    """Of the process; below 0 the number of the signal that killed it."""
    seconds: float
    progress: Progress
    """What lay in the run folder afterwards."""
    status: Literal["ok", "degraded", "refused"] | None = None
    """Of the result; None without one."""
    codes: tuple[str, ...] = ()
    """Of the reasons of the result, or of the error that ended the process."""
    message: str = ""
    """The first reason, or the last lines of the log."""
    quality: dict[str, float | None] = field(default_factory=dict)
    """As in result.json."""

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "AttemptEnding":
        """The ending that `as_json` gave; other keys are left out."""
        known = {each.name: record[each.name] for each in fields(cls) if each.name in record}
        first, step, stages = known["progress"]
        return cls(**{**known, "progress": (first, step, stages), "codes": tuple(known["codes"])})


@dataclass(frozen=True)
class ClipRecord:
    """What is known of one clip of the batch."""

    name: str
    path: str
    outcome: Outcome | None = None
    """None while there is something left to do."""
    running: bool = False
    attempts: int = 0
    """Started so far."""
    deaths: int = 0
    """Attempts in a row that died without a newer checkpoint."""
    progress: Progress = NO_PROGRESS
    """The furthest that an attempt came."""
    seconds: float = 0.0
    """Of all attempts together."""
    codes: tuple[str, ...] = ()
    message: str = ""
    quality: dict[str, float | None] = field(default_factory=dict)


def begin(record: ClipRecord) -> ClipRecord:
    """The record once an attempt has started."""
    return replace(record, running=True, attempts=record.attempts + 1)


def judge(record: ClipRecord, ending: AttemptEnding) -> ClipRecord:
    """The record after an attempt ended by itself."""
    further = ending.progress > record.progress
    record = replace(_taken_in(record, ending), codes=ending.codes, message=ending.message, quality=ending.quality)
    verdict = _verdict(ending)
    if verdict == "died":
        record = replace(record, deaths=0 if further else record.deaths + 1)
        if record.deaths < MOST_DEATHS:
            return record
        how = f"signal {-ending.exit_code}" if ending.exit_code < 0 else f"exit code {ending.exit_code}"
        return _quarantine(record, "HF-BAT-010", f"died {record.deaths} times without a newer checkpoint, last with {how}: {ending.message}")
    if ending.exit_code == ExitCode.DONE and ending.status is None:
        return _quarantine(record, "HF-BAT-009", f"ended with exit code 0 and left no readable result: {ending.message}")
    return replace(record, outcome=verdict, deaths=0)


def interrupt(record: ClipRecord, ending: AttemptEnding) -> ClipRecord:
    """The record after an attempt that the batch itself stopped: no death; what it had finished by then counts."""
    return judge(record, ending) if ending.exit_code in (ExitCode.DONE, ExitCode.REFUSED) else _taken_in(record, ending)


def release(record: ClipRecord) -> ClipRecord:
    """The record of a quarantined clip that is to be tried again."""
    return replace(record, outcome=None, deaths=0)


def concerns_whole_batch(ending: AttemptEnding) -> bool:
    """Whether every other clip would end so too: something is not installed, a file beside the clip is missing, the disk is full."""
    about_the_clip = any(code.startswith("HF-VID-") for code in ending.codes)
    missing_beside_clip = ending.exit_code == ExitCode.MISSING_INPUT and not about_the_clip
    return ending.exit_code == ExitCode.MISSING_DEPENDENCY or missing_beside_clip or NO_SPACE in ending.codes


def _quarantine(record: ClipRecord, code: str, message: str) -> ClipRecord:
    return replace(record, outcome="quarantined", codes=(code, *record.codes), message=message)


def _taken_in(record: ClipRecord, ending: AttemptEnding) -> ClipRecord:
    return replace(record, running=False, progress=max(record.progress, ending.progress), seconds=record.seconds + ending.seconds)


def _verdict(ending: AttemptEnding) -> Outcome | Literal["died"]:
    """What one ending says by itself."""
    if ending.exit_code == ExitCode.REFUSED:
        return "refused"
    if ending.exit_code == ExitCode.DONE:
        return _outcome_of(ending.status)
    killed = ending.exit_code < 0 or ending.exit_code > 128
    return "died" if killed or ending.exit_code in _TRY_AGAIN or LOCKED_RUN in ending.codes else "quarantined"


def _outcome_of(status: Literal["ok", "degraded", "refused"] | None) -> Outcome:
    match status:
        case "ok":
            return "done"
        case "degraded" | "refused":
            return status
        case None:
            return "quarantined"
        case _:
            assert_never(status)
