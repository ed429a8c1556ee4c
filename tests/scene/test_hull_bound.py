"""The first hull bounds the object: matter further beyond it than masks and poses are off is counted, what lies inside is free."""

import torch

from hoifield.scene.hull_bound import HullBound

LOWER, SPACING, RADIUS, SLACK = torch.full((3,), -0.1), 0.005, 0.04, 0.005


def ball_bound() -> HullBound:
    axis = torch.arange(41) * SPACING - 0.1
    nodes = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1)
    return HullBound(nodes.norm(dim=-1) - RADIUS, LOWER, SPACING)


def test_only_matter_beyond_the_slack_counts() -> None:
    points = torch.rand(500, 3, generator=torch.Generator().manual_seed(0)) * 0.16 - 0.08
    hull = points.norm(dim=-1) - RADIUS
    bound = ball_bound()
    for inflated, counted in ((-0.01, False), (0.0, False), (0.004, False), (0.012, True)):
        excess = bound.excess(points, hull - inflated, SLACK)
        assert bool((excess > 2e-3).any()) == counted
    assert torch.allclose(bound.excess(points, hull - 0.012, SLACK), torch.full((500,), 0.007), atol=1.5e-3)


def test_a_flap_is_pushed_back_and_a_hollow_is_not() -> None:
    bound = ball_bound()
    outside, inside = torch.tensor([[0.0, 0.07, 0.0]]), torch.tensor([[0.0, 0.02, 0.0]])
    distance = torch.tensor([-0.002], requires_grad=True)
    bound.excess(outside, distance, SLACK).sum().backward()
    assert distance.grad is not None and float(distance.grad) == -1.0
    assert float(bound.excess(inside, torch.tensor([0.01]), SLACK)) == 0.0
