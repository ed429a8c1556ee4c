"""The switch between kernels and their twins: it ends where it was opened, whatever happens."""

import pytest
import torch

from hoifield.geometry.plain_reference import kernels_serve, plain_reference


def test_kernels_serve_the_cpu_unless_the_reference_is_asked_for():
    here, elsewhere = torch.zeros(2), torch.zeros(2, device="meta")
    assert kernels_serve(here) and not kernels_serve(elsewhere)
    with plain_reference():
        assert not kernels_serve(here)
        with plain_reference():
            assert not kernels_serve(here)
        assert not kernels_serve(here)
    assert kernels_serve(here)


def test_kernels_serve_again_after_a_failure():
    with pytest.raises(ValueError, match="lost"), plain_reference():
        raise ValueError("lost")
    assert kernels_serve(torch.zeros(1))
