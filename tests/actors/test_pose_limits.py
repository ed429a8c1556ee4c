"""Anatomical angles mean the same motion on both hands, and the limits act on them."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hoifield.actors.pose_limits import anatomical_angles, limit_excess, pose_from_anatomical
from hoifield.actors.skinned_model import SkinnedModel


def keypoints(hand: SkinnedModel, angles: torch.Tensor) -> torch.Tensor:
    return hand.pose(torch.zeros(10), pose_from_anatomical(hand, angles), torch.eye(4).expand(len(angles), 4, 4)).keypoints


def test_axes_are_rotations(right_hand: SkinnedModel, left_hand: SkinnedModel) -> None:
    for hand in (right_hand, left_hand):
        torch.testing.assert_close(hand.joint_axes.transpose(1, 2) @ hand.joint_axes, torch.eye(3).expand(16, 3, 3), atol=1e-5, rtol=0)
        torch.testing.assert_close(torch.linalg.det(hand.joint_axes), torch.ones(16), atol=1e-5, rtol=0)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_angles_and_pose_invert_each_other(right_hand: SkinnedModel, seed: int) -> None:
    pose = torch.randn(2, 16, 3, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(pose_from_anatomical(right_hand, anatomical_angles(right_hand, pose)), pose, atol=1e-5, rtol=0)


def test_the_same_angles_move_both_hands_alike(right_hand: SkinnedModel, left_hand: SkinnedModel) -> None:
    angles = 0.4 * torch.randn(2, 16, 3, generator=torch.Generator().manual_seed(1))
    angles[:, 0] = 0.0
    torch.testing.assert_close(
        keypoints(left_hand, angles), keypoints(right_hand, angles) * torch.tensor([-1.0, 1.0, 1.0]), atol=1e-6, rtol=0
    )


def test_flexion_bends_to_the_palm_and_abduction_to_the_thumb(right_hand: SkinnedModel) -> None:
    rest = keypoints(right_hand, torch.zeros(1, 16, 3))[0]
    for finger, joint in zip((2, 3, 4, 5), (1, 4, 10, 7), strict=True):
        tip = 4 * finger
        flexed, abducted = torch.zeros(1, 16, 3), torch.zeros(1, 16, 3)
        flexed[0, joint, 0] = abducted[0, joint, 1] = 0.5
        assert keypoints(right_hand, flexed)[0, tip, 1] < rest[tip, 1] - 0.02
        assert keypoints(right_hand, abducted)[0, tip, 2] > rest[tip, 2] + 0.02
    opposed = torch.zeros(1, 16, 3)
    opposed[0, 13, 1] = 0.5
    assert keypoints(right_hand, opposed)[0, 4, 1] < rest[4, 1] - 0.01


def test_the_thumb_flexes_across_the_palm(right_hand: SkinnedModel) -> None:
    rest, angles = keypoints(right_hand, torch.zeros(1, 16, 3))[0], torch.zeros(1, 16, 3)
    angles[0, [14, 15], 0] = 0.6
    assert (keypoints(right_hand, angles)[0, 4] - rest[17]).norm() < (rest[4] - rest[17]).norm() - 0.01


def test_excess_is_zero_inside_and_the_distance_outside(right_hand: SkinnedModel) -> None:
    middle = (right_hand.lower_limits + right_hand.upper_limits)[None] / 2
    assert float(limit_excess(right_hand, pose_from_anatomical(right_hand, middle)).max()) < 1e-6
    beyond = middle.clone()
    beyond[0, 2, 0] = right_hand.upper_limits[2, 0] + 0.3
    beyond[0, 8, 2] = right_hand.lower_limits[8, 2] - 0.2
    beyond[0, 0] = 5.0
    excess = limit_excess(right_hand, pose_from_anatomical(right_hand, beyond))[0]
    expected = torch.zeros(16, 3)
    expected[2, 0], expected[8, 2] = 0.3, 0.2
    torch.testing.assert_close(excess, expected, atol=1e-5, rtol=0)
