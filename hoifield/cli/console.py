"""What a person sees: progress bars on a terminal, plain lines elsewhere; errors with cause and remedy."""

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

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


def print_error(error: HoifieldError) -> None:
    """Code, cause and remedy on the error stream."""
    sys.stderr.write(f"{error.code}: {printable(error.cause)}\n  try: {printable(error.remedy)}\n")


def printable(text: str) -> str:
    """Text without control characters and undecodable bytes, so that a hostile file name cannot steer a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text.encode("utf-8", "replace").decode("utf-8"))
