"""Signals as a flag: SIGTERM or Ctrl-C asks a loop to stop at its next step; a second Ctrl-C stops at once."""

import signal
from types import FrameType, TracebackType
from typing import Self

from hoifield.errors import Interrupted

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class StopRequest:
    """Context manager that turns SIGTERM, SIGINT and SIGUSR1 (Slurm's warning) into `requested`; use it in the main thread.

    The handler only sets the flag, so nothing is cut half-way. The handlers that were there before are put back at the end.
    """

    def __init__(self) -> None:
        self.requested = False
        self.signal_name = ""
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous if previous is not None else signal.SIG_DFL)  # type: ignore[arg-type]
        self._previous.clear()

    def raise_if_requested(self) -> None:
        """Raises Interrupted (HF-RUN-008, exit 75) once a signal has come: call it where everything worth keeping is on the disk."""
        if self.requested:
            cause = f"stopped by {self.signal_name} after saving"
            raise Interrupted("HF-RUN-008", cause, "run the same command again; it resumes")

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.requested and self.signal_name == "SIGINT":
            raise KeyboardInterrupt
        self.requested = True
        self.signal_name = signal.Signals(number).name
