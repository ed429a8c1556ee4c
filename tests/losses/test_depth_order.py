"""Who hides whom, on a ball whose distances are exact: closed forms, and the way each mistake is pulled."""

import pytest
import torch
from tiny_scene import RADIUS, exact_ball_grid

from hoifield.losses.depth_order import TOWARDS_CAMERA, depth_order_loss, object_before

SCALE = 0.004
YES, NO = torch.ones(1, 1, dtype=torch.bool), torch.zeros(1, 1, dtype=torch.bool)


def ball_at(depth: float) -> torch.Tensor:
    """T_object_camera of the ball on the optical axis."""
    T = torch.eye(4)[None].clone()
    T[0, 2, 3] = -depth
    return T


def before(depth: float, *vertex: float) -> float:
    return float(object_before(exact_ball_grid(), ball_at(depth), torch.tensor([[vertex]])))


def test_a_vertex_behind_the_ball_is_hidden_and_one_before_it_is_not():
    assert before(0.4, 0.0, 0.0, 0.45) < -0.01
    assert before(0.4, 0.0, 0.0, 0.35) > 0.01
    assert before(0.4, 0.15, 0.0, 0.45) > 0.03


def test_the_value_is_the_smallest_distance_of_the_steps_towards_the_camera():
    behind = 0.4 + RADIUS + 0.03
    expected = min(abs(behind - step - 0.4) for step in TOWARDS_CAMERA) - RADIUS
    assert before(0.4, 0.0, 0.0, behind) == pytest.approx(expected, abs=0.0015)


def test_steps_go_along_the_sight_line_and_not_along_the_optical_axis():
    off_axis = torch.eye(4)[None].clone()
    off_axis[0, :3, 3] = -torch.tensor([0.2, 0.0, 0.4])
    direction = torch.tensor([0.2, 0.0, 0.4]) / 0.2**0.5
    on_line = (0.2**0.5 + TOWARDS_CAMERA[4]) * direction
    assert float(object_before(exact_ball_grid(), off_axis, on_line[None, None])) < -0.03


@pytest.mark.parametrize(("nearest", "on_hand", "on_object", "error"), [(-0.004, True, False, 1.0), (0.008, False, True, 2.0), (-0.012, True, False, 3.0)])
def test_mistakes_cost_their_robust_depth(nearest: float, on_hand: bool, on_object: bool, error: float):
    loss = depth_order_loss(torch.tensor([[nearest]]), YES & on_hand, YES & on_object, SCALE)
    assert float(loss) == pytest.approx(error**2 / (1 + error**2), rel=1e-5)


def test_what_agrees_with_the_masks_or_is_not_marked_costs_nothing():
    assert float(depth_order_loss(torch.tensor([[0.02]]), YES, NO, SCALE)) == 0.0
    assert float(depth_order_loss(torch.tensor([[-0.02]]), NO, YES, SCALE)) == 0.0
    assert float(depth_order_loss(torch.tensor([[-0.02]]), NO, NO, SCALE)) == 0.0


def test_a_hidden_vertex_seen_as_hand_is_pulled_to_the_camera_and_an_uncovered_one_away():
    for depth, on_hand, sign in ((0.45, True, 1.0), (0.355, False, -1.0)):
        vertices = torch.tensor([[[0.0, 0.0, depth]]], requires_grad=True)
        nearest = object_before(exact_ball_grid(), ball_at(0.4), vertices)
        depth_order_loss(nearest, YES & on_hand, YES & (not on_hand), SCALE).backward()
        assert sign * float(vertices.grad[0, 0, 2]) > 0.1  # type: ignore[index]
