"""How a run stands, read from its folder: finished in one of three ways, failed, stopped, killed, or at work."""

import fcntl
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hoifield.runlog.run_folder import read_journal, read_run_record

RunStatus = Literal["ok", "degraded", "refused", "failed", "stopped", "killed", "running", "absent"]
_RESUMABLE = 75
_PICTURE_NAME = re.compile(r"^(\d{9})-(.+)\.jpg$")


@dataclass(frozen=True)
class RunStanding:
    """What a run folder says of its run, whatever became of it."""

    name: str
    """Of the folder."""
    status: RunStatus
    """ok, degraded, refused: as the result says; failed: by an error; stopped: on request, resumable; killed: without a word; absent: no run."""
    reasons: tuple[dict[str, Any], ...]
    """Each {code, message, frames}; those of the result, or what ended the run."""
    config: dict[str, str | int | float | bool | None]
    """Everything that decided the outcome, flat: options, clip, versions."""
    run_id: str
    """Empty where the folder holds no run.json."""
    clip: dict[str, Any]
    """{name, sha256}, and what else the result says of it."""
    summary: dict[str, Any] | None
    """The content of result.json; None where there is none."""


def read_standing(run: Path) -> RunStanding:
    """The standing of the run in a folder. Raises RefusedInput HF-RUN-004 where run.json, HF-OUT-011 where the journal is damaged."""
    record = read_run_record(run) if (run / "run.json").exists() else {}
    summary = _read_result(run)
    status, reasons = _judge(run, bool(record), summary)
    identity = record.get("identity", {})
    clip = {"name": _clip_name(run), "sha256": str(identity.get("clip", "")), **(summary or {}).get("clip", {})}
    config = flatten_config({**identity, "versions": record.get("versions", {})})
    return RunStanding(run.resolve().name, status, reasons, config, record.get("run_id", ""), clip, summary)


def stage_picture_name(stage: str, step: int) -> str:
    """Name, in RUN/pictures, of the picture of a stage that ended with a step (counted over all stages)."""
    return f"{step:09d}-{stage}.jpg"


def find_stage_pictures(run: Path) -> Iterator[tuple[int, str, Path]]:
    """(step, stage, file) of every picture of a stage's end, by step."""
    for path in sorted((run / "pictures").glob("*.jpg")):
        match = _PICTURE_NAME.match(path.name)
        if match:
            yield int(match.group(1)), match.group(2), path


def flatten_config(options: dict[str, Any], prefix: str = "") -> dict[str, str | int | float | bool | None]:
    """Nested options as flat keys joined by '/', without dots, which wandb splits at; lists become text."""
    flat: dict[str, str | int | float | bool | None] = {}
    for key, value in options.items():
        name = f"{prefix}{key}".replace(".", "_")
        if isinstance(value, dict):
            flat.update(flatten_config(value, f"{name}/"))
        elif isinstance(value, int | float | bool) or value is None:
            flat[name] = value
        else:
            flat[name] = str(value)
    return flat


def _judge(run: Path, is_run: bool, summary: dict[str, Any] | None) -> tuple[RunStatus, tuple[dict[str, Any], ...]]:
    if summary is not None:
        return summary["status"], tuple(summary["reasons"])
    if not is_run:
        return "absent", ()
    if _is_locked(run):
        return "running", ()
    last = [event for event in read_journal(run) if event["event"] in ("created", "resumed", "failed")][-1:]
    if last and last[0]["event"] == "failed":
        status: RunStatus = "stopped" if last[0]["exit_code"] == _RESUMABLE else "failed"
        return status, (_reason(last[0]["code"], last[0]["message"]),)
    return "killed", (_reason("HF-RUN-015", "the process ended without a word; the same command resumes"),)


def _reason(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "frames": []}


def _read_result(run: Path) -> dict[str, Any] | None:
    """The content of result.json where it has what a standing needs; what else it lacks is for `result` to say."""
    try:
        document = json.loads((run / "result" / "result.json").read_bytes())
    except (OSError, ValueError):
        return None
    sound = isinstance(document, dict) and isinstance(document.get("reasons"), list) and isinstance(document.get("clip"), dict)
    return document if sound and document.get("status") in ("ok", "degraded", "refused") else None


def _clip_name(run: Path) -> str:
    """Of the file that the journal names last; empty where it names none."""
    named = [str(event["path"]) for event in read_journal(run) if event["event"] == "clip"]
    return Path(named[-1]).stem if named else ""


def _is_locked(run: Path) -> bool:
    """Whether a process works in the folder."""
    try:
        descriptor = os.open(run / "LOCK", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
