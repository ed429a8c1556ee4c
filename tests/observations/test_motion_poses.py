"""Structure from motion on the object, or on object and hand as one body: found where there is texture, refused where it cannot be trusted."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from hoifield.observations.frame_masks import FrameMasks
from hoifield.observations.motion_features import FrameFeatures, find_features, rigid_pixels
from hoifield.observations.motion_poses import MotionConfig, align_motion, find_motion_poses, rotation_span
from hoifield.observations.pose_offsets import compose_offset, fill_between, offset_between
from tests.observations.test_object_poses import pose_errors
from tests.observations.turning_grasp import TurningGrasp, make_grasp, noisy_track, rotation


@pytest.fixture(scope="module")
def grasp() -> TurningGrasp:
    return make_grasp(count=28, size=400)


@pytest.fixture(scope="module")
def large_grasp() -> TurningGrasp:
    return make_grasp(count=28, size=800)


def features_of(grasp: TurningGrasp, images: np.ndarray) -> list[FrameFeatures]:
    masks = [cv2.erode((label == 1).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0 for label in grasp.labels]
    return [find_features(image, mask) for image, mask in zip(images, masks, strict=True)]


def test_motion_is_brought_to_the_hand_by_one_similarity(grasp: TurningGrasp) -> None:
    change = np.eye(4)
    change[:3, :3] = rotation(0.4, -1.0, 0.3)
    change[:3, 3] = [0.3, -0.2, 0.5]
    motion = grasp.T_camera_object @ change
    motion[:, :3, 3] *= 7.0
    aligned, scale = align_motion(motion, grasp.T_camera_object)
    assert scale == pytest.approx(1 / 7.0, rel=1e-6)
    assert np.allclose(aligned, grasp.T_camera_object, atol=1e-6)


def test_plain_objects_are_not_given_to_structure_from_motion(grasp: TurningGrasp) -> None:
    plain = np.where(grasp.labels[..., None] == 1, 120, grasp.images).astype(np.uint8)
    found = find_motion_poses(features_of(grasp, plain), grasp.camera, grasp.T_camera_object, MotionConfig())
    assert "features" in found.refused
    assert np.isnan(found.T_camera_object).all() and (found.segment == -1).all()


def test_structure_from_motion_finds_a_textured_object(large_grasp: TurningGrasp) -> None:
    pytest.importorskip("pycolmap")
    true = large_grasp.T_camera_object
    found = find_motion_poses(features_of(large_grasp, large_grasp.images), large_grasp.camera, true, MotionConfig())
    known = np.isfinite(found.T_camera_object).all((1, 2))
    print(found.refused or "accepted", found.measurements)
    assert found.refused == "" and ((found.segment >= 0) == known).all()
    assert known.sum() >= 20
    assert pose_errors(found.T_camera_object[known], true[known])[0] < 5.0


def test_a_still_background_is_not_taken_for_the_object(grasp: TurningGrasp) -> None:
    pytest.importorskip("pycolmap")
    generator = np.random.default_rng(1)
    texture = cv2.GaussianBlur(generator.integers(0, 255, (400, 400, 3), dtype=np.uint8), (0, 0), 2.0)
    shifted = np.stack([np.roll(texture, index, axis=1) for index in range(28)])
    found = find_motion_poses(features_of(grasp, shifted), grasp.camera, grasp.T_camera_object, MotionConfig())
    assert found.refused != ""
    assert np.isnan(found.T_camera_object).all()


def test_features_of_a_part_of_the_mask_are_mostly_those_found_with_that_part_alone(large_grasp: TurningGrasp) -> None:
    both = np.zeros(large_grasp.labels.shape[1:], bool)
    both[100:700, 75:750] = True
    part = np.zeros_like(both)
    part[250:560, 225:575] = True
    found, alone = find_features(large_grasp.images[3], both), find_features(large_grasp.images[3], part)
    kept = found.strongest(found.inside(part), 10_000)

    def share_found(other: FrameFeatures) -> float:
        near = np.abs(kept.pixels[:, None] - other.pixels[None]).max(-1) < 0.02
        alike = np.abs(kept.descriptors[:, None].astype(int) - other.descriptors[None]).max(-1) <= 2
        return float((near & alike).any(0).mean())

    assert len(alone.pixels) > 50 and abs(len(kept.pixels) - len(alone.pixels)) < 0.05 * len(alone.pixels)
    assert share_found(alone) > 0.75, "the rest are coarse features, whose pixels are sampled at other places in another crop"
    assert share_found(find_features(large_grasp.images[4], part)) < 0.05
    few = found.strongest(found.inside(part), 20)
    assert np.array_equal(few.pixels, kept.pixels[:20]) and few.inside(part).all()


def test_features_lie_inside_the_mask_alone(grasp: TurningGrasp) -> None:
    mask = np.zeros(grasp.labels.shape[1:], bool)
    mask[120:280, 100:300] = True
    found = find_features(grasp.images[0], mask)
    column, row = found.pixels.astype(int).T
    assert len(column) > 20 and mask[row, column].all()
    everywhere = find_features(grasp.images[0], np.ones_like(mask))
    assert len(everywhere.pixels) > len(column)
    assert len(find_features(grasp.images[0], np.zeros_like(mask)).pixels) == 0


def test_the_rigid_body_is_the_object_and_the_hand_without_the_arm(grasp: TurningGrasp) -> None:
    labels = np.zeros((1, 100, 100), np.uint8)
    labels[0, 20:40, 40:60], labels[0, 40:100, 40:60] = 1, 2
    hand = noisy_track(grasp, 0.0, 0.0)
    hand.keypoints[0] = np.stack([np.linspace(42, 58, 21), np.linspace(30, 60, 21)], axis=1)
    masks = FrameMasks(labels, np.ones(1), np.ones(1), ("given",))
    alone, both = rigid_pixels(masks, 0, None, 100), rigid_pixels(masks, 0, hand, 100)
    assert (alone == (labels[0] == 1)).all()
    assert both[20:60, 42:58].all() and not both[70:].any()
    unseen = replace(hand, observed=np.zeros(len(hand.observed), bool))
    assert np.array_equal(rigid_pixels(masks, 0, unseen, 100), alone), "without keypoints nothing tells the hand from the arm"


def test_gaps_follow_the_hand_and_known_frames_stay(grasp: TurningGrasp) -> None:
    locked = grasp.T_camera_object
    offset = np.tile([0.1, -0.05, 0.2, 0.004, 0.0, -0.003], (28, 1))
    true = compose_offset(locked, offset)
    known = true.copy()
    known[[0, 9, 10, 11, 27]] = np.nan
    filled = fill_between(locked, known, np.arange(28))
    assert np.allclose(filled, true, atol=1e-9)
    assert np.abs(offset_between(locked, filled)[9]).max() > 0.1, "the gap would also be filled by the hand alone"


def test_the_rotation_span_is_the_largest_angle_between_two_poses() -> None:
    poses = np.tile(np.eye(4), (5, 1, 1))
    for index, angle in enumerate((0.0, 0.2, -0.3, 0.5, 0.1)):
        poses[index, :3, :3] = rotation(0.0, angle, 0.0)
    assert rotation_span(poses) == pytest.approx(np.degrees(0.8), abs=1e-6)
