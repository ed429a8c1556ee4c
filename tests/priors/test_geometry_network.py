"""The network of the geometry prior: it listens to hand, time and word, and its words are the generator's."""

from typing import get_args

import pytest
import torch

from hoifield.cli.prior_commands import CategoryWord
from hoifield.priors.geometry_network import CATEGORIES, GeometryNetwork, category_of
from hoifield.shapes.draw_family import SHAPE_NAMES


@pytest.fixture(scope="module")
def network() -> GeometryNetwork:
    torch.manual_seed(0)
    network = GeometryNetwork()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network.eval().requires_grad_(False)


def said(network: GeometryNetwork, time: float = 0.5, hand: float = 0.0, category: int = 0) -> torch.Tensor:
    noisy = torch.randn(1, 5, 64, 64, generator=torch.Generator().manual_seed(3))
    return network(noisy, torch.tensor([time]), torch.full((1, 8, 64, 64), hand), torch.tensor([category]))


def test_it_says_a_velocity_for_each_pixel(network: GeometryNetwork) -> None:
    assert said(network).shape == (1, 5, 64, 64) and torch.isfinite(said(network)).all()


@pytest.mark.parametrize("changed", [{"time": 0.9}, {"hand": 1.0}, {"category": 1}])
def test_it_listens_to_everything_it_is_told(network: GeometryNetwork, changed: dict[str, float]) -> None:
    assert torch.equal(said(network), said(network))
    assert not torch.allclose(said(network), said(network, **changed), atol=1e-3)  # type: ignore[arg-type]


def test_its_words_are_the_families_of_the_generator_and_of_the_command_line() -> None:
    assert CATEGORIES == ("unknown", *SHAPE_NAMES) == get_args(CategoryWord)


@pytest.mark.parametrize(
    ("word", "category"), [("mug", "mug"), ("Cup", "mug"), ("toy car", "toy-car"), ("toy_car", "toy-car"), ("umbrella", "unknown"), ("", "unknown")]
)
def test_words_of_users(word: str, category: str) -> None:
    assert category_of(word) == category
