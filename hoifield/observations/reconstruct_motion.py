"""Structure from motion, a program of its own: `python -I reconstruct_motion.py IN.npz OUT.npz PARENT`; the only file that imports pycolmap.

It needs numpy and pycolmap alone, so it starts quickly, and it is started by file, so nothing else of the package is imported. Native code
that crashes or waits for ever takes this process with it and no other (`watched_programs`).

IN: `pixels` (feature 2), `descriptors` (feature 128), `counts` (frame), `intrinsics` (focal, x, y), `size` (width, height), `seed`, `mapped`
(frame; those that models are made of, all are matched), `least_model` (frames).
OUT, one row for each two features that match and obey their frames' geometry: `matched_frames` (match 2), `matched_features` (match 2, counted
within the frame); and one for each pose found: `model`, `frame`, `T_camera_object`. The model 0 is the largest; each has a scale and a
canonical frame of its own. The same IN gives the same bits: one thread, seeds everywhere, and distances of descriptors that are whole numbers.
"""

import ctypes
import faulthandler
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

pycolmap: Any
try:
    import pycolmap
except ImportError:
    pycolmap = None

PAIRED = tuple(range(1, 11))
"""Frames are matched with those that come so much later."""
LEAST_MATCHES = 15
LARGEST_ANGLE = 0.7
"""Radians between two descriptors that match."""
LARGEST_RATIO = 0.8
"""Of that angle to the second best one's (Lowe 2004)."""
DESCRIPTOR_NORM = 512.0
MISSING_STATUS = 69
DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of prctl."""

Arrays = dict[str, np.ndarray]


def _distinct_best(product: np.ndarray) -> np.ndarray:
    """For each row of the products of descriptors its best column, -1 where that is not close, or hardly closer than the second best."""
    rows = np.arange(len(product))
    best = product.argmax(1)
    top = product[rows, best]
    product[rows, best] = -1.0
    runner_up = product.max(1)
    product[rows, best] = top
    angle, other = (np.arccos(np.minimum(value / DESCRIPTOR_NORM**2, 1.0)) for value in (top, runner_up))
    return np.where((angle <= LARGEST_ANGLE) & (angle < LARGEST_RATIO * other), best, -1)


def match_descriptors(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pairs of rows (match 2) of two (feature 128) float32 arrays, each the other's distinct best.

    The products of root-normalised descriptors are whole numbers below 2^24, so float32 is exact whatever the order of summation.
    """
    product = first @ second.T
    forward, backward = _distinct_best(product), _distinct_best(product.T)
    found = np.flatnonzero(forward >= 0)
    found = found[backward[forward[found]] == found]
    return np.stack([found, forward[found]], axis=1).astype(np.uint32)


def _verification_options(seed: int) -> Any:
    options = pycolmap.TwoViewGeometryOptions()
    options.min_num_inliers = LEAST_MATCHES
    options.detect_watermark = False
    options.ransac.random_seed = seed
    return options


def _mapping_options(seed: int, mapped: np.ndarray, least_model: int) -> Any:
    """Fixed focal; bundle adjustment less often and less far than COLMAP's own, since frames follow each other closely."""
    mapping = pycolmap.IncrementalPipelineOptions()
    mapping.num_threads = 1
    mapping.random_seed = seed
    mapping.extract_colors = False
    mapping.ba_refine_focal_length = mapping.ba_refine_principal_point = mapping.ba_refine_extra_params = False
    mapping.ba_global_frames_ratio = mapping.ba_global_points_ratio = 1.5
    mapping.ba_global_max_refinements, mapping.ba_local_max_refinements = 2, 1
    mapping.ba_global_max_num_iterations, mapping.ba_local_max_num_iterations = 20, 12
    mapping.ba_global_function_tolerance, mapping.ba_local_function_tolerance = 1e-4, 1e-3
    mapping.image_names = [_name(frame) for frame in np.flatnonzero(mapped).tolist()]
    mapping.min_model_size = least_model
    mapping.max_num_models = 4
    mapping.mapper.init_min_tri_angle = 4.0
    mapping.mapper.init_min_num_inliers = 40
    mapping.mapper.abs_pose_min_num_inliers = 12
    return mapping


def _name(frame: int) -> str:
    return f"{frame + 1:06d}"


def _write_frames(database: Any, pixels: list[np.ndarray], intrinsics: np.ndarray, size: np.ndarray) -> Any:
    """One image a frame, numbered from 1 as COLMAP does, all of one camera; gives the camera."""
    camera = pycolmap.Camera(model="SIMPLE_PINHOLE", width=int(size[0]), height=int(size[1]), params=intrinsics.tolist(), camera_id=1)
    camera.has_prior_focal_length = True
    database.write_camera(camera, use_camera_id=True)
    rig = pycolmap.Rig(rig_id=1)
    rig.add_ref_sensor(camera.sensor_id)
    database.write_rig(rig, use_rig_id=True)
    for number, found in enumerate(pixels, start=1):
        image = pycolmap.Image(name=_name(number - 1), camera_id=1, image_id=number)
        database.write_image(image, use_image_id=True)
        frame = pycolmap.Frame(frame_id=number, rig_id=1)
        frame.add_data_id(image.data_id)
        database.write_frame(frame, use_frame_id=True)
        database.write_keypoints(number, found)
    return camera


def _match_frames(database: Any, camera: Any, pixels: list[np.ndarray], descriptors: list[np.ndarray], seed: int) -> Arrays:
    """Matches and their two-view geometry, pair by pair; gives the matches that obey it.

    Not by pycolmap.match_sequential: its controller hands pairs from thread to thread, and was seen to wait for ever.
    """
    options = _verification_options(seed)
    exact = [found.astype(np.float32) for found in descriptors]
    points = [found.astype(np.float64) for found in pixels]
    frames, features = [np.zeros((0, 2), int)], [np.zeros((0, 2), int)]
    for first in range(len(points)):
        for second in (first + step for step in PAIRED if first + step < len(points)):
            if min(len(points[first]), len(points[second])) < LEAST_MATCHES:
                continue
            matches = match_descriptors(exact[first], exact[second])
            if len(matches) >= LEAST_MATCHES:
                geometry = pycolmap.estimate_calibrated_two_view_geometry(camera, points[first], camera, points[second], matches, options)
                database.write_matches(first + 1, second + 1, matches)
                database.write_two_view_geometry(first + 1, second + 1, geometry)
                features.append(geometry.inlier_matches.astype(int).reshape(-1, 2))
                frames.append(np.tile([first, second], (len(features[-1]), 1)))
    return {"matched_frames": np.concatenate(frames), "matched_features": np.concatenate(features)}


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
            poses.setdefault(int(image.name) - 1, np.vstack([image.cam_from_world().matrix(), [0.0, 0.0, 0.0, 1.0]]))
        joined.append(poses)
    return joined


def reconstruct(arrays: Arrays, scratch: Path) -> Arrays:
    """OUT of IN (see above); a folder inside `scratch` holds COLMAP's files meanwhile."""
    seed, ends, mapped = int(arrays["seed"]), np.cumsum(arrays["counts"])[:-1], arrays["mapped"]
    options = _mapping_options(seed, mapped, int(arrays["least_model"]))
    pixels, descriptors = np.split(arrays["pixels"], ends), np.split(arrays["descriptors"], ends)
    pycolmap.set_random_seed(seed)
    pycolmap.logging.minloglevel = 2
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        path, empty = Path(name) / "features.db", Path(name) / "empty"
        empty.mkdir()
        database = pycolmap.Database.open(path)
        camera = _write_frames(database, pixels, arrays["intrinsics"], arrays["size"])
        matched = _match_frames(database, camera, pixels, descriptors, seed)
        database.close()
        models = pycolmap.incremental_mapping(path, empty, Path(name), options=options) if mapped.any() else {}
    ordered = sorted(models.values(), key=lambda model: -model.num_reg_images())
    joined = sorted(_join(ordered), key=len, reverse=True)
    rows = [(number, frame, poses[frame]) for number, poses in enumerate(joined) for frame in sorted(poses)]
    return matched | {
        "model": np.array([row[0] for row in rows], int),
        "frame": np.array([row[1] for row in rows], int),
        "T_camera_object": np.array([row[2] for row in rows]).reshape(-1, 4, 4),
    }


def _die_with(parent: int) -> None:
    """The kernel kills this process once its parent has gone, however that went; the parent may have gone before it was asked."""
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent is gone")


def main() -> None:
    """Reads IN, writes OUT."""
    faulthandler.enable()
    _die_with(int(sys.argv[3]))
    if pycolmap is None:
        sys.stderr.write("pycolmap is not installed\n")
        sys.exit(MISSING_STATUS)
    with np.load(sys.argv[1], allow_pickle=False) as arrays:
        found = reconstruct(dict(arrays), Path(sys.argv[2]).parent)
    np.savez(sys.argv[2], **found)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
