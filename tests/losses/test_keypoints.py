"""Keypoint and limit losses: closed forms."""

import math

import pytest
import torch

from hoifield.geometry.cameras import project
from hoifield.losses.keypoints import keypoint_loss, limit_loss, trust_keypoints

K = torch.tensor([[400.0, 0.0, 160.0], [0.0, 400.0, 120.0], [0.0, 0.0, 1.0]])


BELIEVED = torch.ones(3, 21)


def keypoints() -> torch.Tensor:
    return torch.rand(3, 21, 3, generator=torch.Generator().manual_seed(0)) * 0.2 + torch.tensor([0.0, 0.0, 0.4])


def test_projected_keypoints_that_agree_cost_nothing():
    assert float(keypoint_loss(keypoints(), project(keypoints(), K), K, torch.full((3,), 100.0), BELIEVED)) == pytest.approx(0.0, abs=1e-6)


def test_an_error_counts_in_units_of_two_percent_of_the_box_and_grows_linearly_when_large():
    detected = project(keypoints(), K) + torch.tensor([3.0, 4.0])
    small = keypoint_loss(keypoints(), detected, K, torch.full((3,), 250.0), BELIEVED)
    large = keypoint_loss(keypoints(), detected, K, torch.full((3,), 2.5), BELIEVED)
    assert float(small) == pytest.approx(math.sqrt(2.0) - 1.0, rel=1e-3)
    assert float(large) == pytest.approx(math.sqrt(1.0 + 100.0**2) - 1.0, rel=1e-3)


def test_the_gradient_moves_keypoints_towards_the_detections():
    points = keypoints().requires_grad_()
    detected = project(keypoints(), K) + torch.tensor([5.0, 0.0])
    keypoint_loss(points, detected, K, torch.full((3,), 100.0), BELIEVED).backward()
    assert bool((points.grad[..., 0] < 0).all())  # type: ignore[index]


def test_frames_without_a_detection_do_not_count_and_have_no_gradient():
    points = keypoints().requires_grad_()
    detected = project(keypoints(), K) + torch.tensor([5.0, 0.0])
    others = keypoint_loss(points[:2], detected[:2], K, torch.full((2,), 100.0), BELIEVED[:2])
    detected[2] = float("nan")
    loss = keypoint_loss(points, detected, K, torch.tensor([100.0, 100.0, float("nan")]), BELIEVED)
    assert float(loss) == pytest.approx(float(others))
    loss.backward()
    assert bool((points.grad[:2, :, 0] < 0).all()) and float(points.grad[2].abs().max()) == 0.0  # type: ignore[index]
    assert float(keypoint_loss(points, torch.full_like(detected, float("nan")), K, torch.full((3,), 100.0), BELIEVED)) == 0.0


def test_limit_loss_is_the_mean_square_of_the_excess():
    excess = torch.zeros(2, 16, 3)
    excess[0, 4] = torch.tensor([0.3, 0.0, 0.4])
    assert float(limit_loss(excess)) == pytest.approx(0.25 / 32)


def test_detections_far_from_a_hand_on_which_frames_agree_are_hardly_believed():
    detected = project(keypoints(), K)
    detected[0, 4] += torch.tensor([16.0, 0.0])
    detected[1] = float("nan")
    box = torch.tensor([100.0, float("nan"), 100.0])
    trust = trust_keypoints(keypoints(), detected, K, box)
    assert float(trust[0, 4]) == pytest.approx(0.2, rel=1e-3) and float(trust[0, :4].min()) == pytest.approx(1.0)
    assert float(trust[1].abs().max()) == 0.0
    moved = project(keypoints(), K) + torch.tensor([3.0, 4.0])
    doubted = keypoint_loss(keypoints(), moved, K, torch.full((3,), 250.0), 0.5 * BELIEVED)
    assert float(doubted) == pytest.approx(0.5 * float(keypoint_loss(keypoints(), moved, K, torch.full((3,), 250.0), BELIEVED)))
