"""The network of normals as this project taught it."""

from functools import lru_cache
from pathlib import Path

import torch

from hoifield.priors.normals_network import NormalsNetwork
from hoifield.priors.pretrained import find_pretrained, read_pretrained

NORMALS = "normals.safetensors"


@lru_cache(maxsize=1)
def load_normals() -> NormalsNetwork:
    """The taught network, ready to look. Raises as `find_pretrained` and `read_pretrained`."""
    return read_normals(find_pretrained(NORMALS))


def read_normals(path: Path) -> NormalsNetwork:
    """The network with the weights of a file."""
    network = NormalsNetwork()
    read_pretrained(path, network)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
