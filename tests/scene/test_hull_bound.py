"""The first hull bounds the object: matter further beyond it than masks and poses are off is counted, what lies inside or before it is free."""

import torch

from hoifield.scene.hull_bound import BEFORE, HullBound, reach_before

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


def seen_from_minus_z(frames: int) -> torch.Tensor:
    poses = torch.eye(4).repeat(frames, 1, 1)
    poses[:, 2, 3] = 0.5
    return poses


def seen_from_minus_x(frames: int) -> torch.Tensor:
    poses = seen_from_minus_z(frames)
    poses[:, :3, :3] = torch.tensor([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    return poses


def counted(bound: HullBound) -> list[bool]:
    """Whether matter 3 cm off the ball counts: towards -z, beside it, behind it; and 2 cm farther off than is free towards -z."""
    far = RADIUS + BEFORE + 0.02
    points = torch.tensor([[0.0, 0.0, -0.07], [0.0, 0.07, 0.0], [0.0, 0.0, 0.07], [0.0, 0.0, -far]])
    return (bound.excess(points, torch.full((4,), -0.002), SLACK) > 0).tolist()


def test_what_lies_before_the_hull_in_most_frames_is_for_pixels_to_judge() -> None:
    assert counted(ball_bound()) == [True, True, True, True]
    assert counted(reach_before(ball_bound(), seen_from_minus_z(5))) == [False, True, True, True]
    assert counted(reach_before(ball_bound(), torch.cat([seen_from_minus_z(5), seen_from_minus_x(2)]))) == [False, True, True, True]
    assert counted(reach_before(ball_bound(), torch.cat([seen_from_minus_z(2), seen_from_minus_x(5)]))) == [True, True, True, True]


def test_distances_to_the_hull_itself_do_not_change() -> None:
    points = torch.rand(100, 3, generator=torch.Generator().manual_seed(1)) * 0.16 - 0.08
    bound = ball_bound()
    assert torch.equal(reach_before(bound, seen_from_minus_z(3)).at(points), bound.at(points))
