"""The network that completes shapes, as this project taught it."""

from functools import lru_cache
from pathlib import Path

from hoifield.priors.completion_network import CompletionNetwork
from hoifield.priors.pretrained import find_pretrained, read_pretrained

COMPLETION = "completion.safetensors"


@lru_cache(maxsize=1)
def load_completion() -> CompletionNetwork:
    """The taught network, ready to complete. Raises as `find_pretrained` and `read_pretrained`."""
    return read_completion(find_pretrained(COMPLETION))


def read_completion(path: Path) -> CompletionNetwork:
    """The network with the weights of a file."""
    network = CompletionNetwork()
    read_pretrained(path, network)
    return network
