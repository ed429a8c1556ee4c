"""Poses of every frame of the clip from the corrections of the fitted ones."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from hoifield.actors.skinned_model import Side
from hoifield.observations.observations import Observations
from hoifield.scene.frame_table import correct_rigid
from hoifield.scene.scene import Scene


@dataclass(frozen=True)
class ClipHand:
    """One hand over all frames of the clip; NaN where it was not observed."""

    side: Side
    T_camera_hand: Float[np.ndarray, "frame 4 4"]
    pose: Float[np.ndarray, "frame joint=16 3"]
    shape: Float[np.ndarray, "component=10"]


@dataclass(frozen=True)
class ClipPoses:
    """Object and hands over all frames of the clip; NaN where nothing trustworthy was observed."""

    T_camera_object: Float[np.ndarray, "frame 4 4"]
    hands: tuple[ClipHand, ...]


def spread_corrections(scene: Scene, observations: Observations, time_s: Float[np.ndarray, "frame"]) -> ClipPoses:
    """Observed poses of all frames, each corrected by the fitted frames' corrections interpolated linearly in time.

    Only frames with an observed pose get one: nothing is filled in.
    """
    track = observations.object_track
    assert track is not None
    fitted = observations.fit_frames

    def over_clip(correction: torch.Tensor) -> torch.Tensor:
        flat = correction.detach().double().reshape(len(fitted), -1).numpy()
        columns = [np.interp(time_s, time_s[fitted], column) for column in flat.T]
        return torch.tensor(np.stack(columns, -1)).reshape(len(time_s), *correction.shape[1:])

    frames = scene.frames
    T_object = correct_rigid(torch.tensor(track.T_camera_object).double(), over_clip(frames.object_rotation), over_clip(frames.object_translation))
    hands = []
    for observed, (_, poses) in zip(observations.hands, scene.hands()):
        T_hand = correct_rigid(torch.tensor(observed.T_camera_hand).double(), over_clip(poses.rotation), over_clip(poses.translation))
        pose = observed.pose + over_clip(poses.articulation).numpy()
        hands.append(ClipHand(observed.side, T_hand.numpy(), pose, poses.shape().detach().double().numpy()))
    return ClipPoses(T_object.numpy(), tuple(hands))
