"""Runs `reconstruct_motion` in a process of its own: matches between frames, and models where they are asked for."""

import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from hoifield.geometry.cameras import Camera
from hoifield.observations.motion_features import FrameFeatures
from hoifield.observations.watched_programs import WatchedPrograms, WatchLimits

PROGRAM = Path(__file__).with_name("reconstruct_motion.py")

Model = tuple[Int[np.ndarray, "registered"], Float[np.ndarray, "registered 4 4"]]
"""Frames, as rows of the features, and T_camera_object in a frame and scale of the model's own."""


@dataclass(frozen=True)
class MatchedMotion:
    """What the program found."""

    matched_frames: Int[np.ndarray, "match 2"]
    matched_features: Int[np.ndarray, "match 2"]
    """Counted within the frame."""
    models: tuple[Model, ...]
    """Largest first."""


def median_features(features: Sequence[FrameFeatures]) -> float:
    """Of a frame."""
    return float(np.median([len(found.pixels) for found in features])) if features else 0.0


def run_motion_program(
    features: Sequence[FrameFeatures], mapped: Bool[np.ndarray, "frame"], camera: Camera, seed: int, least_model: int, limits: WatchLimits
) -> MatchedMotion | str:
    """Matches of all frames and models of at least `least_model` of those that are `mapped`; or why the program was given up, after two attempts.

    `camera` is that of the features' pixels. The same arguments give the same bits.
    """
    with tempfile.TemporaryDirectory() as name:
        given, found = Path(name) / "in.npz", Path(name) / "out.npz"
        np.savez(
            given,
            pixels=np.concatenate([frame.pixels for frame in features]),
            descriptors=np.concatenate([frame.descriptors for frame in features]),
            counts=np.array([len(frame.pixels) for frame in features]),
            intrinsics=np.array([camera.K[0, 0], camera.K[0, 2], camera.K[1, 2]]),
            size=np.array([camera.width, camera.height]),
            seed=np.array(seed),
            mapped=mapped,
            least_model=np.array(least_model),
        )
        command = [sys.executable, "-I", str(PROGRAM), str(given), str(found), str(os.getpid())]
        with WatchedPrograms([command], Path(name), limits) as running:
            failure = running.wait_for(0)
        if failure:
            return failure
        with np.load(found, allow_pickle=False) as arrays:
            model, frame, poses = arrays["model"], arrays["frame"], arrays["T_camera_object"]
            models = tuple((frame[model == number], poses[model == number]) for number in np.unique(model))
            return MatchedMotion(arrays["matched_frames"], arrays["matched_features"], models)
