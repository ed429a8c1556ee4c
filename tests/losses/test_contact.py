"""Attraction and penetration: closed forms, and the finger that does not touch."""

import pytest
import torch

from hoifield.losses.contact import attraction_loss, penetration_loss


def test_attraction_is_geman_mcclure_of_the_gap():
    assert float(attraction_loss([torch.tensor([[0.003]])], 0.012, 0.003)) == pytest.approx(0.5)
    assert float(attraction_loss([torch.tensor([[0.009]]), torch.tensor([[0.003]])], 0.012, 0.003)) == pytest.approx(0.7)


@pytest.mark.parametrize("gap", [0.0, -0.004, 0.05, 0.012])
def test_what_touches_or_lies_inside_is_not_drawn_and_what_is_out_of_reach_is_let_go(gap: float):
    distance = torch.tensor([[gap]], requires_grad=True)
    loss = attraction_loss([distance], 0.012, 0.003)
    loss.backward()
    assert float(loss.detach()) == 0.0 and float(distance.grad.abs().max()) == 0.0  # type: ignore[union-attr]


def test_a_pad_is_drawn_by_its_nearest_vertex_in_every_frame():
    pad = torch.tensor([[0.001, 0.005], [0.006, 0.002]], requires_grad=True)
    attraction_loss([pad], 0.012, 0.003).backward()
    assert torch.equal(pad.grad > 0, torch.tensor([[True, False], [False, True]]))  # type: ignore[operator]


def test_a_pad_that_touches_is_not_drawn_by_its_rim_though_another_that_hovers_is():
    touching, hovering = torch.tensor([[0.0, 0.002, 0.008]], requires_grad=True), torch.tensor([[0.004, 0.006]], requires_grad=True)
    attraction_loss([touching, hovering], 0.012, 0.003).backward()
    assert float(touching.grad.abs().max()) == 0.0 and float(hovering.grad[0, 0]) > 0  # type: ignore[union-attr, index]


def test_penetration_counts_depth_beyond_the_tolerance_squared():
    distance = torch.tensor([[-0.004, -0.001, 0.01, -0.0005]])
    assert float(penetration_loss(distance, 0.001, 0.003)) == pytest.approx(1.0 / 4)


def test_penetration_pushes_out():
    distance = torch.tensor([[-0.004, 0.004]], requires_grad=True)
    penetration_loss(distance, 0.001, 0.003).backward()
    assert float(distance.grad[0, 0]) < 0 and float(distance.grad[0, 1]) == 0  # type: ignore[index]
