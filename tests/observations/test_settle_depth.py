"""The object's distance by who hides whom, on a ball that a hand partly hides and that hides a part of the hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_scene import ball_on_hand

from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.observations.frame_masks import FrameMasks
from hoifield.observations.object_track import ObjectTrack
from hoifield.observations.settle_depth import FACTORS, drawn_agreement, settle_depth


def misplaced(factor: float) -> ObjectTrack:
    """The exact track, scaled about the camera: every silhouette of the ball stays as it was."""
    track = ball_on_hand().observations.object_track
    assert track is not None
    T = track.T_camera_object.copy()
    T[:, :3, 3] *= factor
    return replace(track, T_camera_object=T, hull=replace(track.hull, vertices=track.hull.vertices * factor))


def settled(track: ObjectTrack) -> tuple[ObjectTrack, float]:
    grasp = ball_on_hand()
    return settle_depth(track, grasp.observations.hands[0], grasp.model, grasp.observations.masks, grasp.observations.camera)


def hidden_scene() -> tuple[ObjectTrack, FrameMasks]:
    """The ball moved behind the hand's edge, so that the hand hides a part of it, with the masks drawn anew."""
    grasp, track = ball_on_hand(), misplaced(1.0)
    hand, masks, camera = grasp.observations.hands[0], grasp.observations.masks, grasp.observations.camera
    T = track.T_camera_object.copy()
    T[:, :3, 3] += [0.03, 0.0, 0.07]
    labels = np.zeros_like(masks.labels)
    for frame in np.flatnonzero(hand.observed):
        posed = grasp.model.pose(*(torch.tensor(v, dtype=torch.float32) for v in (hand.shape, hand.pose[frame, None], hand.T_camera_hand[frame, None])))
        ball = track.hull.moved(T[frame])
        drawn = ((ball.vertices, ball.faces), (posed.vertices[0].double().numpy(), grasp.model.faces.numpy()))
        depth = [rasterise_mesh(vertices, faces, camera.K, camera.width, camera.height)[0] for vertices, faces in drawn]
        labels[frame] = np.where(depth[0] < depth[1], 1, np.where(np.isfinite(depth[1]), 2, 0))
    return replace(track, T_camera_object=T), replace(masks, labels=labels)


@pytest.mark.parametrize("wrong", [1.08, 1.2])
def test_a_ball_that_is_too_far_to_hide_the_hand_is_brought_nearer(wrong: float) -> None:
    _, factor = settled(misplaced(wrong))
    print(f"{wrong} -> {wrong * factor:.3f}")
    assert abs(np.log(wrong * factor)) < 0.5 * abs(np.log(wrong))
    assert factor in FACTORS


@pytest.mark.parametrize("wrong", [0.82, 0.9])
def test_a_ball_that_is_too_near_to_be_hidden_is_taken_away(wrong: float) -> None:
    track, masks = hidden_scene()
    T = track.T_camera_object.copy()
    T[:, :3, 3] *= wrong
    near = replace(track, T_camera_object=T, hull=replace(track.hull, vertices=track.hull.vertices * wrong))
    grasp = ball_on_hand()
    _, factor = settle_depth(near, grasp.observations.hands[0], grasp.model, masks, grasp.observations.camera)
    print(f"{wrong} -> {wrong * factor:.3f}")
    assert abs(np.log(wrong * factor)) < 0.6 * abs(np.log(wrong))


def test_what_no_pixel_decides_stays_as_it_was() -> None:
    # The ball before the whole hand: it hides the same pixels however near it is.
    assert settled(misplaced(0.85))[1] == 1.0


def test_a_ball_at_its_true_distance_stays() -> None:
    assert settled(misplaced(1.0))[1] == pytest.approx(1.0, abs=0.026)


def test_poses_and_hull_are_scaled_together_and_turned_by_nothing() -> None:
    wrong = misplaced(1.2)
    track, factor = settled(wrong)
    seen = np.isfinite(wrong.T_camera_object).all((1, 2))
    assert np.allclose(track.T_camera_object[seen, :3, 3], factor * wrong.T_camera_object[seen, :3, 3])
    assert np.array_equal(track.T_camera_object[seen, :3, :3], wrong.T_camera_object[seen, :3, :3])
    assert np.allclose(track.hull.vertices, factor * wrong.hull.vertices) and np.isnan(track.T_camera_object[~seen]).all()


def test_masks_without_an_object_settle_nothing() -> None:
    grasp, track = ball_on_hand(), misplaced(1.2)
    masks = grasp.observations.masks
    empty = replace(masks, labels=np.where(masks.labels == 1, 0, masks.labels).astype(np.uint8))
    same, factor = settle_depth(track, grasp.observations.hands[0], grasp.model, empty, grasp.observations.camera)
    assert same is track and factor == 1.0


def test_what_is_drawn_agrees_with_the_masks_as_far_as_it_is_placed_rightly() -> None:
    grasp, (track, masks) = ball_on_hand(), hidden_scene()
    hand, camera = grasp.observations.hands[0], grasp.observations.camera
    away = track.T_camera_object.copy()
    away[:, :3, 3] *= 0.8
    right = drawn_agreement(track, hand, grasp.model, masks, camera)
    wrong = drawn_agreement(replace(track, T_camera_object=away), hand, grasp.model, masks, camera)
    nothing = drawn_agreement(track, hand, grasp.model, replace(masks, labels=np.zeros_like(masks.labels)), camera)
    print(f"agreement {right:.2f}, too near {wrong:.2f}")
    assert right > 0.95 > wrong > nothing == 0.0
