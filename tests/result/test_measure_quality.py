"""Quality measured on results whose quality is known."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from tiny_scene import FRAMES, MISSING_FRAME, RADIUS, ball_on_hand, tiny_pixels, tiny_scene

from hoifield.result.collect_result import collect_result
from hoifield.result.fit_result import FitResult
from hoifield.result.measure_quality import draw_entities, measure_agreement, measure_keypoints, measure_psnr, measure_seen_share, measure_touch

SEEN = np.arange(FRAMES) != MISSING_FRAME


@cache
def exact_result() -> FitResult:
    """The true poses with the true ball."""
    grasp = ball_on_hand()
    result = collect_result(tiny_scene(), grasp.observations, grasp.clip, {"right": grasp.model}, 16, 0.001)
    return replace(result, object_mesh=grasp.ball)


def with_object_moved(metres: np.ndarray) -> FitResult:
    T = exact_result().T_camera_object.copy()
    T[:, :3, 3] += metres
    return replace(exact_result(), T_camera_object=T)


def along_palm(millimetres: float) -> FitResult:
    """The ball moved away from the palm (into it where negative)."""
    return with_object_moved(-millimetres / 1000 * exact_result().hands[0].T_camera_hand[:, :3, 1])


def test_the_true_answer_agrees_with_its_masks_wholly():
    agreement = measure_agreement(exact_result(), ball_on_hand().observations)
    assert agreement.object_iou[SEEN].min() > 0.99 and agreement.hand_iou[SEEN].min() > 0.99
    assert np.isnan(agreement.object_iou[MISSING_FRAME]) and np.isnan(agreement.hand_iou[MISSING_FRAME])


def test_agreement_falls_with_the_error_and_ends_at_none():
    observations = ball_on_hand().observations
    shifts = (0.0, 0.01, 0.03, 0.2)
    iou = [float(np.nanmean(measure_agreement(with_object_moved(np.array([shift, 0.0, 0.0])), observations).object_iou)) for shift in shifts]
    assert iou == sorted(iou, reverse=True) and iou[1] < 0.9 and iou[3] == 0.0


def test_what_lies_in_front_is_what_is_drawn():
    towards, away = (np.array([0.0, 0.06, depth]) for depth in (-0.15, 0.15))
    before, behind = (draw_entities(with_object_moved(shift), 0, 96, 96, np.ones(2)) for shift in (towards, away))
    assert before is not None and behind is not None
    assert (before == 1).sum() > 2 * (behind == 1).sum() and (behind == 2).sum() > (before == 2).sum()


def test_masks_of_another_size_measure_the_same():
    half = draw_entities(exact_result(), 0, 48, 48, np.full(2, 0.5))
    full = draw_entities(exact_result(), 0, 96, 96, np.ones(2))
    assert half is not None and full is not None
    assert 4 * (half == 1).sum() == pytest.approx((full == 1).sum(), rel=0.1)


def test_a_frame_without_any_pose_is_not_drawn():
    assert draw_entities(exact_result(), MISSING_FRAME, 96, 96, np.ones(2)) is None


def ball_seen_from(turns: list[float], distance: float = 0.4) -> FitResult:
    """The ball alone before the camera, turned about the vertical axis by these angles (radians) in the first frames, not placed in the others."""
    T = np.full((FRAMES, 4, 4), np.nan)
    for frame, angle in enumerate(turns):
        c, s = np.cos(angle), np.sin(angle)
        T[frame] = [[c, 0, s, 0], [0, 1, 0, 0], [-s, 0, c, distance], [0, 0, 0, 1]]
    return replace(exact_result(), hands=(), T_camera_object=T)


def test_a_ball_shows_its_cap_to_one_camera_and_both_caps_from_opposite_sides():
    cap = (1 - RADIUS / 0.4) / 2
    assert measure_seen_share(ball_seen_from([0.0])) == pytest.approx(cap, abs=0.02)
    assert measure_seen_share(ball_seen_from([0.0, 0.0, 0.0])) == measure_seen_share(ball_seen_from([0.0]))
    assert measure_seen_share(ball_seen_from([0.0, np.pi])) == pytest.approx(2 * cap, abs=0.04)
    assert measure_seen_share(ball_seen_from([0.0, np.pi / 2, np.pi, -np.pi / 2])) > 0.95
    assert measure_seen_share(ball_seen_from([])) == 0.0


def test_what_the_hand_covers_or_the_picture_leaves_out_was_not_seen():
    placed = replace(exact_result(), hands=())
    towards, away = (np.array([0.0, 0.06, depth]) for depth in (-0.15, 0.15))
    assert measure_seen_share(with_object_moved(away)) < 0.8 * measure_seen_share(replace(with_object_moved(away), hands=()))
    assert measure_seen_share(with_object_moved(towards)) == measure_seen_share(replace(with_object_moved(towards), hands=()))
    assert measure_seen_share(with_object_moved(np.array([1.0, 0.0, 0.0]))) == 0.0 < measure_seen_share(placed)


def test_a_hand_is_as_far_from_its_keypoints_as_it_was_moved_in_the_picture():
    result, track = exact_result(), ball_on_hand().observations.hands[0]
    exact = measure_keypoints(result, track)
    assert np.isnan(exact[MISSING_FRAME]) and np.nanmax(exact) < 1e-4
    box = np.ptp(track.keypoints, axis=1).max(1)
    aside = replace(track, keypoints=track.keypoints + 0.1 * box[:, None, None] * np.array([0.6, 0.8]))
    assert measure_keypoints(result, aside)[SEEN] == pytest.approx(0.1, rel=1e-3)


def test_touch_is_depth_and_presence_of_contact():
    actors = {"right": ball_on_hand().model}
    touching = measure_touch(along_palm(0.0), actors, every=1)  # type: ignore[arg-type]
    sunk = measure_touch(along_palm(-4.0), actors, every=1)  # type: ignore[arg-type]
    apart = measure_touch(along_palm(20.0), actors, every=1)  # type: ignore[arg-type]
    assert touching.penetration_mean_mm < 0.3 and touching.contact_fraction == 1.0
    result = along_palm(-4.0)
    offsets = result.hands[0].vertices[SEEN] - result.T_camera_object[SEEN][:, None, :3, 3]
    depth = RADIUS - np.linalg.norm(offsets, axis=2).min(1)
    assert depth.min() > 0.0025
    assert sunk.penetration_mean_mm == pytest.approx(1000 * depth.mean(), abs=0.2) and sunk.contact_fraction == 1.0
    assert apart.penetration_mean_mm == 0.0 and apart.contact_fraction == 0.0


def test_without_poses_there_is_no_touch():
    nowhere = replace(exact_result(), T_camera_object=np.full((FRAMES, 4, 4), np.nan))
    touch = measure_touch(nowhere, {"right": ball_on_hand().model})
    assert (touch.penetration_mean_mm, touch.contact_fraction) == (0.0, 0.0)


def test_psnr_repeats_and_knows_a_scene_in_the_wrong_colours():
    scene, pixels = tiny_scene(), tiny_pixels()
    first = measure_psnr(scene, pixels, 0.002, 0)
    assert first == measure_psnr(scene, pixels, 0.002, 0)
    dark = replace(pixels, colours=tuple(np.zeros_like(colour) for colour in pixels.colours))
    with torch.no_grad():
        scene.object_colour.network.last.bias.fill_(-20.0)
        scene.object_colour.network.last.weight.zero_()
        scene.actors[0].output.bias[1:] = -20.0  # type: ignore[union-attr,index]
        scene.actors[0].output.weight[1:] = 0.0  # type: ignore[union-attr,index]
        scene.background.colour_network.last.bias.fill_(-20.0)
        scene.background.colour_network.last.weight.zero_()
    assert measure_psnr(scene, dark, 0.002, 0) > 60.0
    assert measure_psnr(scene, pixels, 0.002, 0) < 10.0
