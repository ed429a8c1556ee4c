"""The fit of an actor to keypoints that the same actor made, and its parts in closed form."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from hoifield.actors.choose_actor import load_actor
from hoifield.actors.skinned_model import Side, SkinnedModel
from hoifield.errors import MissingDependency
from hoifield.geometry.cameras import Camera, project
from hoifield.geometry.rotations import matrix_from_axis_angle
from hoifield.observations.fit_hand import FitHandSettings, acceleration, fit_hand, turn_onto_ray
from hoifield.observations.hand_keypoint_model import HandKeypointModel, HandState
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.track_keypoints import KeypointTrack

CAMERA = Camera.from_focal(900.0, 720, 960)
FRAMES = 48
MISSING = (0, 1, 20, 21, 22, 23, 24, 25)
SIDES: tuple[Side, ...] = ("right", "left")


def actor_of(side: Side) -> SkinnedModel:
    try:
        return load_actor("anny", side)
    except MissingDependency as error:
        pytest.skip(str(error))


def moving_hand(actor: SkinnedModel, frames: int = FRAMES) -> HandState:
    """A hand that turns, closes and drifts smoothly, within its limits."""
    generator = torch.Generator().manual_seed(4)
    model = HandKeypointModel.of_actor(actor)
    phase = torch.linspace(0, 2 * math.pi, frames)[:, None, None]
    offset, speed = torch.rand(2, 15, 3, generator=generator)
    middle, half = (model.lower + model.upper) / 2, (model.upper - model.lower) / 2
    angles = middle + 0.5 * half * torch.sin(0.6 * speed * phase + 2 * math.pi * offset)
    time = torch.linspace(0, 1, frames)[:, None]
    root = torch.tensor([0.3, 1.2, 0.4]) + time * torch.tensor([0.5, -0.6, 0.3])
    translation = torch.tensor([-0.08, 0.05, 0.55]) + time * torch.tensor([0.10, -0.06, 0.08])
    shape = torch.zeros(10)
    return HandState(angles, matrix_from_axis_angle(root), translation, shape, model.usual_offsets)


def detected(actor: SkinnedModel, state: HandState, noise_pixels: float = 0.7, noise_world: float = 0.002) -> KeypointTrack:
    """What a detector would report of a hand: noisy pixels, a noisy 3-D guess in its own view, and gaps."""
    generator = torch.Generator().manual_seed(11)
    points = HandKeypointModel.of_actor(actor).keypoints_in_camera(state)
    K = torch.from_numpy(CAMERA.K).float()
    pixels = project(points, K)
    pixels = pixels + noise_pixels * torch.randn(pixels.shape, generator=generator)
    ray = turn_onto_ray((pixels.amax(1) + pixels.amin(1)) / 2, K)
    world = 0.95 * (points - points.mean(1, keepdim=True)) @ ray
    world = world + noise_world * torch.randn(world.shape, generator=generator)
    observed = np.ones(len(points), bool)
    observed[[frame for frame in MISSING if frame < len(points)]] = False
    keypoints, world_guess = pixels.numpy().astype(np.float64), world.numpy().astype(np.float64)
    keypoints[~observed], world_guess[~observed] = np.nan, np.nan
    return KeypointTrack(actor.side, 1.0, observed, keypoints, world_guess, observed * 0.95)


@pytest.fixture(scope="module", params=SIDES)
def fitted(request: pytest.FixtureRequest) -> tuple[SkinnedModel, HandState, KeypointTrack, HandTrack]:
    torch.set_num_threads(1)
    actor = actor_of(request.param)
    state = moving_hand(actor)
    track = detected(actor, state)
    return actor, state, track, fit_hand(track, actor, CAMERA, np.arange(FRAMES) / 30, FitHandSettings(steps=300, detector_noise=0.004))


@pytest.mark.parametrize("side", SIDES)
def test_the_keypoint_model_agrees_with_the_skinned_hand(side: Side) -> None:
    actor = actor_of(side)
    state = moving_hand(actor, 8)
    bare = HandState(state.angles, state.rotation, state.translation, 0.5 * torch.ones(10), torch.zeros(6, 3))
    model = dataclasses.replace(HandKeypointModel.of_actor(actor), finger_offsets=torch.zeros(5, 3, 3))
    T = torch.eye(4).repeat(8, 1, 1)
    T[:, :3, :3], T[:, :3, 3] = bare.rotation, bare.translation
    skinned = actor.pose(bare.shape, model.axis_angle_pose(bare), T).keypoints
    difference = (model.keypoints_in_camera(bare) - skinned).norm(dim=-1)
    tips = [4, 8, 12, 16, 20]
    joints = [k for k in range(21) if k not in tips]
    assert difference[:, joints].max() < 2e-5
    assert difference[:, tips].max() < 1e-3


def test_a_known_motion_is_recovered(fitted: tuple[SkinnedModel, HandState, KeypointTrack, HandTrack]) -> None:
    actor, state, track, hand = fitted
    seen = track.observed
    assert np.nanmax(hand.keypoint_error) < 0.02
    assert np.nanmean(hand.keypoint_error) < 0.012
    posed = actor.pose(*(torch.from_numpy(a).float() for a in (hand.shape, hand.pose[seen], hand.T_camera_hand[seen]))).joints.numpy()
    model = HandKeypointModel.of_actor(actor)
    T = torch.eye(4).repeat(FRAMES, 1, 1)
    T[:, :3, :3], T[:, :3, 3] = state.rotation, state.translation
    true = actor.pose(state.shape, model.axis_angle_pose(state), T).joints.numpy()[seen]
    relative = np.linalg.norm((posed - posed[:, :1]) - (true - true[:, :1]), axis=-1)
    # Every finger of this hand moves, which one shared articulation is no start for.
    assert relative.mean() < 0.013
    # Size, and with it depth, is only known up to the prior.
    assert abs(np.median(posed[:, 0, 2] / true[:, 0, 2]) - 1) < 0.08


@pytest.mark.parametrize("side", SIDES)
def test_a_turning_grasp_keeps_a_finger_whose_depth_the_detector_misjudges(side: Side) -> None:
    torch.set_num_threads(1)
    actor = actor_of(side)
    moving = moving_hand(actor)
    turning = matrix_from_axis_angle(torch.linspace(0, 1, FRAMES)[:, None] * torch.tensor([0.2, 1.4, 0.3]))
    held = dataclasses.replace(moving, angles=moving.angles[:1].expand(FRAMES, 15, 3), rotation=turning @ moving.rotation[0])
    track = detected(actor, held)
    world = track.world.copy()
    world[:, 4, 2] += np.linspace(-0.04, 0.04, FRAMES)
    hand = fit_hand(dataclasses.replace(track, world=world), actor, CAMERA, np.arange(FRAMES) / 30)
    seen = track.observed
    posed = actor.pose(*(torch.from_numpy(a).float() for a in (hand.shape, hand.pose[seen], hand.T_camera_hand[seen]))).keypoints.numpy()
    T = torch.eye(4).repeat(FRAMES, 1, 1)
    T[:, :3, :3], T[:, :3, 3] = held.rotation, held.translation
    true = actor.pose(held.shape, HandKeypointModel.of_actor(actor).axis_angle_pose(held), T).keypoints.numpy()[seen]
    relative = np.linalg.norm((posed - posed[:, :1]) - (true - true[:, :1]), axis=-1)
    assert relative.mean() < 0.006
    assert relative[:, 4].mean() < 0.010


def test_the_detectors_offsets_mirror_with_the_side() -> None:
    right, left = (HandKeypointModel.of_actor(actor_of(side)) for side in SIDES)
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    assert right.finger_offsets.abs().max() > 0.003
    assert torch.allclose(right.finger_offsets * mirror, left.finger_offsets, atol=1e-5)
    assert torch.allclose(right.usual_offsets * mirror, left.usual_offsets, atol=1e-5)


def test_frames_without_keypoints_stay_empty(fitted: tuple[SkinnedModel, HandState, KeypointTrack, HandTrack]) -> None:
    _, _, track, hand = fitted
    missing = ~track.observed
    assert np.array_equal(np.flatnonzero(missing), MISSING)
    assert np.array_equal(hand.observed, track.observed)
    for values in (hand.pose, hand.T_camera_hand, hand.keypoint_error):
        assert np.isnan(values[missing]).all()
        assert np.isfinite(values[~missing]).all()


def test_limits_cannot_be_left(fitted: tuple[SkinnedModel, HandState, KeypointTrack, HandTrack]) -> None:
    actor, _, track, hand = fitted
    model = HandKeypointModel.of_actor(actor)
    pose = torch.from_numpy(hand.pose[track.observed, 1:]).float()
    angles = (model.axes.transpose(1, 2) @ pose[..., None])[..., 0]
    assert (angles - model.upper).max() < 1e-5
    assert (model.lower - angles).max() < 1e-5


def test_the_first_row_of_the_pose_repeats_the_root(fitted: tuple[SkinnedModel, HandState, KeypointTrack, HandTrack]) -> None:
    _, _, track, hand = fitted
    root = matrix_from_axis_angle(torch.from_numpy(hand.pose[track.observed, 0]))
    assert np.allclose(root.numpy(), hand.T_camera_hand[track.observed, :3, :3], atol=1e-5)


def test_the_wrong_side_fits_worse() -> None:
    torch.set_num_threads(1)
    right, left = actor_of("right"), actor_of("left")
    track = detected(right, moving_hand(right, 12))
    errors = [np.nanmean(fit_hand(track, a, CAMERA, np.arange(12) / 30, FitHandSettings(steps=120)).keypoint_error) for a in (right, left)]
    assert errors[0] < 0.6 * errors[1]


def test_a_repeated_fit_is_bitwise_equal_and_one_frame_is_enough() -> None:
    torch.set_num_threads(1)
    actor = actor_of("right")
    track = detected(actor, moving_hand(actor, 3))
    fits = [fit_hand(track, actor, CAMERA, np.arange(3) / 30, FitHandSettings(steps=30)) for _ in range(2)]
    assert int(track.observed.sum()) == 1
    assert np.array_equal(fits[0].pose, fits[1].pose, equal_nan=True)


def test_no_observed_frame_gives_an_empty_track() -> None:
    actor = actor_of("left")
    nothing = KeypointTrack("left", 0.0, np.zeros(4, bool), np.full((4, 21, 2), np.nan), np.full((4, 21, 3), np.nan), np.zeros(4))
    hand = fit_hand(nothing, actor, CAMERA, np.arange(4) / 30)
    assert not hand.observed.any()
    assert np.isnan(hand.pose).all()


def test_acceleration_is_exact_for_parabolas_and_free_through_gaps() -> None:
    even = torch.arange(6.0)
    assert torch.allclose(acceleration(3 * even.square()[:, None], even), torch.full((4, 1), 6.0))
    uneven = torch.tensor([0.0, 1.0, 2.0, 9.0, 10.0])
    assert torch.allclose(acceleration(2 * uneven[:, None] + 1, uneven), torch.zeros(3, 1))
    half = even / 2
    assert torch.allclose(acceleration(3 * half.square(), half), torch.full((4,), 6.0))


def test_the_optical_axis_turns_onto_the_ray() -> None:
    K = torch.from_numpy(CAMERA.K).float()
    pixels = torch.tensor([[360.0, 480.0], [700.0, 20.0], [10.0, 900.0]])
    turn = turn_onto_ray(pixels, K)
    assert torch.allclose(turn @ turn.transpose(1, 2), torch.eye(3).expand(3, 3, 3), atol=1e-6)
    assert torch.allclose(project(turn[:, :, 2], K), pixels, atol=1e-2)
    assert torch.allclose(turn[0], torch.eye(3), atol=1e-6)
