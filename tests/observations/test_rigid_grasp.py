"""Points and keypoints of one rigid body adjusted together: what the frames alone get wrong, all of them recover; what is not rigid is refused."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from hoifield.actors.skinned_model import SkinnedModel
from hoifield.geometry.cameras import Camera, project
from hoifield.observations import rigid_grasp
from hoifield.observations.feature_tracks import FeatureTracks, connect_matches
from hoifield.observations.grasp_adjustment import GraspAdjustment, Unknowns, triangulate
from hoifield.observations.hand_keypoint_model import HandKeypointModel, HandState
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.motion_features import FrameFeatures
from hoifield.observations.motion_program import MatchedMotion
from hoifield.observations.pose_offsets import reverse_depth
from hoifield.observations.rigid_grasp import RigidGraspSettings, follow_rigid_grasp
from hoifield.observations.rigid_hand import RigidHand
from tests.observations.test_steady_grasp import rotation

CAMERA = Camera.from_focal(700.0, 640, 640)
FRAMES = 24
POINTS = 90
TRACK_NOISE, KEYPOINT_NOISE = 0.4, 3.0
"""Pixels."""


@dataclass(frozen=True)
class Turning:
    """A hand with points fixed to it, turning: the truth, and what was seen."""

    truth: HandTrack
    first: HandTrack
    features: list[FrameFeatures]
    matched: MatchedMotion


def poses_of(span: float) -> np.ndarray:
    phase = np.linspace(-0.5, 0.5, FRAMES)
    T = np.tile(np.eye(4), (FRAMES, 1, 1))
    T[:, :3, :3] = rotation(np.stack([0.5 * np.sin(5 * phase), np.radians(span) * phase, 0.3 * np.cos(4 * phase)], 1)) @ rotation(np.array([0.4, 0.2, 1.4]))
    T[:, :3, 3] = np.stack([0.04 * phase, 0.03 * np.cos(4 * phase), 0.5 + 0.04 * phase], 1)
    return T


def keypoints_of(model: HandKeypointModel, angles: torch.Tensor, T: np.ndarray) -> np.ndarray:
    posed = torch.tensor(T, dtype=torch.float32)
    state = HandState(angles, posed[:, :3, :3], posed[:, :3, 3], torch.zeros(10), model.usual_offsets)
    return project(model.keypoints_in_camera(state), torch.tensor(CAMERA.K, dtype=torch.float32)).double().numpy()


def make_turning(actor: SkinnedModel, span: float = 70.0, wrong_degrees: float = 9.0, opening: float = 0.0) -> Turning:
    """`opening` lets the fingers stretch and bend by that share of their range while points stay, as in a grasp that is not rigid."""
    generator = np.random.default_rng(3)
    model = HandKeypointModel.of_actor(actor)
    T = poses_of(span)
    bent = ((0.7 * model.lower + 0.3 * model.upper) * 0.5 * model.is_free).clamp(model.lower, model.upper)
    stretch = torch.tensor(opening * np.sin(np.arange(FRAMES) * 0.9), dtype=torch.float32)[:, None, None]
    angles = (bent + stretch * (model.upper - model.lower)).clamp(model.lower, model.upper)
    keypoints = keypoints_of(model, angles, T) + KEYPOINT_NOISE * generator.normal(size=(FRAMES, 21, 2))
    state = HandState(angles, torch.eye(3).expand(FRAMES, 3, 3), torch.zeros(FRAMES, 3), torch.zeros(10), model.usual_offsets)
    truth = HandTrack(
        side="right", actor="anny", observed=np.ones(FRAMES, bool), keypoints=keypoints, keypoint_error=np.full(FRAMES, 0.01),
        presence=np.ones(FRAMES), T_camera_hand=T, pose=model.axis_angle_pose(state).double().numpy(), shape=np.zeros(10),
        keypoint_offsets=model.mean_offsets(state).double().numpy(),
    )  # fmt: skip
    wrong = T.copy()
    wrong[:, :3, :3] = wrong[:, :3, :3] @ rotation(np.radians(wrong_degrees) * generator.normal(size=(FRAMES, 3)))
    wrong[:, :3, 3] *= 1 + 0.03 * generator.normal(size=(FRAMES, 1))
    points = generator.uniform(-0.06, 0.06, (POINTS, 3)) + [0.08, 0.0, 0.03]
    seen = (points @ T[:, :3, :3].transpose(0, 2, 1) + T[:, None, :3, 3]) @ CAMERA.K.T
    pixels = seen[..., :2] / seen[..., 2:] + TRACK_NOISE * generator.normal(size=(FRAMES, POINTS, 2))
    features = [FrameFeatures(frame.astype(np.float32), np.zeros((POINTS, 128), np.uint8)) for frame in pixels]
    pairs = [(first, second) for first in range(FRAMES) for second in range(first + 1, min(first + 4, FRAMES))]
    rows = np.repeat(np.arange(POINTS)[:, None], 2, 1)
    matched = MatchedMotion(np.repeat(np.array(pairs), POINTS, 0), np.tile(rows, (len(pairs), 1)), ())
    return Turning(truth, replace(truth, T_camera_hand=wrong), features, matched)


def rotation_error(T: np.ndarray, truth: np.ndarray) -> float:
    """Mean degrees, after the one rotation of the body frame that fits best."""
    relative = T[:, :3, :3].transpose(0, 2, 1) @ truth[:, :3, :3]
    u, _, vt = np.linalg.svd(relative.sum(0))
    trace = np.einsum("fij,ij->f", relative, u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt)
    return float(np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1))).mean())


def follow(turning: Turning, actor: SkinnedModel, monkeypatch: pytest.MonkeyPatch, matched: MatchedMotion | str | None = None) -> HandTrack | None:
    monkeypatch.setattr(rigid_grasp, "run_motion_program", lambda *_: turning.matched if matched is None else matched)
    return follow_rigid_grasp(turning.first, turning.features, np.arange(FRAMES), CAMERA, actor, 1.0, RigidGraspSettings())


def test_frames_nine_degrees_off_agree_on_one_motion(actor: SkinnedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    turning = make_turning(actor)
    found = follow(turning, actor, monkeypatch)
    assert found is not None
    before, after = (rotation_error(hand.T_camera_hand, turning.truth.T_camera_hand) for hand in (turning.first, found))
    off_mm = 1000 * np.linalg.norm(found.T_camera_hand[:, :3, 3] - turning.truth.T_camera_hand[:, :3, 3], axis=1)
    print(f"rotations {before:.1f} -> {after:.2f} degrees off, wrist {off_mm.mean():.1f} mm off")
    assert before > 8.0 and after < 1.0
    assert off_mm.mean() < 10.0
    assert np.ptp(found.pose[:, 1:], axis=0).max() == 0.0
    assert np.array_equal(follow(turning, actor, monkeypatch).T_camera_hand, found.T_camera_hand)  # type: ignore[union-attr]


def test_frames_that_hide_the_hand_are_placed_by_the_points_of_the_body(actor: SkinnedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    turning = make_turning(actor)
    hidden = np.isin(np.arange(FRAMES), (0, 1, 2, 3, 12, 13))
    arrays = {name: getattr(turning.first, name).copy() for name in ("keypoints", "keypoint_error", "T_camera_hand", "pose")}
    for array in arrays.values():
        array[hidden] = np.nan
    unseen = replace(turning, first=replace(turning.first, observed=~hidden, presence=(~hidden).astype(float), **arrays))
    found = follow(unseen, actor, monkeypatch)
    assert found is not None
    off = rotation_error(found.T_camera_hand[hidden], turning.truth.T_camera_hand[hidden])
    off_mm = 1000 * np.linalg.norm(found.T_camera_hand[:, :3, 3] - turning.truth.T_camera_hand[:, :3, 3], axis=1)
    print(f"hidden frames {off:.2f} degrees off, wrist {off_mm[hidden].mean():.1f} mm off")
    assert off < 1.0 and off_mm[hidden].mean() < 10.0
    assert rotation_error(found.T_camera_hand, turning.truth.T_camera_hand) < 1.0
    assert found.posed.all() and np.array_equal(found.observed, ~hidden), "placed, but not said to be detected"
    assert np.isnan(found.keypoint_error[hidden]).all() and np.isfinite(found.keypoint_error[~hidden]).all()
    assert np.ptp(found.pose[:, 1:], axis=0).max() == 0.0
    assert np.allclose(rotation(found.pose[:, 0]), found.T_camera_hand[:, :3, :3], atol=1e-6)


def test_models_give_a_second_start_and_a_reversed_one_is_turned_round(actor: SkinnedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    turning = make_turning(actor, span=50.0, wrong_degrees=4.0)
    true = turning.truth.T_camera_hand
    backwards = reverse_depth(true)
    assert rotation_error(backwards, true) > 10.0
    problem = rigid_grasp.GraspProblem(
        connect_matches(turning.matched.matched_frames, turning.matched.matched_features, turning.features, 1.0),
        turning.first.keypoints, turning.first.T_camera_hand, RigidHand(HandKeypointModel.of_actor(actor), turning.first), CAMERA.K, 1.0, RigidGraspSettings(),
    )  # fmt: skip
    for motion in (true, backwards):
        start = problem.start_from_models([(np.arange(FRAMES), motion)])
        assert rotation_error(start, true) < 2.0


def test_fingers_that_move_are_no_rigid_grasp(actor: SkinnedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    assert follow(make_turning(actor, opening=0.6), actor, monkeypatch) is None


def turn_share(T: np.ndarray, truth: np.ndarray) -> float:
    """Slope of the turns about the mean orientation over the true ones."""
    turns, true = (turn * turn.mean().inv() for turn in (Rotation.from_matrix(T[:, :3, :3]), Rotation.from_matrix(truth[:, :3, :3])))
    return float((turns.as_rotvec() * true.as_rotvec()).sum() / (true.as_rotvec() ** 2).sum())


def exaggerate(turning: Turning, actor: SkinnedModel, factor: float) -> Turning:
    """Keypoints, and poses fitted to them, of a hand that seems to turn `factor` times as far; every point is tracked for half of the clip at most."""
    T = turning.truth.T_camera_hand.copy()
    turns = Rotation.from_matrix(T[:, :3, :3])
    T[:, :3, :3] = (Rotation.from_rotvec(factor * (turns * turns.mean().inv()).as_rotvec()) * turns.mean()).as_matrix()
    model = HandKeypointModel.of_actor(actor)
    angles = model.angles_of(torch.tensor(turning.truth.pose[:, 1:], dtype=torch.float32))
    first = replace(turning.first, T_camera_hand=T, keypoints=keypoints_of(model, angles, T))
    since = np.random.default_rng(0).integers(-FRAMES // 3, FRAMES - 4, POINTS)[turning.matched.matched_features[:, 0]]
    earlier, later = turning.matched.matched_frames.T
    kept = (earlier >= since) & (later < since + FRAMES // 2)
    matched = MatchedMotion(turning.matched.matched_frames[kept], turning.matched.matched_features[kept], ())
    return replace(turning, first=first, matched=matched)


def test_tracks_outweigh_a_detector_that_turns_too_far(actor: SkinnedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    turning = exaggerate(make_turning(actor, span=45.0), actor, 1.25)
    true = turning.truth.T_camera_hand
    assert turn_share(turning.first.T_camera_hand, true) == pytest.approx(1.25, abs=0.02)
    found = follow(turning, actor, monkeypatch)
    assert found is not None
    vague = follow_rigid_grasp(turning.first, turning.features, np.arange(FRAMES), CAMERA, actor, 1.0, RigidGraspSettings(track_pixels=1.5))
    assert vague is not None
    shares = [turn_share(hand.T_camera_hand, true) for hand in (found, vague)]
    print(f"turns {shares[0]:.2f} times as far as they are, {shares[1]:.2f} where tracks are thought to be 1.5 pixels off")
    assert abs(shares[0] - 1) < 0.07 and shares[1] > 1.12


def test_nothing_is_adjusted_without_tracks(actor: SkinnedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    turning = make_turning(actor)
    none = MatchedMotion(np.zeros((0, 2), int), np.zeros((0, 2), int), ())
    assert follow(turning, actor, monkeypatch, none) is None
    assert follow(turning, actor, monkeypatch, "stalled, 2 times") is None


def test_normal_equations_descend_as_finite_differences_say(actor: SkinnedModel) -> None:
    turning = make_turning(actor)
    tracks = connect_matches(turning.matched.matched_frames, turning.matched.matched_features, turning.features, 1.0)
    rigid = RigidHand(HandKeypointModel.of_actor(actor), turning.first)
    problem = GraspAdjustment(tracks, turning.first.keypoints, rigid, CAMERA.K, 1.5)
    T = turning.first.T_camera_hand
    unknowns = Unknowns(T, triangulate(T, tracks, CAMERA.K), rigid.start.copy())
    _, gradient = problem._normal_equations(unknowns, *problem._compare(unknowns))
    for place in (3, 4, 5, 6 * 11 + 3):
        costs = []
        for sign in (1.0, -1.0):
            moved = T.copy()
            moved[place // 6, place % 6 - 3, 3] += sign * 1e-6
            costs.append(problem.cost(replace(unknowns, T=moved)))
        assert gradient[place] == pytest.approx((costs[0] - costs[1]) / 4e-6, rel=1e-3)
    for unknown in (0, 50, 60):
        costs = []
        for sign in (1.0, -1.0):
            moved = unknowns.hand.copy()
            moved[unknown] += sign * 1e-3
            costs.append(problem.cost(replace(unknowns, hand=moved)))
        assert gradient[6 * FRAMES + unknown] == pytest.approx((costs[0] - costs[1]) / 4e-3, rel=0.05, abs=0.05)


def test_tracks_are_the_components_of_matches_and_contradictions_are_dropped() -> None:
    features = [FrameFeatures(np.full((4, 2), float(frame), np.float32), np.zeros((4, 128), np.uint8)) for frame in range(4)]
    frames = np.array([[0, 1], [1, 2], [0, 1], [1, 2], [2, 3], [0, 1], [0, 1], [1, 2]])
    rows = np.array([[0, 0], [0, 0], [1, 1], [1, 1], [1, 1], [2, 2], [3, 2], [2, 2]])
    tracks = connect_matches(frames, rows, features, 2.0)
    assert tracks.point_count == 2, "features 2 and 3 of frame 0 cannot be one point, and what is left of theirs is too short"
    assert sorted(np.bincount(tracks.point)) == [3, 4]
    assert np.array_equal(tracks.pixel[:, 0], 2.0 * tracks.frame)
    assert np.bincount(tracks.longest(1).point).tolist() == [4]
    part = tracks.in_frames(np.array([1, 2, 3]))
    assert part.point_count == 1 and sorted(part.frame) == [0, 1, 2]


def test_triangulated_points_are_those_that_were_seen() -> None:
    T = poses_of(60.0)
    points = np.random.default_rng(0).uniform(-0.05, 0.05, (10, 3))
    seen = (points @ T[:, :3, :3].transpose(0, 2, 1) + T[:, None, :3, 3]) @ CAMERA.K.T
    frame, point = np.divmod(np.arange(FRAMES * 10), 10)
    tracks = FeatureTracks(frame, point, (seen[..., :2] / seen[..., 2:]).reshape(-1, 2))
    assert np.abs(triangulate(T, tracks, CAMERA.K) - points).max() < 1e-4


def test_reversal_in_depth_is_its_own_inverse_and_keeps_turns_about_the_view() -> None:
    T = poses_of(60.0)
    assert np.allclose(reverse_depth(reverse_depth(T)), T, atol=1e-6)
    about_view = np.tile(np.eye(4), (9, 1, 1))
    about_view[:, :3, :3] = rotation(np.outer(np.linspace(-1, 1, 9), [0.0, 0.0, 1.0]))
    assert np.allclose(reverse_depth(about_view), about_view, atol=1e-9)
