"""Object poses from structure from motion, scaled by the hand, behind gates; the only file that imports pycolmap."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int

from hoifield.geometry.cameras import Camera
from hoifield.geometry.rotations import rotation_angle
from hoifield.observations.motion_features import FrameFeatures

pycolmap: Any
try:
    import pycolmap
except ImportError:
    pycolmap = None


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


def _write_database(folder: Path, features: Sequence[FrameFeatures], rows: Int[np.ndarray, "chosen"], camera: Camera) -> None:
    """The features as COLMAP's database; the pictures beside it are black, since nobody looks at them again."""
    images, database = folder / "images", folder / "features.db"
    images.mkdir()
    for row in rows:
        cv2.imwrite(str(images / f"{row:06d}.png"), np.zeros((camera.height, camera.width), np.uint8))
    pycolmap.Database.open(database).close()
    reader = pycolmap.ImageReaderOptions()
    reader.camera_model = "SIMPLE_PINHOLE"
    reader.camera_params = f"{camera.K[0, 0]},{camera.K[0, 2]},{camera.K[1, 2]}"
    pycolmap.import_images(database, images, camera_mode=pycolmap.CameraMode.SINGLE, options=reader)
    opened = pycolmap.Database.open(database)
    for image in opened.read_all_images():
        found = features[int(image.name[:6])]
        opened.write_keypoints(image.image_id, found.pixels)
        opened.write_descriptors(image.image_id, pycolmap.FeatureDescriptors(pycolmap.FeatureExtractorType.SIFT, found.descriptors))
    opened.close()


def _mapping_options(seed: int) -> Any:
    """Fixed focal; bundle adjustment less often than COLMAP's own, since frames follow each other closely."""
    mapping = pycolmap.IncrementalPipelineOptions()
    mapping.num_threads = 1
    mapping.random_seed = seed
    mapping.ba_refine_focal_length = mapping.ba_refine_principal_point = mapping.ba_refine_extra_params = False
    mapping.ba_global_frames_ratio = mapping.ba_global_points_ratio = 1.3
    mapping.ba_global_max_refinements, mapping.ba_local_max_refinements = 2, 1
    mapping.ba_global_max_num_iterations, mapping.ba_local_max_num_iterations = 20, 12
    mapping.min_model_size = LEAST_MODEL
    mapping.max_num_models = 4
    mapping.mapper.init_min_tri_angle = 4.0
    mapping.mapper.init_min_num_inliers = 40
    mapping.mapper.abs_pose_min_num_inliers = 12
    return mapping


def _reconstruct(folder: Path, config: MotionConfig) -> list[dict[int, np.ndarray]]:
    """Models, largest first: row of the features -> T_camera_object (each model in a scale and canonical frame of its own)."""
    pycolmap.set_random_seed(config.seed)
    pycolmap.logging.minloglevel = 2
    database = folder / "features.db"
    matching = pycolmap.FeatureMatchingOptions()
    matching.num_threads, matching.use_gpu = 1, False
    pairing = pycolmap.SequentialPairingOptions()
    pairing.overlap = 10
    pairing.quadratic_overlap = False
    pycolmap.match_sequential(database, matching_options=matching, pairing_options=pairing, device=pycolmap.Device.cpu)
    (folder / "models").mkdir()
    models = pycolmap.incremental_mapping(database, folder / "images", folder / "models", options=_mapping_options(config.seed))
    ordered = sorted(models.values(), key=lambda model: -model.num_reg_images())
    return sorted(_join(ordered), key=len, reverse=True)


def _join(models: list[Any]) -> list[dict[int, np.ndarray]]:
    """Models that share frames brought into the frame and scale of the larger one; those that share none stay apart."""
    groups: list[list[Any]] = []
    for model in models:
        for group in groups:
            fits = (pycolmap.align_reconstructions_via_reprojections(model, other) for other in group)
            similarity = next((found for found in fits if found is not None), None)
            if similarity is not None:
                model.transform(similarity)
                group.append(model)
                break
        else:
            groups.append([model])
    joined = []
    for group in groups:
        poses: dict[int, np.ndarray] = {}
        for image in (image for model in group for image in model.images.values() if image.has_pose):
            pose = np.eye(4)
            pose[:3] = image.cam_from_world().matrix()
            poses.setdefault(int(image.name[:6]), pose)
        joined.append(poses)
    return joined


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


def find_motion_poses(
    features: Sequence[FrameFeatures], camera: Camera, locked: Float[np.ndarray, "frame 4 4"], config: MotionConfig
) -> MotionPoses:
    """Poses of the rigid body that carries the features, one entry per frame of `locked`, or the reason why they are not to be used.

    `camera` is that of the features' pixels; `locked` are the hand-locked T_camera_object (finite). Sequential matching, one fixed
    focal. The reprojection error is about a pixel in success and failure alike, so it decides nothing: the gates are registered share,
    step size, distance range, rotation span and agreement with the hand (the silhouettes judge afterwards).
    """
    count = len(locked)
    if pycolmap is None:
        return _nothing(count, "pycolmap is not installed")
    textured = float(np.median([len(found.pixels) for found in features]))
    if textured < config.least_features:
        return _nothing(count, f"{textured:.0f} features a frame, {config.least_features} needed", {"motion_features": textured})
    chosen = np.unique(np.linspace(0, count - 1, min(count, config.most_frames)).astype(int))
    with tempfile.TemporaryDirectory() as name:
        _write_database(Path(name), features, chosen, camera)
        models = _reconstruct(Path(name), config)
    rank = {int(frame): place for place, frame in enumerate(chosen)}
    poses, segment = np.full((count, 4, 4), np.nan), np.full(count, -1)
    refused, measurements = f"{max(map(len, models), default=0)} of {len(chosen)} frames registered", {"motion_features": textured}
    for number, registered in enumerate(model for model in models if len(model) >= LEAST_MODEL):
        frames = np.array(sorted(registered))
        motion = np.stack([registered[frame] for frame in frames])
        aligned, scale = align_motion(motion, locked[frames])
        failed, found = _gate(np.array([rank[int(f)] for f in frames]), motion, aligned, locked[frames], scale, config)
        if number == 0:
            refused = failed
            measurements |= found
        if not failed:
            free = segment[frames] < 0
            poses[frames[free]] = aligned[free]
            segment[frames[free]] = number
    placed = segment >= 0
    measurements["motion_frames"] = float(placed.sum())
    return MotionPoses(poses, segment, measurements, "" if placed.any() else refused)
