"""A ball on an open hand, drawn with its exact masks, poses and keypoints: the smallest clip that a whole fit can work on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8

from hoifield.actors.skinned_model import SkinnedModel
from hoifield.clip.clip import Clip
from hoifield.geometry.cameras import Camera
from hoifield.geometry.isosurface import extract_isosurface
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.geometry.rotations import matrix_from_axis_angle
from hoifield.observations.frame_masks import FrameMasks, MaskSource
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.object_track import ObjectTrack
from hoifield.observations.observations import Observations, Readiness

RADIUS = 0.035
"""Of the ball, metres."""
COLOURS = np.array([[60, 110, 160], [220, 180, 40], [200, 140, 110]], np.uint8)
"""Of background, ball and hand."""


@dataclass(frozen=True)
class DrawnClip(Clip):
    """A clip whose frames are held in memory."""

    images: UInt8[np.ndarray, "frame height width 3"]

    def read_frames(self, frames: Sequence[int] | None = None, size: tuple[int, int] | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """The frames asked for, in order, at the size they were drawn."""
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


def draw_ball_on_hand(model: SkinnedModel, ball: Mesh, frames: int, size: int, unseen: Sequence[int] = ()) -> BallOnHand:
    """`frames` square pictures of `size` pixels: the ball (`sphere_mesh()`) resting on the palm while the forearm turns.

    Nothing is observed in `unseen` frames; all others are to be fitted.
    """
    T_camera_hand, T_camera_object = _turn_forearm(rest_ball_on_palm(model), frames)
    camera = Camera.from_focal(1.5 * size, size, size)
    posed = model.pose(torch.zeros(10), torch.zeros(frames, 16, 3), torch.tensor(T_camera_hand, dtype=torch.float32))
    labels = _label_pixels(ball, T_camera_object, posed.vertices.double().numpy(), model.faces.numpy(), camera)
    keypoints = posed.keypoints.double().numpy() @ camera.K.T
    keypoints = keypoints[..., :2] / keypoints[..., 2:]
    observed = ~np.isin(np.arange(frames), unseen)
    T_camera_hand[~observed], T_camera_object[~observed], keypoints[~observed] = np.nan, np.nan, np.nan
    hand = HandTrack(
        side="right",
        actor="anny",
        observed=observed,
        keypoints=keypoints,
        keypoint_error=np.where(observed, 0.01, np.nan),
        presence=observed.astype(float),
        T_camera_hand=T_camera_hand,
        pose=np.where(observed[:, None, None], 0.0, np.nan) * np.ones((frames, 16, 3)),
        shape=np.zeros(10),
        keypoint_offsets=np.zeros((21, 3)),
    )
    track = ObjectTrack(T_camera_object, observed.astype(float), tuple("hand" if seen else "none" for seen in observed), ball, np.where(observed, 1.0, np.nan))
    source: tuple[MaskSource, ...] = tuple("automatic" for _ in labels)
    masks = FrameMasks(labels, np.full(frames, 0.9), np.full(frames, 0.9), source)
    clip = DrawnClip(Path("held-in-memory"), "video", "ball", "0" * 64, size, size, np.arange(frames) / 30.0, None, COLOURS[labels])
    observations = Observations(camera, "given", np.flatnonzero(observed), np.ones(frames), (hand,), masks, track, Readiness("fit", (), {}))
    return BallOnHand(model, clip, observations, ball)


def sphere_mesh(cells: int = 24) -> Mesh:
    """A sphere of RADIUS around 0, `cells` across."""
    spacing = 2 * RADIUS / cells
    lower = np.full(3, -RADIUS - 2 * spacing)
    nodes = lower + spacing * np.indices((cells + 5,) * 3).reshape(3, -1).T
    return extract_isosurface((np.linalg.norm(nodes, axis=1) - RADIUS).reshape((cells + 5,) * 3), lower, spacing)


def rest_ball_on_palm(model: SkinnedModel) -> Float[np.ndarray, "3"]:
    """Centre of the ball (hand frame, metres) where it just touches the flat palm, found by bisection along the palm's normal -y."""
    template = model.template.double().numpy()
    knuckles = model.joint_template[[1, 4, 7, 10]].mean(0).double().numpy()
    query = MeshDistance(template, model.faces.numpy())
    low, high = 0.0, 0.15
    for _ in range(40):
        middle = (low + high) / 2
        distance = query.closest((0.6 * knuckles - [0.0, middle, 0.0])[None]).signed_distance[0]
        low, high = (low, middle) if distance > RADIUS else (middle, high)
    return 0.6 * knuckles - [0.0, high, 0.0]


def _turn_forearm(centre: Float[np.ndarray, "3"], frames: int) -> tuple[Float[np.ndarray, "frame 4 4"], Float[np.ndarray, "frame 4 4"]]:
    """Poses of hand and ball in the camera; the ball, at `centre` in the hand, stays in the middle of the picture."""
    T_hand_object = np.eye(4)
    T_hand_object[:3, 3] = centre
    T_camera_hand = np.tile(np.eye(4), (frames, 1, 1))
    for frame, phase in enumerate(np.linspace(-1.0, 1.0, frames)):
        turn = matrix_from_axis_angle(torch.tensor([0.2, 0.35 * phase, 0.25 * phase**2], dtype=torch.float64)).numpy()
        T_camera_hand[frame, :3, :3] = turn
        T_camera_hand[frame, :3, 3] = np.array([0.0, 0.02, 0.45]) - turn @ centre
    return T_camera_hand, T_camera_hand @ T_hand_object


def _label_pixels(
    ball: Mesh,
    T_camera_object: Float[np.ndarray, "frame 4 4"],
    hand: Float[np.ndarray, "frame vertex 3"],
    hand_faces: np.ndarray,
    camera: Camera,
) -> UInt8[np.ndarray, "frame height width"]:
    """Labels of the contract: 1 ball, 2 right hand."""
    labels = np.zeros((len(hand), camera.height, camera.width), np.uint8)
    for frame in range(len(hand)):
        vertices = np.concatenate([ball.moved(T_camera_object[frame]).vertices, hand[frame]])
        faces = np.concatenate([ball.faces, hand_faces + len(ball.vertices)])
        _, face, _ = rasterise_mesh(vertices, faces, camera.K, camera.width, camera.height)
        labels[frame] = np.where(face < 0, 0, np.where(face < len(ball.faces), 1, 2))
    return labels
