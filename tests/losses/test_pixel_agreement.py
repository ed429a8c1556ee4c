"""Colour and label losses: closed forms, and what must not count."""

import math

import pytest
import torch

from hoifield.losses.pixel_agreement import colour_loss, hand_before_object_loss, label_loss

ALONE = torch.tensor([[[0.2, 0.2, 0.2], [0.5, 0.5, 0.5]], [[0.1, 0.1, 0.1], [0.9, 0.0, 0.0]], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]])
COMPOSITE = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [0.4, 0.0, 0.0]])
SEEN = torch.tensor([[0.3, 0.2, 0.1], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])


def label(alone: list[float], seen: int) -> float:
    return float(label_loss(torch.tensor([alone]), torch.tensor([seen]), torch.ones(1)))


def order(alone: list[float], share: list[float], seen: int) -> float:
    return float(hand_before_object_loss(torch.tensor([alone]), torch.tensor([share]), torch.tensor([seen]), torch.ones(1)))


def test_a_pixel_is_compared_with_its_own_entity_alone_and_background_with_everything():
    loss = colour_loss(COMPOSITE, ALONE, SEEN, torch.tensor([0, 1, -1]), torch.ones(3))
    assert float(loss) == pytest.approx((0.2 + 0.9 + 0.4) / 3)
    first = colour_loss(COMPOSITE, ALONE, SEEN, torch.tensor([0, 1, -1]), torch.tensor([1.0, 0.0, 0.0]))
    assert float(first) == pytest.approx(0.2)


def test_pixels_on_rims_do_not_count_and_all_rims_give_nothing():
    alone = torch.rand(3, 2, 3, requires_grad=True)
    loss = colour_loss(COMPOSITE, alone, SEEN, torch.tensor([0, 1, 1]), torch.zeros(3))
    loss.backward()
    assert float(loss) == 0.0 and float(alone.grad.abs().max()) == 0.0  # type: ignore[union-attr]


def test_an_entity_is_to_stop_its_own_pixels_and_none_those_of_the_background():
    assert label([0.7, 0.3], 0) == pytest.approx(-math.log(0.7), rel=1e-5)
    assert label([0.2, 0.5], -1) == pytest.approx(-math.log(0.8) - math.log(0.5), rel=1e-5)


def test_what_lies_behind_a_seen_entity_is_free():
    assert label([1.0, 1.0], 0) == label([1.0, 0.0], 0) == pytest.approx(0.0, abs=1e-6)
    assert label([1.0, 0.9], 1) == label([0.0, 0.9], 1) == pytest.approx(-math.log(0.9), rel=1e-5)


def test_the_object_is_not_to_stand_before_a_seen_hand_as_far_as_the_hand_is_there():
    assert order([1.0, 0.9], [0.0, 0.9], 1) == pytest.approx(0.0, abs=1e-6)
    assert order([1.0, 0.9], [0.6, 0.3], 1) == pytest.approx(-0.9 * math.log(0.4), rel=1e-5)
    assert order([1.0, 0.0], [1.0, 0.0], 1) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("seen", [0, -1])
def test_object_and_background_pixels_say_nothing_about_who_is_first(seen: int):
    assert order([1.0, 1.0], [1.0, 0.0], seen) == 0.0


def test_a_wrong_label_costs_at_most_four_nats_and_pulls_no_more():
    alone = torch.tensor([[0.001, 0.999]], requires_grad=True)
    loss = label_loss(alone, torch.tensor([0]), torch.ones(1))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(-math.log(0.02)) and float(loss.detach()) < 4.0
    assert float(alone.grad.abs().max()) == 0.0  # type: ignore[union-attr]


def test_the_weight_of_the_depth_order_is_held_so_that_a_hand_gains_nothing_by_vanishing():
    alone = torch.tensor([[1.0, 0.5]], requires_grad=True)
    share = torch.tensor([[0.6, 0.2]], requires_grad=True)
    hand_before_object_loss(alone, share, torch.tensor([1]), torch.ones(1)).backward()
    assert alone.grad is None
    assert float(share.grad[0, 0]) == pytest.approx(0.5 / 0.4)  # type: ignore[index]
