"""The hands at the distance that a depth sensor measured: by their size, or, where the focal length was a guess, by the focal length first."""

import dataclasses

import numpy as np
from jaxtyping import Float

from hoifield.actors.choose_actor import load_actor
from hoifield.geometry.cameras import Camera
from hoifield.observations.fit_hand import fit_hand
from hoifield.observations.frame_masks import FrameMasks
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.measure_by_depth import hand_depth_error
from hoifield.observations.observations import FocalSource
from hoifield.observations.sensor_depth import SensorDepth
from hoifield.observations.track_hands import ActorChoice, TrackedHands

FOCAL_FACTORS = (0.5, 2.0)
"""Beyond these a guess was not corrected but something else was measured than the hand."""


def place_hands_by_depth(
    tracked: TrackedHands, depth: SensorDepth, masks: FrameMasks, camera: Camera, source: FocalSource, actor: ActorChoice, time_s: Float[np.ndarray, "frame"]
) -> tuple[TrackedHands, Camera, FocalSource]:  # fmt: skip
    """The hands fitted again to keypoints and measured depth, with the camera they are seen by and where its focal length comes from.

    A guessed focal length becomes that at which a hand of the usual size is as far as it was measured. Hands that no depth shows stay.
    """
    errors = [hand_depth_error(hand, load_actor(actor, hand.side), depth, masks, camera) for hand in tracked.hands]
    ratios = [ratio for _, ratio in errors if np.isfinite(ratio)]
    if source == "guess" and ratios and FOCAL_FACTORS[0] < np.median(ratios) < FOCAL_FACTORS[1]:
        K = camera.K.copy()
        K[[0, 1], [0, 1]] *= np.median(ratios)
        camera, source = dataclasses.replace(camera, K=K), "depth"
    hands: list[HandTrack] = []
    for hand, keypoints, (error, _) in zip(tracked.hands, tracked.keypoints, errors, strict=True):
        if np.isfinite(error).any():
            hand = fit_hand(keypoints, load_actor(actor, hand.side), camera, time_s, wrist_depth=hand.T_camera_hand[:, 2, 3] + error)
        hands.append(hand)
    return dataclasses.replace(tracked, hands=tuple(hands)), camera, source
