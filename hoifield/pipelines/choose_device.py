"""On what the stages of a fit run."""

from typing import Literal, assert_never

import torch

from hoifield.errors import MissingDependency

DeviceChoice = Literal["auto", "cpu", "cuda"]
"""`auto` is the CPU until a fit on a GPU has been measured (docs/decisions/0015)."""


def choose_device(choice: DeviceChoice) -> torch.device:
    """The device of a choice. Raises MissingDependency (HF-DEV-001) where PyTorch sees no such device."""
    match choice:
        case "auto" | "cpu":
            return torch.device("cpu")
        case "cuda":
            if not torch.cuda.is_available():
                raise MissingDependency(
                    "HF-DEV-001",
                    f"PyTorch {torch.__version__} sees no CUDA device here",
                    "leave --device out to compute on the CPU, or install PyTorch's CUDA build on a machine with an NVIDIA GPU",
                )
            return torch.device("cuda", torch.cuda.current_device())
        case _:
            assert_never(choice)
