"""How many cores a command uses."""

import os

import pytest
import torch

from hoifield.cli.threads import use_threads


def test_all_cores_of_the_process_are_used_up_to_sixteen_unless_the_environment_decides(monkeypatch: pytest.MonkeyPatch):
    before = torch.get_num_threads()
    try:
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        torch.set_num_threads(1)
        use_threads()
        assert torch.get_num_threads() == 1
        monkeypatch.delenv("OMP_NUM_THREADS")
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(3)))
        use_threads()
        assert torch.get_num_threads() == 3
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(200)))
        use_threads()
        assert torch.get_num_threads() == 16
    finally:
        torch.set_num_threads(before)
