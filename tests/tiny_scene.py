"""A ball on an open hand, drawn small: observations, pixels and scene for tests that need a whole one. Exact by construction."""

from copy import deepcopy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
import trimesh

from hoifield.actors.anny_actor import load_anny_hand
from hoifield.actors.skinned_model import Side, SkinnedModel
from hoifield.benchmark.ball_on_hand import RADIUS, BallOnHand, draw_ball_on_hand
from hoifield.errors import MissingDependency
from hoifield.fitting.frame_pixels import FramePixels, load_frame_pixels
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.observations.observations import Observations
from hoifield.observations.sensor_depth import SensorDepth
from hoifield.renderer.cached_distance import CachedDistance
from hoifield.scene.initialise import SceneConfig, initialise_scene
from hoifield.scene.scene import Scene

SIZE = 96
FRAMES = 8
MISSING_FRAME = 5
"""Neither hand nor object is observed there."""
FIT_FRAMES = np.array([0, 1, 3, 4, 6, 7])
TINY = SceneConfig(levels=4, table_size=2**10, finest_resolution=32, hand_volume_resolution=28, hull_steps=60)


@cache
def right_hand() -> SkinnedModel:
    """The built-in hand; the test is skipped where its files are not installed."""
    try:
        return load_anny_hand("right")
    except MissingDependency as missing:
        pytest.skip(missing.cause)


@cache
def ball_on_hand() -> BallOnHand:
    """A ball resting on the palm while the forearm turns; frame 5 is not observed. Do not change it: it is shared."""
    ball = trimesh.creation.icosphere(3, RADIUS)
    mesh = Mesh(np.asarray(ball.vertices), np.asarray(ball.faces))
    drawn = draw_ball_on_hand(right_hand(), mesh, FRAMES, SIZE, (MISSING_FRAME,))
    return replace(drawn, observations=replace(drawn.observations, fit_frames=FIT_FRAMES))


@cache
def tiny_pixels() -> FramePixels:
    """Pixels of the fitted frames."""
    grasp = ball_on_hand()
    return load_frame_pixels(grasp.clip, grasp.observations)


def tiny_scene(config: SceneConfig = TINY) -> Scene:
    """A scene of its own at the exact poses; the ball's field is made from its mesh."""
    return deepcopy(_first_scene(config))


@cache
def _first_scene(config: SceneConfig) -> Scene:
    return build_scene(config)


def build_scene(config: SceneConfig) -> Scene:
    """The scene made anew (a second and a half; `tiny_scene` copies one)."""
    grasp = ball_on_hand()
    actors: dict[Side, SkinnedModel] = {"right": grasp.model}
    return initialise_scene(grasp.observations, grasp.clip.time_s, grasp.observations.camera, actors, config)


def make_exact_ball(scene: Scene) -> None:
    """Turns the object's field into the exact distance of the ball (its network silenced)."""
    field = scene.object_distance
    with torch.no_grad():
        field.bounds_center.zero_()
        field.base_radius.fill_(RADIUS / field.bounds_half_size)
        field.network.last.weight[0].zero_()
        field.network.last.bias[0] = 0.0


def exact_ball_grid(resolution: int = 48) -> CachedDistance:
    """The exact distance of the ball on a grid."""
    half = RADIUS * 1.4
    axis = torch.linspace(-half, half, resolution)
    points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1)
    return CachedDistance(points.norm(dim=-1) - RADIUS, torch.full((3,), -half), 2 * half / (resolution - 1))


@cache
def measured_observations() -> Observations:
    """Those of `ball_on_hand` with the exact depth of ball and hand beside them."""
    observations = ball_on_hand().observations
    hand, track = observations.hands[0], observations.object_track
    assert track is not None
    depth = np.zeros(observations.masks.labels.shape, np.uint16)
    for frame in np.flatnonzero(hand.observed):
        T = torch.tensor(hand.T_camera_hand[frame], dtype=torch.float32)
        posed = right_hand().pose(torch.zeros(10), torch.zeros(1, 16, 3), T[None]).vertices[0].double().numpy()
        ball = track.hull.moved(track.T_camera_object[frame])
        faces = np.concatenate([ball.faces, right_hand().faces.numpy() + len(ball.vertices)])
        drawn = rasterise_mesh(np.concatenate([ball.vertices, posed]), faces, observations.camera.K, SIZE, SIZE)[0]
        depth[frame] = np.where(np.isfinite(drawn), np.round(1000 * np.nan_to_num(drawn, posinf=0.0)), 0)
    return replace(observations, depth=SensorDepth(depth))


@cache
def measured_pixels() -> FramePixels:
    """`tiny_pixels` with that depth."""
    return load_frame_pixels(ball_on_hand().clip, measured_observations())
