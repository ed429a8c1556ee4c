"""The eyes as this project taught them."""

from functools import lru_cache
from pathlib import Path

import torch

from hoifield.priors.eyes_network import EyesNetwork
from hoifield.priors.pretrained import find_pretrained, read_pretrained

EYES = "eyes.safetensors"


@lru_cache(maxsize=1)
def load_eyes() -> EyesNetwork:
    """The taught network, ready to look. Raises as `find_pretrained` and `read_pretrained`."""
    return read_eyes(find_pretrained(EYES))


def read_eyes(path: Path) -> EyesNetwork:
    """The network with the weights of a file."""
    network = EyesNetwork()
    read_pretrained(path, network)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
