"""Hand, pose, placement, contact and picture scores against closed forms."""

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from hoifield.evaluation.actor_metrics import root_position_error, root_relative_joint_error
from hoifield.evaluation.contact_metrics import BONE_ENDS, FINGER_BONES, contact_agreement, penetration_volumes, touching_bones
from hoifield.evaluation.image_metrics import mask_overlap
from hoifield.evaluation.pose_metrics import placement_error, pose_errors
from hoifield.evaluation.scorecard import Score, Scorecard
from hoifield.geometry.mesh import Mesh


def box(size: float, centre: tuple[float, float, float] = (0, 0, 0)) -> Mesh:
    shape = trimesh.creation.box(extents=(size,) * 3).subdivide().subdivide().apply_translation(centre)
    return Mesh(np.asarray(shape.vertices), np.asarray(shape.faces))


def poses(count: int) -> np.ndarray:
    T = np.tile(np.eye(4), (count, 1, 1))
    T[:, :3, :3] = Rotation.random(count, random_state=0).as_matrix()
    T[:, :3, 3] = np.random.default_rng(0).normal(size=(count, 3))
    return T


def test_a_shifted_hand_scores_zero_relative_to_its_root_and_the_shift_at_the_root() -> None:
    joints = np.random.default_rng(0).normal(size=(4, 21, 3))
    moved = joints + [0.0, 0.03, 0.04]
    np.testing.assert_allclose(root_relative_joint_error(moved, joints), 0, atol=1e-9)
    np.testing.assert_allclose(root_position_error(moved, joints), 50)


def test_one_joint_off_by_21_mm_scores_one_mm() -> None:
    joints = np.random.default_rng(0).normal(size=(2, 21, 3))
    changed = joints.copy()
    changed[:, 7, 0] += 0.021
    np.testing.assert_allclose(root_relative_joint_error(changed, joints), 1)


def test_a_constant_offset_of_the_object_frame_is_free_and_a_frame_error_is_not() -> None:
    truth = poses(20)
    offset = poses(3)[2]
    rotation, translation = pose_errors(truth @ offset, truth, np.array([0.01, 0.02, 0.03]))
    np.testing.assert_allclose(rotation, 0, atol=1e-5)
    np.testing.assert_allclose(translation, 0, atol=1e-5)
    wrong = truth @ offset
    wrong[7, :3, 3] += [0.0, 0.0, 0.01]
    wrong[9] = np.nan
    rotation, translation = pose_errors(wrong, truth, np.zeros(3))
    assert translation[7] == pytest.approx(10, rel=0.01)
    assert np.isnan(translation[9]) and np.isnan(rotation[9])


def test_an_object_off_by_a_gap_in_the_hand_is_seen_and_a_common_shift_is_not() -> None:
    mesh, T = box(0.06), poses(5)
    roots = np.random.default_rng(1).normal(size=(5, 3))
    moved = T.copy()
    moved[:, :3, 3] += [0.2, 0, 0]
    generator = np.random.default_rng(2)
    same = placement_error((mesh, moved, roots + [0.2, 0, 0]), (mesh, T, roots), generator)
    apart = placement_error((mesh, moved, roots), (mesh, T, roots), generator)
    assert np.all(same < 0.05) and np.all(apart > 100)


def test_the_shared_volume_of_two_boxes_is_exact() -> None:
    hand = box(0.04, (0.04, 0, 0))
    volumes = penetration_volumes(
        box(0.06), np.eye(4)[None].repeat(2, 0), np.stack([hand.vertices, hand.vertices + [0.1, 0, 0]]), hand.faces
    )
    np.testing.assert_allclose(volumes, [1.0 * 4 * 4, 0], atol=1e-4)


def test_an_open_mesh_has_no_volume_to_share() -> None:
    whole = box(0.06)
    torn = Mesh(whole.vertices, whole.faces[:-3])
    assert np.isnan(penetration_volumes(torn, np.eye(4)[None], whole.vertices[None], whole.faces)).all()


def test_only_bones_whose_skin_is_near_touch() -> None:
    joints = np.zeros((1, 21, 3))
    joints[0, :, 0] = np.arange(21) * 0.03
    skin = joints + [0, 0.005, 0]
    touching = touching_bones(box(0.02, tuple(joints[0, 4] + [0, 0.017, 0])), np.eye(4)[None], skin, joints)
    assert touching[0, 3] and not touching[0, 10:].any()


def test_every_bone_belongs_to_one_finger_or_to_the_palm() -> None:
    assert sorted(bone for bones in FINGER_BONES.values() for bone in bones) == list(range(20))
    assert [BONE_ENDS[bone] for bone in FINGER_BONES["index"]] == [6, 7, 8]


def test_contact_agreement_counts_both_misses_and_inventions() -> None:
    truth = np.array([[True, True, False, False]])
    assert contact_agreement(truth, truth) == 1
    assert contact_agreement(~truth, truth) == 0
    assert contact_agreement(np.array([[True, False, True, False]]), truth) == 0.5


def test_mask_overlap_is_intersection_over_union() -> None:
    a, b = np.zeros((2, 8, 8), dtype=bool)
    a[:4], b[2:6] = True, True
    assert mask_overlap(a, b) == pytest.approx(1 / 3)
    assert np.isnan(mask_overlap(np.zeros_like(a), np.zeros_like(a)))


def test_frames_not_placed_are_counted_and_never_dropped_silently() -> None:
    score = Score.over_frames("x_mm", np.array([1.0, np.nan, 3.0]), "mm", "none", "test")
    assert (score.value, score.count, score.total) == (2.0, 2, 3)
    nothing = Score.over_frames("y_mm", np.array([np.nan]), "mm", "none", "test")
    card = Scorecard((score, nothing))
    assert card["y_mm"].as_json()["value"] is None and "z_mm" not in card
