"""Fingers by silhouettes: a thumb that the detector makes up goes where the masks have it, from many sides; from few nothing is touched."""

from dataclasses import replace

import numpy as np
import torch

from hoifield.actors.skinned_model import SkinnedModel
from hoifield.geometry.cameras import Camera
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.observations.frame_masks import RIGHT_HAND, FrameMasks
from hoifield.observations.hand_keypoint_model import HandKeypointModel, HandState
from hoifield.observations.hand_silhouettes import SilhouetteSettings, is_beyond_wrist, shape_by_silhouettes
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.object_track import ObjectTrack
from tests.observations.test_rigid_grasp import keypoints_of
from tests.observations.test_steady_grasp import joint_error_mm, rotation

CAMERA = Camera.from_focal(700.0, 640, 640)
FRAMES, SIZE = 24, 160
THUMB = slice(12, 15)
"""Rows of the angles."""


def turning_hand(actor: SkinnedModel, span: float) -> tuple[HandTrack, HandTrack, ObjectTrack, FrameMasks]:
    """Truth; the same with the thumb bent wrongly, as its detected keypoints have it in two of three frames; the object; drawn masks."""
    model = HandKeypointModel.of_actor(actor)
    phase = np.linspace(-0.5, 0.5, FRAMES)
    T = np.tile(np.eye(4), (FRAMES, 1, 1))
    T[:, :3, :3] = rotation(np.stack([0 * phase, np.radians(span) * phase, 0.2 * np.cos(4 * phase)], 1)) @ rotation(np.array([0.4, 0.2, 1.4]))
    T[:, :3, 3] = [-0.02, 0.05, 0.5]
    true = ((0.7 * model.lower + 0.3 * model.upper) * 0.5 * model.is_free).clamp(model.lower, model.upper)
    wrong = true.clone()
    wrong[THUMB] = (true[THUMB] + 0.4 * model.is_free[THUMB]).clamp(model.lower[THUMB], model.upper[THUMB])
    tracks = []
    for angles in (true, wrong):
        posed = torch.tensor(T).float()
        state = HandState(angles.expand(FRAMES, 15, 3), posed[:, :3, :3], posed[:, :3, 3], torch.zeros(10), model.usual_offsets)
        tracks.append(
            HandTrack(
                "right", "anny", np.ones(FRAMES, bool), keypoints_of(model, angles.expand(FRAMES, 15, 3), T), np.full(FRAMES, 0.02), np.ones(FRAMES),
                T, model.axis_angle_pose(state).double().numpy(), np.zeros(10), model.mean_offsets(state).double().numpy(),
            )  # fmt: skip
        )
    truth, first = tracks
    made_up = np.where((np.arange(FRAMES) % 3 > 0)[:, None, None], first.keypoints, truth.keypoints)
    skin = actor.pose(torch.zeros(10), torch.tensor(truth.pose).float(), torch.tensor(T).float()).vertices.double().numpy()
    working = CAMERA.resized(SIZE, SIZE)
    drawn = [np.isfinite(rasterise_mesh(vertices, actor.faces.numpy(), working.K, SIZE, SIZE)[0]) for vertices in skin]
    labels = np.where(np.stack(drawn), RIGHT_HAND, 0).astype(np.uint8)
    masks = FrameMasks(labels, np.ones(FRAMES), np.ones(FRAMES), ("automatic",) * FRAMES)
    track = ObjectTrack(T, np.ones(FRAMES), ("motion",) * FRAMES, Mesh(np.zeros((0, 3)), np.zeros((0, 3), int)), np.ones(FRAMES))
    return truth, replace(first, keypoints=made_up), track, masks


def test_a_thumb_that_is_made_up_goes_where_the_masks_have_it(actor: SkinnedModel) -> None:
    truth, first, track, masks = turning_hand(actor, 160.0)
    found = shape_by_silhouettes(first, track, masks, actor, CAMERA, 0)
    before, after = joint_error_mm(actor, first, truth), joint_error_mm(actor, found, truth)
    print(f"MPJPE {before:.1f} -> {after:.1f} mm")
    assert before > 3.0 and after < 0.4 * before
    assert np.allclose(rotation(found.pose[:, 0]), found.T_camera_hand[:, :3, :3], atol=1e-6)
    assert np.array_equal(found.T_camera_hand, shape_by_silhouettes(first, track, masks, actor, CAMERA, 0).T_camera_hand)


def test_a_hand_that_is_right_hardly_moves(actor: SkinnedModel) -> None:
    truth, _, track, masks = turning_hand(actor, 160.0)
    assert joint_error_mm(actor, shape_by_silhouettes(truth, track, masks, actor, CAMERA, 0), truth) < 2.0


def test_keypoints_alone_leave_the_thumb_where_most_frames_make_it_up(actor: SkinnedModel) -> None:
    truth, first, track, masks = turning_hand(actor, 160.0)
    blind = SilhouetteSettings(outside=0.0, uncovered=0.0)
    found = shape_by_silhouettes(first, track, masks, actor, CAMERA, 0, blind)
    assert joint_error_mm(actor, found, truth) > 0.8 * joint_error_mm(actor, first, truth)


def test_few_sides_or_frames_leave_the_hand_as_it_was(actor: SkinnedModel) -> None:
    _, first, track, masks = turning_hand(actor, 50.0)
    assert shape_by_silhouettes(first, track, masks, actor, CAMERA, 0) is first
    _, first, track, masks = turning_hand(actor, 160.0)
    few = replace(first, observed=np.arange(FRAMES) < 10)
    assert shape_by_silhouettes(few, track, masks, actor, CAMERA, 0) is few


def test_frames_whose_mask_shows_no_hand_say_nothing_and_break_nothing(actor: SkinnedModel) -> None:
    truth, first, track, masks = turning_hand(actor, 160.0)
    labels = masks.labels.copy()
    labels[::2] = np.where(labels[::2] > 0, 1, 0)
    found = shape_by_silhouettes(first, track, replace(masks, labels=labels), actor, CAMERA, 0)
    assert np.isfinite(found.T_camera_hand).all()
    assert joint_error_mm(actor, found, truth) < joint_error_mm(actor, first, truth)


def test_the_hand_begins_a_little_beyond_the_wrist() -> None:
    keypoints = np.zeros((21, 2))
    keypoints[[5, 9, 13, 17]] = [10.0, 0.0]
    points = np.array([[-5.0, 3.0], [0.5, 0.0], [2.0, -4.0], [30.0, 0.0]])
    assert is_beyond_wrist(points, keypoints).tolist() == [False, False, True, True]
    assert not is_beyond_wrist(points, np.full((21, 2), np.nan)).any()
