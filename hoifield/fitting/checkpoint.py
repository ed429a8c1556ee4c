"""The state of a fit between two steps: written whole, read whole, or refused."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from hoifield.errors import RefusedInput
from hoifield.scene.scene import Scene
from hoifield.tensor_files import read_tensors, write_tensors


@dataclass(frozen=True)
class FitPosition:
    """Where in the list of stages a fit stands: `step` steps of stage `stage` are done."""

    stage: int
    step: int


def write_checkpoint(folder: Path, scene: Scene, optimiser_state: dict[str, Tensor], position: FitPosition) -> None:
    """Scene, optimiser and position into an existing folder; refuses to write a state that is not finite."""
    state = {f"scene.{name}": tensor for name, tensor in scene.state_dict().items()}
    state.update({f"optimiser.{name}": tensor for name, tensor in optimiser_state.items()})
    broken = [name for name, tensor in state.items() if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())]
    if broken:
        raise RefusedInput("HF-FIT-002", f"the state to save is not finite in {broken[0]}", "start again with another --seed")
    write_tensors(folder / "state.safetensors", state)
    (folder / "position.json").write_text(json.dumps({"stage": position.stage, "step": position.step}))


def read_checkpoint(folder: Path, scene: Scene) -> tuple[FitPosition, dict[str, Tensor]]:
    """Loads the scene in place; gives the position and the optimiser's tensors. Every name and shape must match."""
    state, _ = read_tensors(folder / "state.safetensors")
    expected = {name: tensor.shape for name, tensor in scene.state_dict().items()}
    found = {name.removeprefix("scene."): tensor for name, tensor in state.items() if name.startswith("scene.")}
    if {name: tensor.shape for name, tensor in found.items()} != expected:
        different = sorted(set(expected) ^ set(found)) or [n for n in expected if expected[n] != found[n].shape]
        raise RefusedInput(
            "HF-FIT-001",
            f"the checkpoint belongs to another scene ({len(different)} tensors differ, first {different[0]})",
            "give another --out folder, or remove the run",
        )
    scene.load_state_dict(found)
    position = json.loads((folder / "position.json").read_text())
    optimiser = {name.removeprefix("optimiser."): tensor for name, tensor in state.items() if name.startswith("optimiser.")}
    return FitPosition(int(position["stage"]), int(position["step"])), optimiser
