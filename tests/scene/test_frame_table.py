"""The frame table: corrections to observed poses, and that they start at nothing."""

import pytest
import torch

from hoifield.geometry.rigid import compose
from hoifield.geometry.rotations import matrix_from_axis_angle, rotation_angle
from hoifield.scene.frame_table import FrameTable, HandPoses, ObservedHand, correct_rigid


def rigid(seed: int, count: int = 5) -> torch.Tensor:
    vectors, translation = torch.randn(2, count, 3, generator=torch.Generator().manual_seed(seed))
    return compose(matrix_from_axis_angle(vectors), translation)


def table() -> FrameTable:
    hand = ObservedHand("left", rigid(1), torch.randn(5, 16, 3, generator=torch.Generator().manual_seed(2)) * 0.2, torch.ones(10))
    return FrameTable(torch.arange(5) / 30.0, rigid(0), torch.ones(5), (hand,))


def test_a_new_table_gives_the_observed_poses_exactly():
    frames = table()
    hand = frames.hands[0]
    assert isinstance(hand, HandPoses) and hand.side == "left"
    assert torch.equal(frames.T_camera_object(), rigid(0))
    assert torch.equal(hand.T_camera_hand(), rigid(1))
    assert torch.equal(hand.pose(), hand.observed_pose) and torch.equal(hand.shape(), torch.ones(10))


def test_a_rotation_turns_about_the_own_origin_in_camera_axes_and_leaves_the_place():
    T = rigid(3)
    turn = torch.tensor([0.0, 0.0, 0.3]).expand(5, 3)
    corrected = correct_rigid(T, turn, torch.zeros(5, 3))
    assert torch.equal(corrected[:, :3, 3], T[:, :3, 3])
    between = corrected[:, :3, :3] @ T[:, :3, :3].transpose(1, 2)
    assert torch.allclose(between, matrix_from_axis_angle(turn), atol=1e-6)
    assert torch.allclose(rotation_angle(between), torch.full((5,), 0.3), atol=1e-5)


def test_a_translation_moves_along_camera_axes_whatever_the_rotation():
    T = rigid(4)
    shift = torch.tensor([0.01, -0.02, 0.03]).expand(5, 3)
    corrected = correct_rigid(T, torch.zeros(5, 3), shift)
    assert torch.allclose(corrected[:, :3, 3] - T[:, :3, 3], shift, atol=1e-6)
    assert torch.equal(corrected[:, :3, :3], T[:, :3, :3])


def test_rows_pick_frames_in_any_order_and_repeated():
    frames = table()
    with torch.no_grad():
        frames.object_translation.normal_()
    rows = torch.tensor([3, 0, 3, 4])
    assert torch.equal(frames.T_camera_object(rows), frames.T_camera_object()[rows])


def test_a_correction_of_one_frame_gets_the_gradient_of_that_frame_alone():
    frames = table()
    frames.T_camera_object(torch.tensor([2])).sum().backward()
    touched = frames.object_translation.grad.abs().sum(1) > 0  # type: ignore[union-attr]
    assert touched.tolist() == [False, False, True, False, False]


def test_corrections_are_trained_and_observations_are_kept_in_the_state():
    frames = table()
    trained = {name for name, _ in frames.named_parameters()}
    assert trained == {"object_rotation", "object_translation"} | {f"hands.0.{k}" for k in ("rotation", "translation", "articulation", "shape_change")}
    assert {"time_s", "observed_T_camera_object", "object_confidence", "hands.0.observed_T", "hands.0.observed_pose"} <= set(frames.state_dict())


def test_shapes_add_up():
    hand = table().hands[0]
    assert isinstance(hand, HandPoses)
    with torch.no_grad():
        hand.shape_change.fill_(0.5)
        hand.articulation.fill_(0.1)
    assert hand.shape().tolist() == [1.5] * 10
    assert torch.allclose(hand.pose() - hand.observed_pose, torch.full((5, 16, 3), 0.1), atol=1e-6)
    with pytest.raises(IndexError):
        hand.T_camera_hand(torch.tensor([5]))
