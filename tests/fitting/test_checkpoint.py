"""Checkpoints: whole or refused."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_scene import TINY, build_scene, tiny_scene

from hoifield.errors import RefusedInput
from hoifield.fitting.checkpoint import FitPosition, read_checkpoint, write_checkpoint


def test_scene_optimiser_and_position_come_back_to_the_last_bit(tmp_path: Path):
    scene = tiny_scene()
    with torch.no_grad():
        for parameter in scene.parameters():
            parameter += torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    optimiser = {"exp_avg/background_code": torch.randn(6, 8), "step/background_code": torch.tensor(17.0)}
    write_checkpoint(tmp_path, scene, optimiser, FitPosition(2, 350))
    fresh = tiny_scene()
    position, state = read_checkpoint(tmp_path, fresh)
    assert position == FitPosition(2, 350)
    assert set(state) == set(optimiser) and all(torch.equal(state[name], optimiser[name]) for name in optimiser)
    assert all(torch.equal(tensor, fresh.state_dict()[name]) for name, tensor in scene.state_dict().items())


def test_the_checkpoint_of_another_scene_is_refused_and_the_scene_left_alone(tmp_path: Path):
    write_checkpoint(tmp_path, tiny_scene(), {}, FitPosition(0, 0))
    other = build_scene(replace(TINY, levels=3, hull_steps=1, hand_volume_resolution=8))
    before = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    with pytest.raises(RefusedInput) as refusal:
        read_checkpoint(tmp_path, other)
    assert refusal.value.code == "HF-FIT-001" and "object_distance" in refusal.value.cause
    assert all(torch.equal(tensor, before[name]) for name, tensor in other.state_dict().items())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", ["scene", "optimiser"])
def test_a_state_that_is_not_finite_is_not_written(tmp_path: Path, bad: float, where: str):
    scene, optimiser = tiny_scene(), {"exp_avg/x": torch.zeros(3)}
    if where == "scene":
        scene.background_code.data[2, 3] = bad
    else:
        optimiser["exp_avg/x"][1] = bad
    with pytest.raises(RefusedInput) as refusal:
        write_checkpoint(tmp_path, scene, optimiser, FitPosition(0, 0))
    assert refusal.value.code == "HF-FIT-002"
    assert list(tmp_path.iterdir()) == []
