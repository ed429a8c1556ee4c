"""Batches of pretended fits, driven in this process."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from hoifield.batch.batch_folder import BatchFolder
from hoifield.batch.drive_batch import Engine, drive_batch
from hoifield.batch.fit_orders import FitOptions, order_fit
from hoifield.batch.judge_attempts import ClipRecord
from hoifield.batch.name_clips import gather_clips
from hoifield.runlog.stop_request import StopRequest

PROGRAM = (sys.executable, str(Path(__file__).with_name("pretend_fit.py")))
EngineMaker = Callable[[int], Engine]


def write_clip(path: Path, **plan: object) -> Path:
    """A clip as pretend_fit reads it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"steps": 3, "end": "ok", **plan}))
    return path


def run_batch(clips: list[Path], out: Path, engine: Engine, retry: bool = False) -> dict[str, ClipRecord]:
    """Drives a batch of pretended fits to its end; gives the records by name of the file."""
    options = FitOptions()
    with BatchFolder.open(out, options.identity()) as folder:
        folder.add_clips(gather_clips(clips))
        if retry:
            folder.release_quarantined()
        drive_batch(folder, engine, lambda clip: order_fit(clip, out, options, PROGRAM), StopRequest(), print)
    return {Path(record.path).name: record for record in folder.records.values()}
