"""Weights of this project's own teaching: half-precision tensors beside a card that says how they came about and what they must be."""

import json
from pathlib import Path
from typing import Any

from torch import nn

from hoifield.errors import MissingInput, RefusedInput
from hoifield.storage import sha256_of, write_file
from hoifield.tensor_files import read_tensors, write_tensors

REMEDY = "install hoifield again, whole"
_PACKAGE = Path(__file__).resolve().parents[1]
PLACES = (_PACKAGE / "pretrained", _PACKAGE.parent / "pretrained")
"""Where an installed package and a checkout keep their weights."""


def find_pretrained(name: str) -> Path:
    """The file of that name that came with hoifield. Raises MissingInput (HF-NET-001) where it is not there."""
    for place in PLACES:
        if (place / name).is_file():
            return place / name
    raise MissingInput("HF-NET-001", f"the weights {name!r} are not where hoifield is installed", REMEDY)


def read_card(path: Path) -> dict[str, Any]:
    """The card beside a file of weights, which must have the sha256 that it states. Raises RefusedInput (HF-NET-002)."""
    card = path.with_suffix(".json")
    try:
        content = json.loads(card.read_text(encoding="utf-8"))
        stated = content["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RefusedInput("HF-NET-002", f"the card {card.name!r} of {path.name!r} cannot be read ({error})", REMEDY) from error
    if sha256_of(path) != stated:
        raise RefusedInput("HF-NET-002", f"{path.name!r} is not the file that its card describes", REMEDY)
    return dict(content)


def read_pretrained(path: Path, network: nn.Module) -> None:
    """Give a new network the weights of a file, checked against its card, ready to use and not to be taught. Raises as `read_card`."""
    read_card(path)
    weights, _ = read_tensors(path)
    network.load_state_dict({name: value.float() if value.is_floating_point() else value for name, value in weights.items()})
    network.eval().requires_grad_(False)


def write_pretrained(path: Path, network: nn.Module, card: dict[str, Any]) -> None:
    """The weights in half precision, and their card with the sha256 added; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(path, {name: value.half() if value.is_floating_point() else value for name, value in network.state_dict().items()})
    content = {"what": card["what"], "sha256": sha256_of(path), "licence": "Apache-2.0", **card}
    write_file(path.with_suffix(".json"), (json.dumps(content, indent=1) + "\n").encode())
