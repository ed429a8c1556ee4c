"""Corrections of fitted frames spread over the clip: linear in time, and only where something was observed."""

from dataclasses import replace

import numpy as np
import torch
from tiny_scene import FRAMES, MISSING_FRAME, ball_on_hand, tiny_scene

from hoifield.fitting.spread_corrections import spread_corrections

OBSERVED = np.arange(FRAMES) != MISSING_FRAME


def test_without_corrections_the_observed_poses_come_back_in_full_precision():
    observations, time_s = ball_on_hand().observations, ball_on_hand().clip.time_s
    poses = spread_corrections(tiny_scene(), observations, time_s)
    track = observations.object_track
    assert track is not None
    assert np.allclose(poses.T_camera_object[OBSERVED], track.T_camera_object[OBSERVED], atol=1e-14)
    assert np.allclose(poses.hands[0].T_camera_hand[OBSERVED], observations.hands[0].T_camera_hand[OBSERVED], atol=1e-14)


def test_frames_without_an_observation_get_no_pose():
    scene = tiny_scene()
    with torch.no_grad():
        scene.frames.object_translation += 0.01
    poses = spread_corrections(scene, ball_on_hand().observations, ball_on_hand().clip.time_s)
    hand = poses.hands[0]
    for array in (poses.T_camera_object, hand.T_camera_hand, hand.pose):
        finite = np.isfinite(array).reshape(FRAMES, -1)[:, :12]
        assert finite.all(1).tolist() == OBSERVED.tolist()
    assert np.isnan(poses.T_camera_object[MISSING_FRAME, :3]).all()


def test_frames_between_fitted_ones_get_the_correction_between_in_time():
    scene, observations = tiny_scene(), ball_on_hand().observations
    uneven = np.array([0.0, 0.1, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    with torch.no_grad():
        scene.frames.object_translation[:, 1] = torch.tensor([0.0, 0.003, 0.012, 0.0, 0.0, 0.004])
        scene.hands()[0][1].articulation[:, 3, 0] = torch.tensor([0.0, 0.3, 0.6, 0.0, 0.0, 0.0])
    poses = spread_corrections(scene, observations, uneven)
    track = observations.object_track
    assert track is not None
    moved = (poses.T_camera_object - track.T_camera_object)[:, 1, 3]
    # Frame 2 (0.3 s) lies two thirds of the way from frame 1 (0.1 s) to frame 3 (0.4 s).
    expected = [0.0, 0.003, 0.003 + 0.009 * 2 / 3, 0.012, 0.0, np.nan, 0.0, 0.004]
    assert np.allclose(moved, expected, atol=1e-8, equal_nan=True)
    assert np.isclose(poses.hands[0].pose[2, 3, 0], 0.5, atol=1e-6)


def test_frames_beyond_the_fitted_ones_keep_the_last_correction():
    scene = tiny_scene()
    observations = replace(ball_on_hand().observations, fit_frames=np.array([1, 2, 3, 4, 5, 6]))
    with torch.no_grad():
        scene.frames.object_translation[:, 0] = torch.tensor([0.002, 0.0, 0.0, 0.0, 0.0, 0.005])
    poses = spread_corrections(scene, observations, ball_on_hand().clip.time_s)
    track = observations.object_track
    assert track is not None
    moved = (poses.T_camera_object - track.T_camera_object)[:, 0, 3]
    assert np.isclose(moved[0], 0.002, atol=1e-8) and np.isclose(moved[7], 0.005, atol=1e-8)
