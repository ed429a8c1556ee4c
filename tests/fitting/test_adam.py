"""Adam by name: the published update, tensors that are held, and a state that continues to the last bit."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn

from hoifield.fitting.adam import NamedAdam
from hoifield.geometry.plain_reference import plain_reference


def parameters(seed: int = 0) -> tuple[nn.Parameter, nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    return nn.Parameter(torch.randn(5, 3, generator=generator)), nn.Parameter(torch.randn(4, generator=generator))


def advance(adam: NamedAdam, table: nn.Parameter, bias: nn.Parameter, steps: range, held: frozenset[str] = frozenset()) -> None:
    for step in steps:
        target = torch.randn(5, 3, generator=torch.Generator().manual_seed(step))
        adam.zero_grad()
        ((table - target) ** 2).sum().add((bias**4).sum()).backward()
        adam.step(0.9**step, held)


def test_the_first_step_moves_every_entry_by_its_rate_against_the_sign_of_the_gradient():
    table, bias = parameters()
    before = table.detach().clone()
    adam = NamedAdam([("table", table, 0.01), ("bias", bias, 0.5)])
    adam.zero_grad()
    (table.sum() - 3 * bias.sum()).backward()
    start = bias.detach().clone()
    adam.step(0.5)
    assert torch.allclose(before - table, torch.full((5, 3), 0.005), rtol=1e-4)
    assert torch.allclose(bias - start, torch.full((4,), 0.25), rtol=1e-4)


def test_updates_are_those_of_algorithm_1():
    value = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    adam = NamedAdam([("value", value, 0.1)])
    x, m, v = 1.0, 0.0, 0.0
    for t in range(1, 6):
        adam.zero_grad()
        (value**3).sum().backward()
        adam.step(1.0)
        gradient = 3 * x**2
        m, v = 0.9 * m + 0.1 * gradient, 0.99 * v + 0.01 * gradient**2
        x -= 0.1 * (m / (1 - 0.9**t)) / ((v / (1 - 0.99**t)) ** 0.5 + 1e-12)
        assert float(value.detach()) == pytest.approx(x, rel=1e-9)


def test_the_kernel_and_its_readable_twin_make_the_same_steps():
    found = []
    for engine in (nullcontext, plain_reference):
        table, bias = parameters()
        with engine():
            advance(NamedAdam([("table", table, 0.01), ("bias", bias, 0.5)]), table, bias, range(9), frozenset({"bias"}))
        found.append(table.detach().clone())
        assert torch.equal(bias, parameters()[1])
    assert torch.allclose(*found, rtol=1e-5) and not torch.equal(found[0], parameters()[0])


@pytest.mark.parametrize("stop", [1, 3, 7])
def test_a_restored_optimiser_goes_on_to_the_last_bit(stop: int):
    table, bias = parameters()
    adam = NamedAdam([("a/table", table, 0.01), ("bias", bias, 0.02)])
    advance(adam, table, bias, range(stop))
    saved = adam.state()
    copies = nn.Parameter(table.detach().clone()), nn.Parameter(bias.detach().clone())
    advance(adam, table, bias, range(stop, 10))
    again = NamedAdam([("a/table", copies[0], 0.01), ("bias", copies[1], 0.02)])
    again.restore(saved)
    advance(again, *copies, range(stop, 10))
    assert torch.equal(table, copies[0]) and torch.equal(bias, copies[1])
    assert all(torch.equal(value, again.state()[name]) for name, value in adam.state().items())


def test_without_its_state_it_goes_on_differently():
    table, bias = parameters()
    adam = NamedAdam([("table", table, 0.01), ("bias", bias, 0.02)])
    advance(adam, table, bias, range(3))
    copies = nn.Parameter(table.detach().clone()), nn.Parameter(bias.detach().clone())
    advance(adam, table, bias, range(3, 10))
    advance(NamedAdam([("table", copies[0], 0.01), ("bias", copies[1], 0.02)]), *copies, range(3, 10))
    assert not torch.equal(table, copies[0])


def test_the_saved_state_is_a_copy():
    table, bias = parameters()
    adam = NamedAdam([("table", table, 0.01), ("bias", bias, 0.02)])
    advance(adam, table, bias, range(2))
    saved = adam.state()
    kept = {name: value.clone() for name, value in saved.items()}
    advance(adam, table, bias, range(2, 4))
    assert all(torch.equal(saved[name], kept[name]) for name in kept)


def test_held_tensors_do_not_move_and_go_on_afterwards():
    table, bias = parameters()
    before = table.detach().clone()
    adam = NamedAdam([("table", table, 0.01), ("bias", bias, 0.02)])
    advance(adam, table, bias, range(3), held=frozenset({"table"}))
    assert torch.equal(table, before)
    advance(adam, table, bias, range(3, 4))
    assert not torch.equal(table, before)


@pytest.mark.parametrize(("value", "finite"), [(1.0, True), (float("nan"), False), (float("inf"), False), (float("-inf"), False)])
def test_gradients_that_are_no_numbers_are_noticed(value: float, finite: bool):
    table, bias = parameters()
    adam = NamedAdam([("table", table, 0.01), ("bias", bias, 0.02)])
    table.grad = torch.zeros(5, 3)
    table.grad[2, 1] = value
    assert adam.gradients_are_finite() is finite
