"""Adam over named tensors: its state can be saved by name and restored exactly, and only what a stage frees is moved."""

import torch
from torch import Tensor, nn


class NamedAdam:
    """Adam (Kingma and Ba 2015, algorithm 1) with one rate per tensor."""

    def __init__(self, parameters: list[tuple[str, nn.Parameter, float]]) -> None:
        self.parameters = {name: parameter for name, parameter, _ in parameters}
        groups = [{"params": [parameter], "lr": rate, "rate": rate} for _, parameter, rate in parameters]
        self.optimiser = torch.optim.Adam(groups, betas=(0.9, 0.99), eps=1e-12)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self.optimiser.zero_grad(set_to_none=True)

    def step(self, factor: float, held: frozenset[str] = frozenset()) -> None:
        """One update at `factor` times the rates; tensors named in `held` do not move."""
        for name, group in zip(self.parameters, self.optimiser.param_groups):
            group["lr"] = 0.0 if name in held else group["rate"] * factor
        self.optimiser.step()

    def gradients_are_finite(self) -> bool:
        """Whether every gradient is a number."""
        total = sum(float(p.grad.abs().sum()) for p in self.parameters.values() if p.grad is not None)
        return total == total and total != float("inf")

    def state(self) -> dict[str, Tensor]:
        """Moments and counters by tensor name."""
        saved = {}
        for name, parameter in self.parameters.items():
            for key, value in self.optimiser.state.get(parameter, {}).items():
                saved[f"{key}/{name}"] = torch.as_tensor(value).clone()
        return saved

    def restore(self, saved: dict[str, Tensor]) -> None:
        """Moments and counters of `state()` back in place."""
        for entry, value in saved.items():
            key, name = entry.split("/", 1)
            if name in self.parameters:
                self.optimiser.state[self.parameters[name]][key] = value.clone()
