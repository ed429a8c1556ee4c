"""Adam over named tensors: its state can be saved by name and restored exactly, and only what a stage frees is moved."""

import math

import numba
import numpy as np
import torch
from torch import Tensor, nn

from hoifield.fields.block_layers import FAST
from hoifield.fields.encode_numba import match_threads
from hoifield.geometry.plain_reference import kernels_serve

MEAN_DECAY = 0.9
SQUARE_DECAY = 0.99
EPSILON = 1e-12
CHUNK = 2**14
"""Entries of one parallel task."""


class NamedAdam:
    """Adam (Kingma and Ba 2015, algorithm 1) with one rate per tensor; on the CPU one pass over each tensor and its moments."""

    def __init__(self, parameters: list[tuple[str, nn.Parameter, float]]) -> None:
        self.parameters = {name: parameter for name, parameter, _ in parameters}
        self.rates = {name: rate for name, _, rate in parameters}
        self.moments: dict[str, dict[str, Tensor]] = {}

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters.values():
            parameter.grad = None

    def step(self, factor: float, held: frozenset[str] = frozenset()) -> None:
        """One update at `factor` times the rates; tensors named in `held` do not move, but their moments follow."""
        match_threads()
        for name, parameter in self.parameters.items():
            if parameter.grad is None:
                continue
            if name not in self.moments:
                self.moments[name] = {"step": torch.zeros(()), "exp_avg": torch.zeros_like(parameter), "exp_avg_sq": torch.zeros_like(parameter)}
            moments = self.moments[name]
            moments["step"] += 1
            count = int(moments["step"])
            rate = 0.0 if name in held else self.rates[name] * factor
            tensors = (parameter.detach(), parameter.grad.contiguous(), moments["exp_avg"], moments["exp_avg_sq"])
            numbers = (rate / (1 - MEAN_DECAY**count), 1 / math.sqrt(1 - SQUARE_DECAY**count), EPSILON, 1 - MEAN_DECAY, SQUARE_DECAY, 1 - SQUARE_DECAY)
            if not kernels_serve(parameter):
                _update_torch(*tensors, numbers)
                continue
            arrays = [tensor.numpy().reshape(-1) for tensor in tensors]
            update = _update if arrays[0].size <= CHUNK else _update_in_chunks
            update(*arrays, np.array(numbers, dtype=arrays[0].dtype))  # type: ignore[call-arg]

    def gradients_are_finite(self) -> bool:
        """Whether every gradient is a number."""
        gradients = [parameter.grad for parameter in self.parameters.values() if parameter.grad is not None]
        # A sum of finite numbers can overflow, one that holds another cannot be finite: the slow look is for the rare case.
        sums = torch.stack([gradient.sum() for gradient in gradients]).tolist() if gradients else []
        return all(math.isfinite(total) or bool(torch.isfinite(gradient).all()) for total, gradient in zip(sums, gradients))

    def state(self) -> dict[str, Tensor]:
        """Moments and counters by tensor name."""
        return {f"{key}/{name}": value.clone() for name, moments in self.moments.items() for key, value in moments.items()}

    def restore(self, saved: dict[str, Tensor]) -> None:
        """Moments and counters of `state()` back in place."""
        for entry, value in saved.items():
            key, name = entry.split("/", 1)
            if name in self.parameters:
                # The count of steps stays with the host, which needs its value.
                self.moments.setdefault(name, {})[key] = value.clone() if key == "step" else value.to(self.parameters[name].device, copy=True)


@torch.no_grad()
def _update_torch(parameter: Tensor, gradient: Tensor, mean: Tensor, square: Tensor, numbers: tuple[float, ...]) -> None:
    """What `_update` does, in plain PyTorch on any device: the readable reference."""
    rate, correction, epsilon, mean_share, square_decay, square_share = numbers
    mean += mean_share * (gradient - mean)
    square.mul_(square_decay).addcmul_(gradient, gradient, value=square_share)
    parameter -= rate * mean / (square.sqrt() * correction + epsilon)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _update(parameter, gradient, mean, square, numbers):
    """One step of algorithm 1; `numbers`: rate and root of the second moment's correction, epsilon, and the decays."""
    rate, correction, epsilon, mean_share, square_decay, square_share = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]
    for i in range(parameter.size):
        g = gradient[i]
        m = mean[i] + mean_share * (g - mean[i])
        v = square_decay * square[i] + square_share * (g * g)
        mean[i], square[i] = m, v
        parameter[i] -= rate * m / (np.sqrt(v) * correction + epsilon)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", parallel=True)
def _update_in_chunks(parameter, gradient, mean, square, numbers):
    for task in numba.prange((parameter.size + CHUNK - 1) // CHUNK):
        here = slice(task * CHUNK, (task + 1) * CHUNK)
        _update(parameter[here], gradient[here], mean[here], square[here], numbers)
