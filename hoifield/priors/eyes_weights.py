"""The eyes as this project taught them: weights of `pretrained/`, checked against their card."""

import json
from functools import lru_cache
from pathlib import Path

import torch

from hoifield.errors import MissingInput, RefusedInput
from hoifield.priors.eyes_network import EyesNetwork
from hoifield.storage import sha256_of
from hoifield.tensor_files import read_tensors

EYES = "eyes.safetensors"
REMEDY = "install hoifield again, whole"
_PACKAGE = Path(__file__).resolve().parents[1]
PLACES = (_PACKAGE / "pretrained", _PACKAGE.parent / "pretrained")
"""Where an installed package and a checkout keep their weights."""


@lru_cache(maxsize=1)
def load_eyes() -> EyesNetwork:
    """The taught network, ready to look. Errors: HF-EYE-001 where its weights are missing, -002 where they are not those of the card."""
    for place in PLACES:
        if (place / EYES).is_file():
            return read_eyes(place / EYES)
    raise MissingInput("HF-EYE-001", f"the weights {EYES!r} are not where hoifield is installed", REMEDY)


def read_eyes(path: Path) -> EyesNetwork:
    """The network with the weights of a file, which must have the sha256 of the card beside it (`eyes.json`)."""
    card = path.with_suffix(".json")
    try:
        stated = json.loads(card.read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RefusedInput("HF-EYE-002", f"the card {card.name!r} of {path.name!r} cannot be read ({error})", REMEDY) from error
    if sha256_of(path) != stated:
        raise RefusedInput("HF-EYE-002", f"{path.name!r} is not the file that its card describes", REMEDY)
    network = EyesNetwork()
    weights, _ = read_tensors(path)
    network.load_state_dict({name: value.float() if value.is_floating_point() else value for name, value in weights.items()})
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval().requires_grad_(False)
