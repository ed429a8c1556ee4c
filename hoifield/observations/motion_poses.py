"""Object poses from structure from motion on object pixels, scaled by the hand, behind gates; the only file that imports pycolmap."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float

from hoifield.geometry.rotations import rotation_angle
from hoifield.observations.frame_masks import OBJECT
from hoifield.observations.visual_hull import SilhouetteEvidence

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

    most_frames: int = 72
    most_features: int = 3000
    least_features: int = 80
    """Median corners on the object per frame, below which nothing is tried: plain objects fail and cost time."""
    eroded_pixels: int = 1
    """At the masks' size."""
    most_seconds: int = 25
    """Of mapping."""
    least_registered: float = 0.8
    """Share of the frames between the first and the last registered one."""
    largest_step: float = 15.0
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
    measurements: dict[str, float]
    refused: str
    """Why it is not trusted, with the number measured; empty when it is."""


def _nothing(count: int, refused: str, measurements: dict[str, float] | None = None) -> MotionPoses:
    return MotionPoses(np.full((count, 4, 4), np.nan), measurements or {}, refused)


def _object_masks(evidence: SilhouetteEvidence, chosen: np.ndarray, size: tuple[int, int], eroded: int) -> np.ndarray:
    kernel = np.ones((2 * eroded + 1, 2 * eroded + 1), np.uint8)
    shrunk = [cv2.erode((evidence.labels[index] == OBJECT).astype(np.uint8), kernel) for index in chosen]
    return np.stack([cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST) for mask in shrunk])


def _write_crops(folder: Path, images: np.ndarray, masks: np.ndarray, chosen: np.ndarray) -> tuple[int, int]:
    """Crops of all frames to one box (so that one camera serves all) and their masks, as files; the box's corner (left, top)."""
    rows, columns = np.nonzero(masks.any(0))
    top, left = max(rows.min() - 8, 0), max(columns.min() - 8, 0)
    bottom, right = rows.max() + 9, columns.max() + 9
    (folder / "images").mkdir()
    (folder / "masks").mkdir()
    for index, image, mask in zip(chosen, images, masks, strict=True):
        name = f"{index:06d}.png"
        cv2.imwrite(str(folder / "images" / name), image[top:bottom, left:right, ::-1])
        cv2.imwrite(str(folder / "masks" / f"{name}.png"), mask[top:bottom, left:right] * 255)
    return int(left), int(top)


def _reconstruct(folder: Path, K: np.ndarray, corner: tuple[int, int], config: MotionConfig) -> list[dict[int, np.ndarray]]:
    """Models, largest first: frame index -> T_camera_object (each model in a scale and canonical frame of its own)."""
    pycolmap.set_random_seed(config.seed)
    pycolmap.logging.minloglevel = 2
    database, images = folder / "features.db", folder / "images"
    reader = pycolmap.ImageReaderOptions()
    reader.camera_model = "SIMPLE_PINHOLE"
    reader.camera_params = f"{K[0, 0]},{K[0, 2] - corner[0]},{K[1, 2] - corner[1]}"
    reader.mask_path = folder / "masks"
    extraction = pycolmap.FeatureExtractionOptions()
    extraction.num_threads, extraction.use_gpu = 1, False
    extraction.sift.max_num_features = config.most_features
    extraction.sift.peak_threshold, extraction.sift.edge_threshold = 0.002, 16.0
    pycolmap.extract_features(
        database, images, camera_mode=pycolmap.CameraMode.SINGLE, reader_options=reader, extraction_options=extraction, device=pycolmap.Device.cpu
    )
    matching = pycolmap.FeatureMatchingOptions()
    matching.num_threads, matching.use_gpu = 1, False
    pairing = pycolmap.SequentialPairingOptions()
    pairing.overlap = 10
    pycolmap.match_sequential(database, matching_options=matching, pairing_options=pairing, device=pycolmap.Device.cpu)
    mapping = pycolmap.IncrementalPipelineOptions()
    mapping.num_threads = 1
    mapping.random_seed = config.seed
    mapping.ba_refine_focal_length = mapping.ba_refine_principal_point = mapping.ba_refine_extra_params = False
    mapping.min_model_size = 8
    mapping.max_num_models = 3
    mapping.max_runtime_seconds = config.most_seconds
    mapping.mapper.init_min_tri_angle = 4.0
    mapping.mapper.init_min_num_inliers = 40
    mapping.mapper.abs_pose_min_num_inliers = 15
    (folder / "models").mkdir()
    models = pycolmap.incremental_mapping(database, images, folder / "models", options=mapping)
    found = []
    for model in sorted(models.values(), key=lambda model: -model.num_reg_images()):
        poses = {}
        for image in model.images.values():
            if image.has_pose:
                pose = np.eye(4)
                pose[:3] = image.cam_from_world().matrix()
                poses[int(image.name[:6])] = pose
        found.append(poses)
    return found


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


def find_motion_poses(evidence: SilhouetteEvidence, images: np.ndarray, locked: Float[np.ndarray, "frame 4 4"], config: MotionConfig) -> MotionPoses:
    """Object poses from structure from motion on object pixels for the frames of the evidence, or the reason why they are not to be used.

    `images` are the evidence's frames at any size of their aspect (the larger, the more features); `locked` are the hand-locked
    T_camera_object (finite). Masked SIFT, sequential matching, one fixed focal. The reprojection error is about a pixel in success and
    failure alike, so it decides nothing: the gates are registered share, step size, distance range, rotation span and agreement with
    the hand (the silhouettes judge afterwards).
    """
    count = len(evidence.frames)
    if pycolmap is None:
        return _nothing(count, "pycolmap is not installed")
    chosen = np.unique(np.linspace(0, count - 1, min(count, config.most_frames)).astype(int))
    height, width = images.shape[1:3]
    masks = _object_masks(evidence, chosen, (width, height), config.eroded_pixels)
    corners = [
        0 if (found := cv2.goodFeaturesToTrack(cv2.cvtColor(images[chosen[k]], cv2.COLOR_RGB2GRAY), 600, 0.01, 3, mask=masks[k])) is None else len(found)
        for k in range(0, len(chosen), max(len(chosen) // 8, 1))
    ]  # fmt: skip
    textured = float(np.median(corners))
    if textured < config.least_features:
        return _nothing(count, f"{textured:.0f} corners a frame on the object, {config.least_features} needed", {"motion_corners": textured})
    with tempfile.TemporaryDirectory() as name:
        corner = _write_crops(Path(name), images[chosen], masks, chosen)
        models = _reconstruct(Path(name), evidence.camera.resized(width, height).K, corner, config)
    rank = {int(frame): place for place, frame in enumerate(chosen)}
    poses = np.full((count, 4, 4), np.nan)
    refused, measurements = f"{max(map(len, models), default=0)} of {len(chosen)} frames registered", {"motion_corners": textured}
    for number, registered in enumerate(model for model in models if len(model) >= LEAST_MODEL):
        frames = np.array(sorted(registered))
        motion = np.stack([registered[frame] for frame in frames])
        aligned, scale = align_motion(motion, locked[frames])
        failed, found = _gate(np.array([rank[int(f)] for f in frames]), motion, aligned, locked[frames], scale, config)
        if number == 0:
            refused = failed
            measurements |= found
        if not failed:
            free = ~np.isfinite(poses[frames]).all((1, 2))
            poses[frames[free]] = aligned[free]
    placed = np.isfinite(poses).all((1, 2))
    measurements["motion_frames"] = float(placed.sum())
    return MotionPoses(poses, measurements, "" if placed.any() else refused)
