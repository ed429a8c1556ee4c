"""A second device without hardware: tensors that say they lie on `far:0` and hold their values on the CPU.

It is as strict as a GPU where strictness finds mistakes: an operation that mixes both devices raises, so does a random draw on it with a
generator of the CPU, and so does reading its memory as an array. What runs on it runs on any device that PyTorch serves, by the plain
reference of every kernel, and must come to the reference's values.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

NAME = "far"
MOVES = {torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default}
TAKES_INDICES_OF_THE_CPU = {torch.ops.aten.index.Tensor, torch.ops.aten.index_put.default, torch.ops.aten.index_put_.default}
"""So does CUDA."""


class MixedDevices(RuntimeError):
    """An operation got tensors of two devices."""


class FarTensor(Tensor):
    """A tensor of the far device."""

    near: Tensor

    @staticmethod
    def __new__(cls, near: Tensor) -> "FarTensor":
        return Tensor._make_wrapper_subclass(  # type: ignore[attr-defined, no-any-return]
            cls, near.shape, strides=near.stride(), storage_offset=near.storage_offset(), dtype=near.dtype, device=torch.device(NAME, 0)
        )

    def __init__(self, near: Tensor) -> None:
        self.near = near

    def tolist(self) -> Any:
        return self.near.tolist()

    __torch_function__ = torch._C._disabled_torch_function_impl

    def __repr__(self, **_: Any) -> str:
        return f"FarTensor({self.near})"

    @classmethod
    def __torch_dispatch__(cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(operation, args, kwargs or {})


class _FarDispatch(TorchDispatchMode):
    """Sees operations without a far tensor as well: those that make one."""

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(operation, args, kwargs or {})


def _run(operation: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    far = any(isinstance(tensor, FarTensor) for tensor in tensors)
    _refuse_mixtures(operation, tensors, far)
    device = kwargs.get("device")
    to_far = far if device is None else torch.device(device).type == NAME
    if to_far and kwargs.get("generator") is not None:
        raise MixedDevices(f"{operation} on {NAME} with a generator of the CPU")
    if device is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    near_args, near_kwargs = tree_map_only(FarTensor, lambda tensor: tensor.near, (args, kwargs))
    out = operation(*near_args, **near_kwargs)
    if operation._schema.is_mutable and isinstance(args[0], Tensor):
        return args[0]
    return tree_map_only(Tensor, FarTensor, out) if to_far else out


def _refuse_mixtures(operation: Any, tensors: list[Tensor], far: bool) -> None:
    near = [tensor for tensor in tensors if not isinstance(tensor, FarTensor) and tensor.dim() > 0]
    if not far or not near or operation in MOVES:
        return
    if operation in TAKES_INDICES_OF_THE_CPU and isinstance(tensors[0], FarTensor) and not any(tensor.is_floating_point() for tensor in near):
        return
    raise MixedDevices(f"{operation}: {[tuple(tensor.shape) for tensor in near]} on the CPU, others on {NAME}")


class _NoDevices(_DummyBackendModule):
    """What PyTorch finds when it looks for devices by itself, as where it forks its generators: none, so that other tests go on as ever."""

    def is_available(self) -> bool:
        return False

    def device_count(self) -> int:
        return 0


@cache
def _register() -> None:
    _setup_privateuseone_for_python_backend(NAME, backend_module=_NoDevices())


@contextmanager
def far_device() -> Iterator[torch.device]:
    """The device, served within."""
    _register()
    # torch.tensor(values, device=...) else makes its tensor where no Python sees it.
    torch._C._set_only_lift_cpu_tensors(True)
    try:
        # The engine of autograd makes a thread for each device when it first runs, which was before this one came.
        with torch.autograd.set_multithreading_enabled(False), _FarDispatch():
            yield torch.device(NAME, 0)
    finally:
        torch._C._set_only_lift_cpu_tensors(False)
