"""The first scene: the hull's shape, the observed poses of the fitted frames, the same from the same seed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_scene import FIT_FRAMES, RADIUS, TINY, ball_on_hand, build_scene, tiny_scene

from hoifield.errors import RefusedInput
from hoifield.scene.initialise import initialise_scene


def test_the_object_starts_as_its_hull():
    scene = tiny_scene()
    direction = torch.nn.functional.normalize(torch.randn(500, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    for offset in (-0.005, 0.0, 0.005):
        distance = scene.object_distance.query(direction * (RADIUS + offset)).signed_distance
        assert float((distance - offset).abs().mean()) < 0.001
    assert float(scene.object_distance.query(torch.zeros(1, 3)).signed_distance) < -0.02


def test_poses_are_the_observed_ones_of_the_fitted_frames():
    scene, observations = tiny_scene(), ball_on_hand().observations
    track = observations.object_track
    assert track is not None
    assert np.allclose(scene.frames.T_camera_object().detach().numpy(), track.T_camera_object[FIT_FRAMES], atol=1e-6)
    actor, poses = scene.hands()[0]
    assert np.allclose(poses.T_camera_hand().detach().numpy(), observations.hands[0].T_camera_hand[FIT_FRAMES], atol=1e-6)
    assert np.allclose(scene.frames.time_s.numpy(), ball_on_hand().clip.time_s[FIT_FRAMES])
    assert scene.entity_count == 2 and actor.volumes.distance.shape[0] == len(FIT_FRAMES)


def test_everything_is_a_number_and_the_background_lies_behind_the_object():
    scene = tiny_scene()
    assert all(bool(torch.isfinite(tensor).all()) for tensor in scene.state_dict().values() if tensor.is_floating_point())
    assert scene.background.radius > 0.45 + RADIUS


def test_the_same_seed_gives_the_same_scene_and_another_seed_another():
    short = replace(TINY, hull_steps=5, hand_volume_resolution=12)
    first, second, other = (build_scene(config).state_dict() for config in (short, short, replace(short, seed=1)))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["object_distance.table"], other["object_distance.table"])
    assert not torch.equal(first["actors.0.table"], other["actors.0.table"])


def test_without_an_object_there_is_nothing_to_start_from():
    grasp = ball_on_hand()
    with pytest.raises(RefusedInput) as refusal:
        initialise_scene(replace(grasp.observations, object_track=None), grasp.clip.time_s, grasp.observations.camera, {"right": grasp.model}, TINY)
    assert refusal.value.code == "HF-SCN-002"


def test_a_clip_without_a_fitted_hand_still_makes_a_scene():
    grasp = ball_on_hand()
    scene = initialise_scene(replace(grasp.observations, hands=()), grasp.clip.time_s, grasp.observations.camera, {}, TINY)
    assert scene.entity_count == 1 and scene.hands() == []


def test_backgrounds_see_their_own_frame_by_its_code():
    scene = tiny_scene()
    directions = torch.tensor([[0.0, 0.0, 1.0]]).expand(2, 3)
    same = scene.background_colour(directions, torch.tensor([0, 1]))
    assert torch.equal(same[0], same[1])
    with torch.no_grad():
        scene.background_code[1] += 1.0
    different = scene.background_colour(directions, torch.tensor([0, 1]))
    assert torch.equal(different[0], same[0]) and not torch.allclose(different[1], same[1], atol=1e-3)
