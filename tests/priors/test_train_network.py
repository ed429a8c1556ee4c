"""The training loop: it learns, stops and goes on as if it had not stopped, and refuses to mix two trainings."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from hoifield.errors import RefusedInput
from hoifield.priors.train_network import TrainingSettings, train_network

SETTINGS = TrainingSettings(steps=60, peak_rate=0.05, average=0.9, reduced_precision=False)


def lesson(step: int) -> tuple[Tensor, Tensor]:
    """Points of a line."""
    x = torch.rand(32, 1, generator=torch.Generator().manual_seed(step))
    return x, 3 * x - 1


def loss_of(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return (network(batch[0]) - batch[1]).square().mean()


def fresh() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(1, 1)


def train(folder: Path, network: nn.Module, settings: TrainingSettings = SETTINGS, seconds: float = float("inf")) -> nn.Module | None:
    return train_network(network, lesson, loss_of, settings, folder, lambda line: None, seconds)


def test_it_learns_a_line(tmp_path: Path) -> None:
    taught = train(tmp_path, fresh(), TrainingSettings(steps=400, peak_rate=0.05, average=0.9, reduced_precision=False))
    assert taught is not None
    assert loss_of(taught, lesson(10000)) < 1e-3 < loss_of(fresh(), lesson(10000))


@pytest.mark.parametrize(("capabilities", "reduced"), [({}, False), ({"avx512_bf16": False, "amx_bf16": False}, False), ({"amx_bf16": True}, True)])
def test_precision_is_reduced_only_where_the_processor_computes_in_it(
    capabilities: dict[str, bool], reduced: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    full = train(tmp_path / "full", fresh())
    found = train(tmp_path / "reduced", fresh(), replace(SETTINGS, reduced_precision=True))
    assert full is not None and found is not None
    assert torch.equal(full.weight, found.weight) != reduced  # type: ignore[arg-type]


def test_a_stopped_training_ends_in_the_same_weights(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", fresh())
    pieces, network = 0, None
    while network is None:
        network = train(tmp_path / "pieces", fresh(), seconds=0.0 if pieces < 5 else float("inf"))
        pieces += 1
    assert pieces == 6 and whole is not None
    for one, other in zip(whole.parameters(), network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_another_training_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    train(tmp_path, fresh(), seconds=0.0)
    with pytest.raises(RefusedInput, match="HF-TRN-001"):
        train(tmp_path, fresh(), TrainingSettings(steps=61))


def test_the_rate_rises_then_falls_to_nothing() -> None:
    rates = [SETTINGS.rate(step) for step in range(SETTINGS.steps)]
    top = rates.index(max(rates))
    assert rates[:top] == sorted(rates[:top]) and rates[top:] == sorted(rates[top:], reverse=True)
    assert max(rates) == pytest.approx(SETTINGS.peak_rate) and rates[-1] < 0.01 * SETTINGS.peak_rate
