"""What a person sees: progress bars on a terminal, plain lines elsewhere; errors with cause and remedy."""

import sys
import time
from collections.abc import Mapping

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from hoifield.batch.batch_table import count_states
from hoifield.batch.judge_attempts import ClipRecord
from hoifield.errors import HoifieldError

PLAIN_EVERY_S = 20.0


class ProgressConsole:
    """Announces lines and steps; use as a context manager so that the bar is put away."""

    def __init__(self) -> None:
        self._console = Console(stderr=False, highlight=False, soft_wrap=True)
        self._progress: Progress | None = None
        self._tasks: dict[str, int] = {}
        self._last_plain = time.monotonic()

    def __enter__(self) -> "ProgressConsole":
        if self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
            self._progress = Progress(*columns, console=self._console)
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def announce(self, line: str) -> None:
        """One line."""
        self._console.print(line, markup=False)

    def announce_step(self, stage: str, done: int, steps: int) -> None:
        """A step of a stage: moves its bar, or prints a line now and then."""
        if self._progress is not None:
            if stage not in self._tasks:
                self._tasks[stage] = self._progress.add_task(stage, total=steps)
            self._progress.update(self._tasks[stage], completed=done)  # type: ignore[arg-type]
        elif done == steps or time.monotonic() - self._last_plain > PLAIN_EVERY_S:
            self._last_plain = time.monotonic()
            self.announce(f"{stage}: {done} of {steps}")


class BatchConsole:
    """Announces lines; on a terminal a table of what runs stands below them. Use as a context manager so that it is put away."""

    def __init__(self, records: Mapping[str, ClipRecord]) -> None:
        """`records` is looked at whenever the table is drawn."""
        self._records = records
        self._console = Console(stderr=False, highlight=False, soft_wrap=True)
        self._live: Live | None = None

    def __enter__(self) -> "BatchConsole":
        if self._console.is_terminal:
            self._live = Live(console=self._console, get_renderable=self._draw, refresh_per_second=2)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def announce(self, line: str) -> None:
        """One line; without a terminal it also says how many clips have ended."""
        counts = count_states(list(self._records.values()))
        ended = len(self._records) - counts["unfinished"]
        self._console.print(printable(line if self._live is not None else f"[{ended} of {len(self._records)}] {line}"), markup=False)

    def _draw(self) -> Table:
        records = list(self._records.values())
        counts = count_states(records)
        table = Table(title=f"{len(records)} clips: " + ", ".join(f"{count} {state}" for state, count in counts.items() if count))
        for heading in ("running", "attempt", "seconds of earlier attempts"):
            table.add_column(heading)
        for record in records:
            if record.running:
                table.add_row(record.name, str(record.attempts), f"{record.seconds:.0f}")
        return table


def print_error(error: HoifieldError) -> None:
    """Code, cause and remedy on the error stream."""
    sys.stderr.write(f"{error.code}: {printable(error.cause)}\n  try: {printable(error.remedy)}\n")


def printable(text: str) -> str:
    """Text without control characters and undecodable bytes, so that a hostile file name cannot steer a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text.encode("utf-8", "replace").decode("utf-8"))
