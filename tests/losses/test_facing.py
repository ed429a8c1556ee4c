"""Normals beside those seen."""

import math

import pytest
import torch

from hoifield.losses.facing import facing_loss

UP, ASIDE = torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[1.0, 0.0, 0.0]])


def test_the_loss_is_how_far_unit_normals_are_apart_whatever_the_gradient_s_length():
    assert float(facing_loss(3.0 * UP, UP, torch.ones(1))) == pytest.approx(0.01, rel=1e-3)
    assert float(facing_loss(0.2 * UP, ASIDE, torch.ones(1))) == pytest.approx(math.sqrt(2), rel=1e-3)
    assert float(facing_loss(UP, -UP, torch.ones(1))) == pytest.approx(2.0, rel=1e-3)


def test_a_normal_counts_as_far_as_it_is_trusted():
    gradient, seen = torch.cat([UP, UP]), torch.cat([ASIDE, -UP])
    assert float(facing_loss(gradient, seen, torch.tensor([0.5, 0.0]))) == pytest.approx(math.sqrt(2) / 4, rel=1e-3)
    assert float(facing_loss(UP[:0], UP[:0], torch.ones(0))) == 0.0


def test_the_gradient_turns_towards_what_is_seen_and_is_finite_where_the_field_is_flat():
    gradient = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]], requires_grad=True)
    facing_loss(gradient, ASIDE.expand(2, 3), torch.ones(2)).backward()
    assert gradient.grad is not None and bool(torch.isfinite(gradient.grad).all())
    assert float(gradient.grad[0, 0]) < 0
