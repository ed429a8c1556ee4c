"""Losses of the field: closed forms."""

import math

import pytest
import torch

from hoifield.losses.surface import SAME_NORMAL, eikonal_loss, interpenetration_loss, smooth_surface_loss, sparsity_loss


def test_eikonal_loss_is_zero_for_unit_gradients_of_any_direction_and_squared_otherwise():
    unit = torch.nn.functional.normalize(torch.randn(50, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    assert float(eikonal_loss(unit)) < 1e-12
    assert float(eikonal_loss(3.0 * unit)) == pytest.approx(4.0, rel=1e-5)
    assert float(eikonal_loss(0.5 * unit)) == pytest.approx(0.25, rel=1e-5)


def test_eikonal_gradient_is_finite_where_the_field_is_flat():
    flat = torch.zeros(4, 3, requires_grad=True)
    eikonal_loss(flat).backward()
    assert bool(torch.isfinite(flat.grad).all())  # type: ignore[arg-type]


def test_sparsity_falls_exponentially_with_distance_on_both_sides():
    assert float(sparsity_loss(torch.tensor([0.02]), 0.01)) == pytest.approx(math.exp(-2))
    assert float(sparsity_loss(torch.tensor([-0.02, 0.0]), 0.01)) == pytest.approx((math.exp(-2) + 1) / 2)


def test_only_points_inside_both_count_by_the_lesser_depth():
    thing = torch.tensor([-0.003, -0.003, 0.002, -0.001])
    hand = torch.tensor([-0.001, 0.004, -0.005, -0.004])
    assert float(interpenetration_loss(thing, hand, 0.002)) == pytest.approx((0.5 + 0 + 0 + 0.5) / 4)


def test_less_depth_is_wanted_of_the_surface_that_can_move_least():
    thing = torch.tensor([-0.001], requires_grad=True)
    interpenetration_loss(thing, torch.tensor([-0.004]), 0.002).backward()
    assert float(thing.grad) == pytest.approx(-500.0)  # type: ignore[arg-type]


def test_a_surface_is_as_bent_as_its_unit_normals_differ_whatever_their_lengths():
    up, aside = torch.tensor([[0.0, 0.0, 2.0]]), torch.tensor([[0.0, 0.5, 0.0]])
    assert float(smooth_surface_loss(up, 3 * up)) == pytest.approx(SAME_NORMAL)
    assert float(smooth_surface_loss(up, aside)) == pytest.approx(math.sqrt(2), rel=1e-3)
    assert float(smooth_surface_loss(torch.cat([up, up]), torch.cat([up, aside]))) == pytest.approx(math.sqrt(2) / 2, rel=0.01)
    assert float(smooth_surface_loss(up[:0], aside[:0])) == 0.0


def test_a_bent_surface_turns_its_normals_towards_each_other():
    bent = torch.tensor([[0.0, 0.0, 1.0]], requires_grad=True)
    smooth_surface_loss(bent, torch.tensor([[0.0, 0.6, 0.8]])).backward()
    assert float(bent.grad[0, 1]) < -0.5  # type: ignore[index]
