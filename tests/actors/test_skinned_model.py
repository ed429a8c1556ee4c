"""Skinning against a plain reference, and the contract of every hand model on the built-in hand."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from hoifield.actors.skinned_model import JOINT_PARENTS, KEYPOINT_FROM_JOINT, SkinnedModel


def skin_plainly(model: SkinnedModel, shape: np.ndarray, pose: np.ndarray, T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and joints of one frame, float64, one joint and one vertex after another."""
    arrays = {
        name: getattr(model, name).double().numpy()
        for name in ("template", "shape_directions", "joint_template", "joint_directions", "weights")
    }
    rest = arrays["template"] + arrays["shape_directions"] @ shape
    joints = arrays["joint_template"] + arrays["joint_directions"] @ shape
    frames = [T]
    for joint in range(1, 16):
        local = np.eye(4)
        local[:3, :3] = Rotation.from_rotvec(pose[joint]).as_matrix()
        local[:3, 3] = joints[joint] - joints[JOINT_PARENTS[joint]]
        if JOINT_PARENTS[joint] == 0:
            local[:3, 3] = joints[joint]
        frames.append(frames[JOINT_PARENTS[joint]] @ local)
    vertices = np.zeros_like(rest)
    for joint, frame in enumerate(frames):
        offset = rest - (joints[joint] if joint else 0.0)
        vertices += arrays["weights"][:, joint : joint + 1] * (offset @ frame[:3, :3].T + frame[:3, 3])
    return vertices, np.stack([frame[:3, 3] for frame in frames])


def random_pose(seed: int, frames: int, scale: float = 0.5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Shape, pose and hand placement, float32."""
    generator = np.random.default_rng(seed)
    T = np.tile(np.eye(4), (frames, 1, 1))
    T[:, :3, :3] = Rotation.random(frames, random_state=seed).as_matrix()
    T[:, :3, 3] = generator.normal(size=(frames, 3)) * 0.2
    pose = generator.normal(size=(frames, 16, 3)) * scale
    pose[:, 0] = 0.0
    return tuple(torch.tensor(array, dtype=torch.float32) for array in (generator.normal(size=10), pose, T))


@pytest.mark.parametrize("seed", [0, 1])
def test_posing_equals_a_plain_reference(right_hand: SkinnedModel, seed: int) -> None:
    shape, pose, T = random_pose(seed, 3)
    posed = right_hand.pose(shape, pose, T)
    for frame in range(3):
        vertices, joints = skin_plainly(right_hand, shape.double().numpy(), pose[frame].double().numpy(), T[frame].double().numpy())
        np.testing.assert_allclose(posed.vertices[frame].numpy(), vertices, atol=1e-6)
        np.testing.assert_allclose(posed.joints[frame].numpy(), joints, atol=1e-6)


def test_the_zero_pose_is_the_rest_shape_and_is_flat(right_hand: SkinnedModel) -> None:
    posed = right_hand.pose(torch.zeros(10), torch.zeros(1, 16, 3), torch.eye(4)[None])
    torch.testing.assert_close(posed.vertices[0], right_hand.template, atol=1e-7, rtol=0)
    for chain in range(4):
        joints = right_hand.joint_template[3 * chain + 1 : 3 * chain + 4]
        assert float(joints[:, 1].max() - joints[:, 1].min()) < 1e-4
        bones = torch.nn.functional.normalize(joints.diff(dim=0), dim=1)
        assert float(bones[0] @ bones[1]) > 0.9999


def test_the_right_hand_lies_in_the_agreed_axes(right_hand: SkinnedModel) -> None:
    rest = right_hand.joint_template
    knuckles = rest[[1, 4, 7, 10]].mean(0)
    assert knuckles[0] < -0.07 and abs(knuckles[1]) < 0.005
    assert rest[1, 2] > rest[4, 2] > rest[10, 2] > rest[7, 2]
    assert right_hand.template[right_hand.fingertip_vertices[0], 2] > 0.05
    assert right_hand.template[right_hand.fingertip_vertices[0], 1] < -0.01


def test_the_wrist_is_the_origin_for_every_shape(right_hand: SkinnedModel, left_hand: SkinnedModel) -> None:
    for hand in (right_hand, left_hand):
        assert torch.equal(hand.joint_template[0], torch.zeros(3))
        assert torch.equal(hand.joint_directions[0], torch.zeros(3, 10))
        shape, pose, T = random_pose(2, 2)
        torch.testing.assert_close(hand.pose(shape, pose, T).joints[:, 0], T[:, :3, 3])


def test_keypoints_are_ordered_wrist_then_thumb_to_little(right_hand: SkinnedModel) -> None:
    shape, pose, T = random_pose(3, 1)
    posed = right_hand.pose(shape, pose, T)
    for finger in range(5):
        torch.testing.assert_close(posed.keypoints[0, 4 * finger + 4], posed.vertices[0, right_hand.fingertip_vertices[finger]])
        for k in range(3):
            torch.testing.assert_close(posed.keypoints[0, 4 * finger + 1 + k], posed.joints[0, KEYPOINT_FROM_JOINT[4 * finger + 1 + k]])


def test_the_blended_transforms_take_posed_points_back_to_rest(right_hand: SkinnedModel) -> None:
    shape, pose, T = random_pose(4, 2, scale=0.2)
    posed = right_hand.pose(shape, pose, T)
    blended = torch.einsum("vj,fjab->fvab", right_hand.weights.double(), posed.T_camera_joint.double())
    homogeneous = torch.cat([posed.vertices.double(), torch.ones(2, len(right_hand.template), 1, dtype=torch.float64)], dim=2)
    back = torch.linalg.solve(blended, homogeneous[..., None])[..., :3, 0]
    rest, _ = right_hand.shaped(shape)
    assert float((back - rest.double()).abs().max()) < 1e-5


def test_a_left_hand_mirrors_the_right(right_hand: SkinnedModel, left_hand: SkinnedModel) -> None:
    shape, pose, T = random_pose(5, 2)
    mirror = torch.diag(torch.tensor([-1.0, 1.0, 1.0, 1.0]))
    mirrored_pose = pose * torch.tensor([1.0, -1.0, -1.0])
    right, left = right_hand.pose(shape, pose, T), left_hand.pose(shape, mirrored_pose, mirror @ T @ mirror)
    torch.testing.assert_close(left.vertices, right.vertices * torch.tensor([-1.0, 1.0, 1.0]), atol=1e-6, rtol=0)
    torch.testing.assert_close(left.keypoints, right.keypoints * torch.tensor([-1.0, 1.0, 1.0]), atol=1e-6, rtol=0)


def test_gradients_reach_shape_pose_and_placement(right_hand: SkinnedModel) -> None:
    inputs = [tensor.requires_grad_() for tensor in random_pose(6, 1)]
    (right_hand.pose(*inputs).keypoints ** 2).sum().backward()
    assert all(torch.isfinite(tensor.grad).all() and float(tensor.grad.abs().max()) > 0 for tensor in inputs)
