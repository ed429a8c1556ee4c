"""Projected vertices against the hand's mask: closed forms on a half plane."""

import pytest
import torch

from hoifield.losses.hand_outline import covered_outline_loss, inside_mask_loss

CORNER = torch.tensor([[100.0, 40.0]])


def half_plane() -> torch.Tensor:
    """Foreground left of column 10 of a crop of 30 x 20 pixels: the distance grows by a pixel per column."""
    return (torch.arange(30.0) - 9).clamp(min=0).expand(1, 20, 30).contiguous()


def test_vertices_on_the_mask_cost_nothing_and_others_their_robust_distance():
    on_mask = torch.tensor([[[104.5, 50.5], [108.5, 41.5]]])
    assert float(inside_mask_loss(on_mask, half_plane(), CORNER, 3.0)) == 0.0
    three_away = torch.tensor([[[112.5, 50.5], [104.5, 50.5]]])
    assert float(inside_mask_loss(three_away, half_plane(), CORNER, 3.0)) == pytest.approx(0.25, abs=1e-5)


def test_vertices_between_pixels_are_pulled_back_onto_the_mask():
    pixels = torch.tensor([[[113.2, 50.9]]], requires_grad=True)
    loss = inside_mask_loss(pixels, half_plane(), CORNER, 3.0)
    loss.backward()
    error = 3.7 / 3
    assert float(loss.detach()) == pytest.approx(error**2 / (1 + error**2), abs=1e-4)
    assert float(pixels.grad[0, 0, 0]) > 0 and float(pixels.grad[0, 0, 1].abs()) < 1e-5  # type: ignore[index]


def test_vertices_beyond_the_crop_count_as_at_its_border():
    far = torch.tensor([[[500.0, 50.5]]])
    assert float(inside_mask_loss(far, half_plane(), CORNER, 3.0)) == pytest.approx((20 / 3) ** 2 / (1 + (20 / 3) ** 2), abs=1e-4)


def test_points_of_the_outline_are_to_lie_on_their_partners_and_fillers_do_not_count():
    drawn = torch.tensor([[[10.0, 10.0], [20.0, 10.0], [0.0, 0.0]]], requires_grad=True)
    outline = torch.tensor([[[13.0, 14.0], [20.0, 10.0], [900.0, 900.0]]])
    loss = covered_outline_loss(drawn, outline, torch.tensor([[1.0, 1.0, 0.0]]), 5.0)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0.25)
    assert bool(torch.isfinite(drawn.grad).all()) and bool((drawn.grad[0, 0] < 0).all())  # type: ignore[arg-type,index]
    assert float(covered_outline_loss(drawn, outline, torch.zeros(1, 3), 5.0).detach()) == 0.0
