"""Many steps on small tensors, on one thread of the tensor library."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def on_one_thread() -> Iterator[None]:
    """Inside the block torch uses one thread; afterwards as many as before, whatever happened.

    Operations of microseconds wait longer for a pool of threads than these save; beside other processes a hundred times longer. The
    sums do not depend on the machine's number of cores then either.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
