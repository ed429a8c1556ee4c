"""Colours that frames agree on: nothing is lost where they do, and frames that differ are drawn to the rest."""

import pytest
import torch

from hoifield.losses.same_colour import same_colour_loss

SCALE = 0.1


def colours(frames: int = 5, points: int = 40) -> torch.Tensor:
    return torch.rand(points, 3, generator=torch.Generator().manual_seed(0)).expand(frames, -1, -1).clone()


def test_frames_that_agree_cost_nothing_even_where_one_is_brighter():
    colour = colours()
    weight = torch.ones(colour.shape[:2])
    assert float(same_colour_loss(colour, weight, SCALE)) == pytest.approx(0.0, abs=1e-10)
    colour[2] += 0.3
    assert float(same_colour_loss(colour, weight, SCALE)) == pytest.approx(0.0, abs=1e-6)


def test_one_point_that_differs_in_one_of_many_frames_costs_its_robust_difference():
    colour, weight = colours(frames=200, points=500), torch.ones(200, 500)
    colour[7, 3, 1] += 0.2
    expected = 4.0 / (1 + 4.0) / (200 * 500)
    assert float(same_colour_loss(colour, weight, SCALE)) == pytest.approx(expected, rel=0.05)


def test_the_gradient_moves_the_frame_that_differs_and_leaves_hidden_points_alone():
    colour = colours(frames=12)
    colour[1, :20] += 0.05 * torch.randn(20, 3, generator=torch.Generator().manual_seed(1))
    colour.requires_grad_(True)
    weight = torch.ones(12, 40)
    weight[1, 10:20] = 0.0
    same_colour_loss(colour, weight, SCALE).backward()
    gradient = colour.grad
    assert gradient is not None
    assert float(gradient[1, :10].norm()) > 3 * float(gradient[2, :10].norm())
    assert float(gradient[1, 10:20].abs().max()) == 0.0


def test_points_shown_by_too_few_frames_have_no_colour_of_their_own():
    colour = colours()
    colour[0, 5] += 0.5
    weight = torch.ones(5, 40)
    weight[2:, 5] = 0.0
    assert float(same_colour_loss(colour, weight, SCALE)) == pytest.approx(0.0, abs=1e-6)


def test_nothing_seen_is_no_loss():
    assert float(same_colour_loss(colours(), torch.zeros(5, 40), SCALE)) == 0.0
