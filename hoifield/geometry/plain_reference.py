"""Kernels or their readable twins: one switch for all of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from torch import Tensor

_ASKED_FOR: ContextVar[bool] = ContextVar("plain_reference", default=False)


@contextmanager
def plain_reference() -> Iterator[None]:
    """Within, plain PyTorch computes in place of every kernel that has a twin: to check kernels, and to measure what they gain."""
    before = _ASKED_FOR.set(True)
    try:
        yield
    finally:
        _ASKED_FOR.reset(before)


def kernels_serve(tensor: Tensor) -> bool:
    """Whether the CPU's kernels compute for a tensor: it lies there, and the plain reference was not asked for."""
    return tensor.device.type == "cpu" and not reference_is_asked()


def reference_is_asked() -> bool:
    """Whether plain PyTorch is to compute in place of every kernel."""
    return _ASKED_FOR.get()
