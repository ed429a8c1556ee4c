"""The batch folder: a run folder whose journal says what became of each clip, so that any driver goes on where another stopped.

Everything known follows from the journal: the clips, each start, each ending. A start without an ending is an attempt that went with its
batch. That is a death of the clip only where no attempt at all ended while that batch lived: then the clip may be what kills batches; else it
would be blamed for a batch that others brought forward. Overviews (batch.json, batch.csv, batch.html) are written from it and never read.
"""

import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from hoifield.batch.batch_page import render_batch_page
from hoifield.batch.batch_table import describe_batch, write_csv, write_json
from hoifield.batch.fit_orders import run_place
from hoifield.batch.judge_attempts import AttemptEnding, ClipRecord, begin, interrupt, judge, release
from hoifield.batch.name_clips import BatchClip
from hoifield.batch.run_attempt import read_progress
from hoifield.runlog.run_folder import RunFolder, read_journal
from hoifield.storage import write_file

OVERVIEW_EVERY_S = 2.0
OVERVIEW_SHARE = 0.05
"""Of the time, at most, that goes into overviews: those of ten thousand clips are written less often than those of ten."""


class BatchFolder:
    """An open batch folder, locked for this process until the end of the `with` block."""

    def __init__(self, run: RunFolder) -> None:
        self.path = run.path
        self.records: dict[str, ClipRecord] = {}
        """The state of every clip, by name, in the order in which they were named."""
        self._run = run
        self._overview_due = 0.0
        events = read_journal(run.path)
        for event in events:
            self._apply(event)
        self._last_life_was_barren = _is_last_life_barren(events[:-1])

    @classmethod
    def open(cls, path: Path, identity: dict[str, Any]) -> Self:
        """The locked batch folder at `path`, with attempts closed that went with an earlier batch.

        Raises what `RunFolder.open` raises: Locked (77) while another batch works there, CannotCreateOutput (73) for a folder with other
        things in it or with clips fitted under other options.
        """
        folder = cls(RunFolder.open(path, identity))
        try:
            for name in [name for name, record in folder.records.items() if record.running]:
                progress = read_progress(folder.path / run_place(name))
                ending = AttemptEnding(-signal.SIGKILL, 0.0, progress, message="the batch ended before the clip did")
                folder._note({"event": "died" if folder._last_life_was_barren else "stopped", "clip": name, **ending.as_json()})
        except BaseException:
            folder.close()
            raise
        return folder

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Frees the lock."""
        self._run.close()

    def add_clips(self, clips: Sequence[BatchClip]) -> None:
        """Takes up the clips that the folder does not know yet."""
        new = [[clip.name, clip.path] for clip in clips if clip.name not in self.records]
        if new:
            self._note({"event": "clips", "clips": new})

    def release_quarantined(self) -> None:
        """Lets quarantined clips be tried again."""
        for name, record in self.records.items():
            if record.outcome == "quarantined":
                self._note({"event": "released", "clip": name})

    def unfinished(self) -> list[BatchClip]:
        """The clips with something left to do."""
        return [BatchClip(record.name, record.path) for record in self.records.values() if record.outcome is None]

    def note_start(self, name: str) -> None:
        """An attempt is about to start."""
        self._note({"event": "started", "clip": name})

    def note_end(self, name: str, ending: AttemptEnding) -> ClipRecord:
        """An attempt ended by itself; gives the record of the clip then."""
        self._note({"event": "ended", "clip": name, **ending.as_json()})
        return self.records[name]

    def note_stop(self, name: str, ending: AttemptEnding) -> None:
        """An attempt was stopped by the batch."""
        self._note({"event": "stopped", "clip": name, **ending.as_json()})

    def write_overview(self, now: bool = False) -> None:
        """Writes batch.json, batch.csv and batch.html whole: `now`, or when enough time has gone by since the last time."""
        started = time.monotonic()
        if not now and started < self._overview_due:
            return
        records = list(self.records.values())
        write_file(self.path / "batch.json", write_json(describe_batch(records)))
        write_file(self.path / "batch.csv", write_csv(records))
        write_file(self.path / "batch.html", render_batch_page(self.path.name, records).encode("utf-8"))
        ended = time.monotonic()
        self._overview_due = ended + max(OVERVIEW_EVERY_S, (ended - started) / OVERVIEW_SHARE)

    def _note(self, event: dict[str, Any]) -> None:
        """Journals an event, then lets it count: what is known here is never ahead of the disk."""
        self._run.journal(event)
        self._apply(event)

    def _apply(self, event: dict[str, Any]) -> None:
        """Moves the records on by one event of the journal."""
        if event["event"] == "clips":
            for name, path in event["clips"]:
                self.records.setdefault(name, ClipRecord(name, path))
            return
        record = self.records.get(event.get("clip", ""))
        if record is None:  # the run folder's own events
            return
        match event["event"]:
            case "started":
                record = begin(record)
            case "ended" | "died":
                record = judge(record, AttemptEnding.from_json(event))
            case "stopped":
                record = interrupt(record, AttemptEnding.from_json(event))
            case "released":
                record = release(record)
        self.records[record.name] = record


def _is_last_life_barren(events: list[dict[str, Any]]) -> bool:
    """Whether no attempt ended since the folder was opened last, before this time."""
    for event in reversed(events):
        if event["event"] in ("created", "resumed"):
            return True
        if event["event"] == "ended":
            return False
    return True
