"""Hull, hand-locked poses, refinement and alignment of motion, on a drawn clip with exact truth."""

from dataclasses import replace

import numpy as np
import pytest

from hoifield.observations.frame_masks import OBJECT
from hoifield.observations.hand_locked_poses import lock_to_hand, smooth_poses, triangulate_centre
from hoifield.observations.pose_offsets import compose_offset, offset_between
from hoifield.observations.refine_poses import refine_poses
from hoifield.observations.refine_silhouettes import RefineConfig, agreement
from hoifield.observations.track_object import held_unseen, unlike_frames
from hoifield.observations.visual_hull import CarveConfig, SilhouetteEvidence, carve_hull, gather_evidence, hand_depth_maps, hull_mesh
from tests.observations.turning_grasp import PALM, T_HAND_OBJECT, TurningGrasp, crude_hand, make_grasp, noisy_track

RADIUS = 0.09


@pytest.fixture(scope="module")
def grasp() -> TurningGrasp:
    return make_grasp(count=28, size=160)


def evidence_of(grasp: TurningGrasp, T_camera_hand: np.ndarray) -> SilhouetteEvidence:
    hand = crude_hand()
    posed = np.einsum("fij,vj->fvi", T_camera_hand[:, :3, :3], hand.vertices) + T_camera_hand[:, None, :3, 3]
    depth = hand_depth_maps(posed, np.asarray(hand.faces), grasp.camera)
    count = len(grasp.labels)
    return gather_evidence(grasp.labels, np.arange(count), np.full(count, 0.95), grasp.camera, grasp.images, depth)


def pose_errors(poses: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Mean rotation (degrees) and lateral (mm) error after one constant change of the canonical frame."""
    relative = np.linalg.inv(poses) @ truth
    u, _, vt = np.linalg.svd(relative[:, :3, :3].mean(0))
    constant = np.eye(4)
    constant[:3, :3] = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
    constant[:3, 3] = np.median(relative[:, :3, 3], axis=0)
    moved = poses @ constant
    rotation_error = np.degrees(np.linalg.norm(offset_between(moved, truth)[:, :3], axis=1)).mean()
    return float(rotation_error), float(1000 * np.linalg.norm((moved - truth)[:, :2, 3], axis=1).mean())


def test_the_hull_under_true_poses_holds_the_object_and_agrees_with_its_masks(grasp: TurningGrasp) -> None:
    evidence = evidence_of(grasp, grasp.T_camera_hand)
    hull = carve_hull(evidence, grasp.T_camera_object, RADIUS, CarveConfig(background_share=0.03, resolution=56))
    assert hull is not None
    assert agreement(hull, evidence, grasp.T_camera_object).mean() > 0.95
    mesh = hull_mesh(hull)
    assert np.all(mesh.vertices.max(0) > grasp.mesh.vertices.max(0) - 0.008)
    assert np.all(mesh.vertices.min(0) < grasp.mesh.vertices.min(0) + 0.008)


def test_hand_depth_keeps_the_hand_out_of_the_hull(grasp: TurningGrasp) -> None:
    with_depth = evidence_of(grasp, grasp.T_camera_hand)
    without = gather_evidence(grasp.labels, np.arange(len(grasp.labels)), with_depth.weight, grasp.camera)
    config = CarveConfig(background_share=0.03, resolution=56)
    smaller, larger = (carve_hull(e, grasp.T_camera_object, RADIUS, config) for e in (with_depth, without))
    assert smaller is not None and larger is not None
    assert smaller.volume < 0.9 * larger.volume


def test_one_wrong_mask_does_not_cut_the_hull(grasp: TurningGrasp) -> None:
    evidence = evidence_of(grasp, grasp.T_camera_hand)
    labels = grasp.labels.copy()
    labels[5] = 0
    labels[5, :4, :4] = 1
    wrong = gather_evidence(labels, np.arange(len(labels)), evidence.weight, grasp.camera, grasp.images, evidence.hand_depth)
    soft = CarveConfig(background_share=0.08, resolution=48)
    kept, reference = (carve_hull(e, grasp.T_camera_object, RADIUS, soft) for e in (wrong, evidence))
    assert kept is not None and reference is not None
    assert kept.volume > 0.8 * reference.volume
    cut = carve_hull(wrong, grasp.T_camera_object, RADIUS, CarveConfig(background_share=0.0, resolution=48))
    assert cut is None or cut.volume < 0.3 * reference.volume


def test_nothing_is_carved_from_empty_masks(grasp: TurningGrasp) -> None:
    empty = gather_evidence(np.zeros_like(grasp.labels), np.arange(len(grasp.labels)), np.ones(len(grasp.labels)), grasp.camera)
    assert carve_hull(empty, grasp.T_camera_object, RADIUS, CarveConfig()) is None


def test_the_centre_is_found_where_the_sight_lines_meet(grasp: TurningGrasp) -> None:
    centre = triangulate_centre(evidence_of(grasp, grasp.T_camera_hand), grasp.T_camera_hand, PALM)
    assert np.linalg.norm(centre - T_HAND_OBJECT[:3, 3]) < 0.02


def test_smoothing_leaves_slow_motion_and_removes_noise(grasp: TurningGrasp) -> None:
    still = smooth_poses(grasp.T_camera_hand, np.ones(28), 1.0)
    assert np.degrees(np.linalg.norm(offset_between(still, grasp.T_camera_hand)[4:-4, :3], axis=1)).max() < 1.0
    noisy = noisy_track(grasp, 2.5, 3.0).T_camera_hand
    assert pose_errors(smooth_poses(noisy, np.ones(28), 1.5), grasp.T_camera_hand)[0] < 0.75 * pose_errors(noisy, grasp.T_camera_hand)[0]


def test_frames_without_a_hand_get_no_pose(grasp: TurningGrasp) -> None:
    usable = np.ones(28, bool)
    usable[10:14] = False
    evidence = evidence_of(grasp, grasp.T_camera_hand)
    locked = lock_to_hand(evidence, noisy_track(grasp, 0.0, 0.0), PALM, usable, 1.0)
    assert np.isnan(locked.T_camera_object[10:14]).all()
    assert np.isfinite(locked.T_camera_object[usable]).all()


def test_only_frames_far_below_the_others_are_unlike_the_shape() -> None:
    assert unlike_frames(np.array([0.95, 0.9, 0.05, np.nan, 0.6, 0.2, 0.9])).tolist() == [False, False, True, False, False, True, False]
    assert not unlike_frames(np.array([0.5, 0.3, 0.4, 0.2])).any(), "a blade agrees little everywhere"


def test_a_hand_that_is_none_in_some_frames_is_as_if_it_had_not_been_detected_there(grasp: TurningGrasp) -> None:
    hand, frames = noisy_track(grasp, 0.0, 0.0), np.arange(28) >= 25
    without = hand.without(frames)
    assert not without.observed[frames].any() and not without.posed[frames].any() and (without.presence[frames] == 0).all()
    assert np.isnan(without.pose[frames]).all() and np.isnan(without.keypoints[frames]).all()
    for name in ("observed", "keypoints", "keypoint_error", "presence", "T_camera_hand", "pose"):
        assert np.array_equal(getattr(without, name)[~frames], getattr(hand, name)[~frames])


def test_an_undetected_hand_holds_only_what_its_pixels_touch(grasp: TurningGrasp) -> None:
    hand, masks = noisy_track(grasp, 0.0, 0.0), grasp.masks()
    observed = np.arange(len(masks.labels)) >= 4
    labels = masks.labels.copy()
    labels[2][labels[2] != OBJECT] = 0
    labels[3][labels[3] == OBJECT] = 0
    held = held_unseen(replace(hand, observed=observed), replace(masks, labels=labels))
    assert held.tolist() == [True, True, False, False] + [False] * (len(labels) - 4), "nobody touches it in frame 2, and it is not there in frame 3"


def test_refined_poses_are_better_than_the_hand_locked_start(grasp: TurningGrasp) -> None:
    hand = noisy_track(grasp, 2.5, 3.0, correlation=3.0)
    evidence = evidence_of(grasp, hand.T_camera_hand)
    locked = lock_to_hand(evidence, hand, PALM, np.ones(28, bool), 1.0)
    refined = refine_poses(evidence, locked.T_camera_object, locked.radius, RefineConfig())
    assert refined is not None
    before, after = pose_errors(locked.T_camera_object, grasp.T_camera_object), pose_errors(refined.T_camera_object, grasp.T_camera_object)
    print(f"rotation {before[0]:.2f} -> {after[0]:.2f} deg, lateral {before[1]:.2f} -> {after[1]:.2f} mm, IoU {refined.silhouette_iou.mean():.3f}")
    assert after[0] < 0.8 * before[0]
    assert after[1] < 0.8 * before[1]


def test_refinement_repeats_bit_for_bit(grasp: TurningGrasp) -> None:
    evidence = evidence_of(grasp, grasp.T_camera_hand)
    first, second = (refine_poses(evidence, grasp.T_camera_object, RADIUS, RefineConfig(rounds=1, steps=2)) for _ in range(2))
    assert first is not None and second is not None
    assert np.array_equal(first.T_camera_object, second.T_camera_object)


def test_offsets_undo_composition(grasp: TurningGrasp) -> None:
    offsets = np.random.default_rng(0).normal(size=(28, 6)) * 0.2
    assert np.allclose(offset_between(grasp.T_camera_object, compose_offset(grasp.T_camera_object, offsets)), offsets, atol=1e-9)
