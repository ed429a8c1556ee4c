"""The number of threads inside and after the block."""

import pytest
import torch

from hoifield.observations.one_thread import on_one_thread


@pytest.mark.parametrize("before", [1, 3])
def test_there_is_one_thread_inside_and_as_many_as_before_after_it(before: int) -> None:
    usual = torch.get_num_threads()
    try:
        torch.set_num_threads(before)
        with on_one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == before
        with pytest.raises(ValueError), on_one_thread():
            raise ValueError
        assert torch.get_num_threads() == before
    finally:
        torch.set_num_threads(usual)
