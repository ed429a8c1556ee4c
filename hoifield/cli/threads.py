"""How many cores one command uses."""

import os


def use_threads() -> None:
    """As many threads as there are cores for this process, at most 16; OMP_NUM_THREADS decides where it is set."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(min(len(os.sched_getaffinity(0)), 16))
