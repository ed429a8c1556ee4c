"""A program: `python die_with_parent.py PARENT COMMAND ...` becomes COMMAND, which the kernel kills as soon as process PARENT ends.

So no fit outlives a batch that was killed, holds its lock and is fitted a second time. It imports nothing of the package: it starts often.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def become(parent: int, command: list[str]) -> None:
    """Replaces this process by `command`, bound to the life of `parent`. Gives back nothing."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel was told
        os.kill(os.getpid(), signal.SIGKILL)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)  # schedulers start jobs with some of these ignored, and children inherit that
    os.execvp(command[0], command)


if __name__ == "__main__":
    become(int(sys.argv[1]), sys.argv[2:])
