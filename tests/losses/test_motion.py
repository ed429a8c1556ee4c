"""Losses of corrections: in time, not in frame numbers."""

import pytest
import torch

from hoifield.losses.motion import held_gauge_loss, small_correction_loss, smooth_correction_loss, steady_path_loss


def test_a_steady_drift_costs_the_same_at_any_frame_rate():
    for times in (torch.linspace(0, 1, 11), torch.linspace(0, 1, 31), torch.tensor([0.0, 0.1, 0.4, 0.5, 1.0])):
        drift = times[:, None] * torch.tensor([0.03, 0.0])
        # 0.03 a second is 0.003 per tenth of a second.
        assert float(smooth_correction_loss(drift, times, 0.003)) == pytest.approx(1.0, rel=1e-4)


def test_a_constant_correction_is_smooth_and_one_frame_alone_costs_nothing():
    assert float(smooth_correction_loss(torch.full((6, 3), 0.2), torch.arange(6) / 30, 0.01)) == 0.0
    single = torch.ones(1, 3, requires_grad=True)
    loss = smooth_correction_loss(single, torch.zeros(1), 0.01)
    loss.backward()
    assert float(loss) == 0.0 and single.grad is not None


def test_frames_at_one_time_do_not_divide_by_nothing():
    loss = smooth_correction_loss(torch.tensor([[0.0], [0.01]]), torch.zeros(2), 0.01)
    assert bool(torch.isfinite(loss))


@pytest.mark.parametrize("times", [torch.linspace(0, 1, 31), torch.tensor([0.0, 0.1, 0.15, 0.4, 0.5, 0.9, 1.0])])
def test_a_body_that_is_thrown_costs_its_acceleration_at_any_frame_times(times: torch.Tensor):
    path = 0.5 * 2.0 * times[:, None, None] ** 2 * torch.tensor([0.0, 1.0, 0.0])
    ratio = 2.0 / 5.0
    assert float(steady_path_loss(path, times, 5.0)) == pytest.approx(ratio**2 / (1 + ratio**2), rel=1e-3)


def test_steady_motion_costs_nothing_jitter_much_and_never_more_than_one():
    times = torch.arange(20) / 30
    steady = (times[:, None, None] * torch.tensor([0.3, 0.0, 0.1])).expand(-1, 3, -1)
    shaken = steady + 0.005 * torch.randn(20, 3, 3, generator=torch.Generator().manual_seed(0))
    assert float(steady_path_loss(steady, times, 5.0)) < 1e-6
    assert 0.5 < float(steady_path_loss(shaken, times, 5.0)) < 1.0
    assert float(steady_path_loss(steady[:2], times[:2], 5.0)) == 0.0


def test_small_corrections_cost_their_square_weighted_by_trust():
    correction = torch.tensor([[0.03, 0.04], [0.3, 0.4]])
    assert float(small_correction_loss(correction, torch.tensor([1.0, 0.0]), 0.05)) == pytest.approx(0.5)


def test_the_gauge_holds_what_all_frames_share_and_nothing_else():
    swing = torch.tensor([[0.02, 0.0, 0.0], [-0.02, 0.0, 0.0]])
    assert float(held_gauge_loss(swing, 0.01)) == 0.0
    assert float(held_gauge_loss(swing + torch.tensor([0.0, 0.01, 0.0]), 0.01)) == pytest.approx(1.0)
