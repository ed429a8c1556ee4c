"""batch.json and batch.csv: one row for every clip."""

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from hoifield.batch.fit_orders import log_place, run_place
from hoifield.batch.judge_attempts import OUTCOMES, ClipRecord
from hoifield.report.quality_names import QUALITY

SCHEMA = "hoifield.batch/1"
UNFINISHED = "unfinished"
STATES = (*OUTCOMES, UNFINISHED)
QUALITY_NAMES = tuple(key for key, *_ in QUALITY)


def state_of(record: ClipRecord) -> str:
    """Its outcome, or "unfinished"."""
    return record.outcome or UNFINISHED


def count_states(records: Sequence[ClipRecord]) -> dict[str, int]:
    """How many clips are in each state; the numbers sum to that of the clips."""
    counted = Counter(state_of(record) for record in records)
    return {state: counted[state] for state in STATES}


def describe_batch(records: Sequence[ClipRecord]) -> dict[str, Any]:
    """The document of batch.json: `clips` is their number, `counts` that of each state, `rows` one object a clip; seconds, metres as in
    result.json."""
    rows = [
        {
            "name": record.name, "path": record.path, "state": state_of(record), "codes": list(record.codes), "message": record.message,
            "attempts": record.attempts, "seconds": round(record.seconds, 1), "quality": record.quality,
            "run": run_place(record.name), "log": log_place(record.name),
        }
        for record in records
    ]  # fmt: skip
    return {"schema": SCHEMA, "clips": len(records), "counts": count_states(records), "rows": rows}


def write_json(document: dict[str, Any]) -> bytes:
    """The bytes of a document, one row a line."""
    head = json.dumps({key: value for key, value in document.items() if key != "rows"}, allow_nan=False)
    rows = ",\n".join(json.dumps(row, allow_nan=False) for row in document["rows"])
    return f'{head[:-1]}, "rows": [\n{rows}\n]}}\n'.encode("ascii")


def write_csv(records: Sequence[ClipRecord]) -> bytes:
    """The bytes of batch.csv: UTF-8, one header line; letters of a path that are none stay the bytes they were."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(("name", "state", "codes", "attempts", "seconds", *QUALITY_NAMES, "run", "path"))
    for record in records:
        quality = ["" if record.quality.get(name) is None else f"{record.quality[name]:.6g}" for name in QUALITY_NAMES]
        row = (record.name, state_of(record), " ".join(record.codes), record.attempts, f"{record.seconds:.1f}", *quality)
        writer.writerow((*row, run_place(record.name), record.path))
    return stream.getvalue().encode("utf-8", "surrogateescape")
