"""The result of a known scene: its mesh where silhouettes end, its poses, and nothing where nothing was seen."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_scene import MISSING_FRAME, RADIUS, ball_on_hand, make_exact_ball, tiny_scene

from hoifield.errors import RefusedInput
from hoifield.geometry.mesh import signed_volume
from hoifield.geometry.rotations import matrix_from_axis_angle
from hoifield.renderer.surface_level import rendered_surface_level
from hoifield.result.collect_result import collect_result, extract_object_mesh, root_axis_angle


def test_the_mesh_of_a_ball_is_a_closed_ball_of_the_rendered_radius_in_its_colours():
    scene = tiny_scene()
    make_exact_ball(scene)
    mesh = extract_object_mesh(scene, 48, 0.0008)
    values, _, spacing = scene.object_distance.as_grid(48)
    level = rendered_surface_level(values.numpy(), spacing, 0.0008)
    radius = np.linalg.norm(mesh.vertices, axis=1)
    assert np.abs(radius - RADIUS - level).max() < 0.0003
    assert signed_volume(mesh) == pytest.approx(4 / 3 * np.pi * (RADIUS + level) ** 3, rel=0.02)
    edges = np.sort(np.concatenate([mesh.faces[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))]), 1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    assert mesh.colours is not None and mesh.colours.shape == mesh.vertices.shape
    assert 0.0 <= mesh.colours.min() and mesh.colours.max() <= 1.0


def test_a_field_without_a_surface_is_refused():
    scene = tiny_scene()
    make_exact_ball(scene)
    scene.object_distance.base_radius.fill_(-0.5)
    with pytest.raises(RefusedInput) as refusal:
        extract_object_mesh(scene, 24, 0.001)
    assert refusal.value.code == "HF-RES-013"


def test_the_result_covers_the_clip_and_frames_without_a_pose_have_none():
    grasp = ball_on_hand()
    result = collect_result(tiny_scene(), grasp.observations, grasp.clip, {"right": grasp.model}, 32, 0.001)
    hand = result.hands[0]
    seen = np.arange(8) != MISSING_FRAME
    assert np.array_equal(np.isfinite(hand.vertices).all((1, 2)), seen)
    assert np.array_equal(np.isfinite(hand.joints).all((1, 2)), seen)
    assert np.array_equal(np.isfinite(result.T_camera_object).all((1, 2)), seen)
    assert np.array_equal(hand.confidence > 0, seen) and hand.confidence[0] == pytest.approx(np.exp(-0.2))
    assert result.image_size == (96, 96) and result.K.shape == (8, 3, 3) and np.array_equal(result.frame_index, np.arange(8))


def test_a_carried_hand_is_as_sure_as_the_grasp_is_elsewhere_and_the_object_is_there():
    grasp = ball_on_hand()
    observed = grasp.observations.hands[0].observed & (np.arange(8) != 2)
    error = np.where(observed, grasp.observations.hands[0].keypoint_error, np.nan)
    track = grasp.observations.object_track
    assert track is not None
    confidence = track.confidence.copy()
    confidence[2] = 0.5
    hand = replace(grasp.observations.hands[0], observed=observed, keypoint_error=error)
    observations = replace(grasp.observations, hands=(hand,), object_track=replace(track, confidence=confidence))
    found = collect_result(tiny_scene(), observations, grasp.clip, {"right": grasp.model}, 16, 0.001).hands[0]
    assert found.confidence[2] == pytest.approx(0.5 * np.exp(-0.2))
    assert found.confidence[0] == pytest.approx(np.exp(-0.2)) and found.confidence[MISSING_FRAME] == 0.0


def test_vertices_joints_and_root_agree_with_the_poses_beside_them():
    grasp = ball_on_hand()
    scene = tiny_scene()
    with torch.no_grad():
        scene.hands()[0][1].articulation[:, 1:, 0] += 0.2
        scene.hands()[0][1].rotation[:, 1] += 0.1
    hand = collect_result(scene, grasp.observations, grasp.clip, {"right": grasp.model}, 24, 0.001).hands[0]
    T, pose = (torch.tensor(array[[0, 3]], dtype=torch.float32) for array in (hand.T_camera_hand, hand.pose))
    posed = grasp.model.pose(torch.tensor(hand.shape).float(), pose, T)
    assert np.allclose(hand.vertices[[0, 3]], posed.vertices.numpy(), atol=1e-6)
    assert np.allclose(hand.joints[[0, 3]], posed.keypoints.numpy(), atol=1e-6)
    assert torch.allclose(matrix_from_axis_angle(pose[:, 0]), T[:, :3, :3], atol=1e-5)
    assert np.allclose(root_axis_angle(hand.T_camera_hand[[0, 3]]), hand.pose[[0, 3], 0])
    assert float(pose[:, 1:, 0].min()) == pytest.approx(0.2)
