"""Object poses from structure from motion, scaled by the hand, behind gates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from hoifield.geometry.cameras import Camera
from hoifield.geometry.rotations import rotation_angle
from hoifield.observations.motion_features import FrameFeatures
from hoifield.observations.motion_program import Model, median_features, run_motion_program
from hoifield.observations.watched_programs import WatchLimits

LEAST_MODEL = 8
"""Frames of a model worth a look."""


@dataclass(frozen=True)
class MotionConfig:
    """Effort and gates of the structure from motion."""

    most_frames: int = 240
    least_features: int = 60
    """Median per frame, below which nothing is tried."""
    least_registered: float = 0.8
    """Share of the frames between the first and the last registered one."""
    largest_step: float = 25.0
    """Degrees between neighbouring registered frames."""
    largest_distance_ratio: float = 2.0
    least_span_ratio: float = 0.5
    """Rotation span over the hand's: the still background registers as well, and does not turn with the hand."""
    largest_disagreement: float = 25.0
    """Median degrees to the hand-locked poses after alignment."""
    seed: int = 0
    limits: WatchLimits = WatchLimits()


@dataclass(frozen=True)
class MotionPoses:
    """What structure from motion said about the object, and whether to believe it."""

    T_camera_object: Float[np.ndarray, "frame 4 4"]
    """In the canonical frame and scale of the hand-locked poses; NaN where not registered. All NaN when not trusted."""
    segment: Int[np.ndarray, "frame"]
    """Frames of one number were placed together; frames of two numbers only by the hand. -1 where not registered."""
    measurements: dict[str, float]
    refused: str
    """Why it is not trusted, with the number measured; empty when it is."""


def _nothing(count: int, refused: str, measurements: dict[str, float] | None = None) -> MotionPoses:
    return MotionPoses(np.full((count, 4, 4), np.nan), np.full(count, -1), measurements or {}, refused)


def _angles(rotations: np.ndarray) -> np.ndarray:
    return np.degrees(rotation_angle(torch.from_numpy(np.ascontiguousarray(rotations))).numpy())


def rotation_span(poses: Float[np.ndarray, "frame 4 4"]) -> float:
    """Largest angle (degrees) between any two of the poses' rotations."""
    rotations = poses[np.isfinite(poses).all((1, 2)), :3, :3][:: max(len(poses) // 48, 1)]
    if len(rotations) < 2:
        return 0.0
    trace = np.einsum("aij,bij->ab", rotations, rotations)
    return float(np.degrees(np.arccos(np.clip((trace.min() - 1) / 2, -1, 1))))


def align_motion(motion: Float[np.ndarray, "frame 4 4"], locked: Float[np.ndarray, "frame 4 4"]) -> tuple[Float[np.ndarray, "frame 4 4"], float]:
    """Motion poses in the canonical frame and metres of the hand-locked ones, and the scale found.

    Scale s, rotation A and offset a that make the object as still in the hand as they can: R_t A ~ R_locked (chordal mean), then
    s t_t + R_t a ~ t_locked by robust least squares. The hand is the ruler.
    """
    relative = motion[:, :3, :3].transpose(0, 2, 1) @ locked[:, :3, :3]
    weight = np.ones(len(motion))
    for _ in range(5):
        u, _, vt = np.linalg.svd(np.einsum("f,fij->ij", weight, relative))
        mean = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
        weight = np.minimum(1.0, 8.0 / np.maximum(_angles(mean.T @ relative), 1e-6))
    system = np.concatenate([motion[:, :3, 3, None], motion[:, :3, :3]], axis=2)
    weight = np.ones(len(motion))
    solution = np.zeros(4)
    for _ in range(10):
        root = np.sqrt(weight)[:, None]
        solution = np.linalg.lstsq((system * root[..., None]).reshape(-1, 4), (locked[:, :3, 3] * root).reshape(-1), rcond=None)[0]
        residual = np.linalg.norm(system @ solution - locked[:, :3, 3], axis=1)
        weight = np.minimum(1.0, 0.01 / np.maximum(residual, 1e-9))
    aligned = np.tile(np.eye(4), (len(motion), 1, 1))
    aligned[:, :3, :3] = motion[:, :3, :3] @ mean
    aligned[:, :3, 3] = system @ solution
    return aligned, float(solution[0])


def _gate(frames: np.ndarray, motion: np.ndarray, aligned: np.ndarray, locked: np.ndarray, scale: float, config: MotionConfig) -> tuple[str, dict[str, float]]:
    """The first gate that fails, in words (empty when none does), and all measurements."""
    steps = _angles(motion[:-1, :3, :3].transpose(0, 2, 1) @ motion[1:, :3, :3])
    distance = np.linalg.norm(aligned[:, :3, 3], axis=1)
    found = {
        "motion_registered": float(len(frames) / (frames[-1] - frames[0] + 1)),
        "motion_step_deg": float(steps.max()),
        "motion_distance_ratio": float(distance.max() / max(distance.min(), 1e-9)),
        "motion_span_deg": rotation_span(motion),
        "hand_span_deg": rotation_span(locked),
        "motion_disagreement_deg": float(np.median(_angles(aligned[:, :3, :3].transpose(0, 2, 1) @ locked[:, :3, :3]))),
        "motion_scale": scale,
    }
    checks = (
        (found["motion_registered"] < config.least_registered, f"only {found['motion_registered']:.0%} of its segment registered"),
        (found["motion_step_deg"] > config.largest_step, f"a rotation step of {found['motion_step_deg']:.0f} deg between neighbours"),
        (found["motion_distance_ratio"] > config.largest_distance_ratio, f"the distance varies {found['motion_distance_ratio']:.1f}-fold"),
        (found["motion_span_deg"] < config.least_span_ratio * found["hand_span_deg"],
         f"it turns {found['motion_span_deg']:.0f} deg where the hand turns {found['hand_span_deg']:.0f}: the background leaks in"),
        (found["motion_disagreement_deg"] > config.largest_disagreement, f"{found['motion_disagreement_deg']:.0f} deg off the hand"),
        (scale <= 0, "its scale against the hand is not positive"),
    )  # fmt: skip
    return next((words for failed, words in checks if failed), ""), found


def find_motion_poses(features: Sequence[FrameFeatures], camera: Camera, locked: Float[np.ndarray, "frame 4 4"], config: MotionConfig) -> MotionPoses:
    """Poses of a rigid body that carries the features (one entry per frame of `locked`), or the reason why they are not to be used.

    `camera` is that of the features' pixels; `locked` are poses that follow the hand (finite). Sequential matching, one fixed focal. The
    reprojection error is about a pixel in success and failure alike, so it decides nothing: the gates are registered share, step size,
    distance range, rotation span and agreement with the hand (the silhouettes judge afterwards). The reconstruction runs in a process of
    its own; one that stalls or crashes twice is refused.
    """
    measured = {"motion_features": median_features(features)}
    if measured["motion_features"] < config.least_features:
        refused = f"{measured['motion_features']:.0f} features a frame, {config.least_features} needed"
        return _nothing(len(locked), refused, measured)
    chosen = np.unique(np.linspace(0, len(locked) - 1, min(len(locked), config.most_frames)).astype(int))
    given, everywhere = [features[frame] for frame in chosen], np.ones(len(chosen), bool)
    found = run_motion_program(given, everywhere, camera, config.seed, LEAST_MODEL, config.limits)
    if isinstance(found, str):
        return _nothing(len(locked), f"structure from motion {found}", measured)
    return _judge(found.models, chosen, locked, config, measured)


def _judge(
    models: Sequence[Model], chosen: Int[np.ndarray, "chosen"],
    locked: Float[np.ndarray, "frame 4 4"], config: MotionConfig, measured: dict[str, float]
) -> MotionPoses:  # fmt: skip
    """The models brought to the hand, those that pass the gates kept; `chosen` are the frames that were reconstructed."""
    poses, segment = np.full((len(locked), 4, 4), np.nan), np.full(len(locked), -1)
    refused = f"{max((len(ranks) for ranks, _ in models), default=0)} of {len(chosen)} frames registered"
    for number, (ranks, motion) in enumerate(model for model in models if len(model[0]) >= LEAST_MODEL):
        frames = chosen[ranks]
        aligned, scale = align_motion(motion, locked[frames])
        failed, found = _gate(ranks, motion, aligned, locked[frames], scale, config)
        if number == 0:
            refused = failed
            measured = measured | found
        if not failed:
            free = segment[frames] < 0
            poses[frames[free]] = aligned[free]
            segment[frames[free]] = number
    placed = segment >= 0
    return MotionPoses(poses, segment, measured | {"motion_frames": float(placed.sum())}, "" if placed.any() else refused)
