"""Which of two motions, the one found or the same reversed in depth, tracks and the hand's keypoints together explain better.

    python experiments/04_hand_and_tracks/measure.py CLIP OBSERVATIONS [TRUTH]

OBSERVATIONS is a folder of `hoifield observe`; TRUTH that of `hoifield synth`, for errors of rotation. One line for each model of structure
from motion on object and hand as one body, and each sign.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pycolmap
from adjust import Adjustment, RigidHand, Tracks, Unknowns, mean_rotation, reverse_depth, triangulate

from hoifield.actors.choose_actor import load_actor
from hoifield.clip.clip import Clip
from hoifield.clip.open_clip import open_clip
from hoifield.observations.hand_keypoint_model import HandKeypointModel
from hoifield.observations.hand_locked_poses import view_span
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.motion_features import feature_size, find_features, rigid_pixels
from hoifield.observations.motion_poses import align_motion
from hoifield.observations.observations import Observations
from hoifield.observations.observations_folder import load_observations
from hoifield.observations.track_object import holding_hand

LONGEST, ITERATIONS = 800, 60


def reconstruct(clip: Clip, observed: Observations, hand: HandTrack, frames: np.ndarray, folder: Path) -> list[Any]:
    """COLMAP's models, largest first; images are named by the clip's frames."""
    size = feature_size(clip, observed.masks)
    camera = observed.camera.resized(*size)
    images, database = folder / "images", folder / "features.db"
    pycolmap.set_random_seed(0)
    pycolmap.logging.minloglevel = 2
    images.mkdir()
    for frame in frames:
        cv2.imwrite(str(images / f"{frame:06d}.png"), np.zeros((camera.height, camera.width), np.uint8))
    pycolmap.Database.open(database).close()
    reader = pycolmap.ImageReaderOptions()
    reader.camera_model, reader.camera_params = "SIMPLE_PINHOLE", f"{camera.K[0, 0]},{camera.K[0, 2]},{camera.K[1, 2]}"
    pycolmap.import_images(database, images, camera_mode=pycolmap.CameraMode.SINGLE, options=reader)
    opened = pycolmap.Database.open(database)
    numbers = {int(image.name[:6]): image.image_id for image in opened.read_all_images()}
    for frame, picture in clip.read_frames([int(frame) for frame in frames], size):
        mask = cv2.erode(rigid_pixels(observed.masks, frame, hand, clip.width).astype(np.uint8), np.ones((3, 3), np.uint8))
        found = find_features(picture, cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST) > 0)
        opened.write_keypoints(numbers[frame], found.pixels)
        opened.write_descriptors(numbers[frame], pycolmap.FeatureDescriptors(pycolmap.FeatureExtractorType.SIFT, found.descriptors))
    opened.close()
    matching, pairing = pycolmap.FeatureMatchingOptions(), pycolmap.SequentialPairingOptions()
    matching.num_threads, matching.use_gpu, pairing.overlap, pairing.quadratic_overlap = 1, False, 10, False
    pycolmap.match_sequential(database, matching_options=matching, pairing_options=pairing, device=pycolmap.Device.cpu)
    mapping = pycolmap.IncrementalPipelineOptions()
    mapping.num_threads, mapping.random_seed, mapping.min_model_size, mapping.max_num_models = 1, 0, 8, 4
    mapping.ba_global_frames_ratio = mapping.ba_global_points_ratio = 1.3
    mapping.ba_global_max_refinements, mapping.ba_local_max_refinements = 2, 1
    mapping.ba_global_max_num_iterations, mapping.ba_local_max_num_iterations = 20, 12
    mapping.ba_refine_focal_length = mapping.ba_refine_principal_point = mapping.ba_refine_extra_params = False
    mapping.mapper.init_min_tri_angle, mapping.mapper.init_min_num_inliers, mapping.mapper.abs_pose_min_num_inliers = 4.0, 40, 12
    models = pycolmap.incremental_mapping(database, images, folder, options=mapping)
    return sorted(models.values(), key=lambda model: -model.num_reg_images())


def read_model(model: Any, zoom: float) -> tuple[np.ndarray, np.ndarray, Tracks]:
    """Frames (ascending), their poses, and tracks with frames as rows of these; pixels of the clip."""
    placed = sorted((int(image.name[:6]), image.image_id) for image in model.images.values() if image.has_pose)
    row = {number: place for place, (_, number) in enumerate(placed)}
    poses = np.stack([np.vstack([model.images[number].cam_from_world().matrix(), [0.0, 0.0, 0.0, 1.0]]) for _, number in placed])
    seen = [
        (row[element.image_id], place, *model.images[element.image_id].points2D[element.point2D_idx].xy)
        for place, number in enumerate(sorted(model.points3D))
        for element in model.points3D[number].track.elements
    ]
    table = np.array(seen)
    return np.array([frame for frame, _ in placed]), poses, Tracks(table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2:] * zoom)


def rotation_error(poses: np.ndarray, truth: np.ndarray) -> float:
    """Mean degrees, after the one rotation of the body frame that fits best."""
    relative = poses[:, :3, :3].transpose(0, 2, 1) @ truth[:, :3, :3]
    trace = np.einsum("fij,ij->f", relative, mean_rotation(relative))
    return float(np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)).mean()))


def measure(clip: Clip, observed: Observations, model: Any, hand: HandTrack, truth: np.ndarray | None) -> None:
    """Prints a line for each sign."""
    camera = observed.camera
    frames, motion, tracks = read_model(model, clip.width / feature_size(clip, observed.masks)[0])
    tracks = tracks.longest(LONGEST)
    T_hand = hand.T_camera_hand[frames]
    problem = Adjustment(tracks, hand.keypoints[frames], RigidHand(HandKeypointModel.of_actor(load_actor("anny", hand.side)), hand), camera.K)
    found = align_motion(motion, T_hand)[0]
    for name, start in (("as found", found), ("reversed", align_motion(reverse_depth(found), T_hand)[0])):
        began = time.process_time()
        adjusted, costs = problem.solve(Unknowns(start, triangulate(start, tracks, camera.K), problem.hand.start.copy()), ITERATIONS)
        spans = f"view span {view_span(start):.0f} -> {view_span(adjusted.T):.0f} deg, CPU {time.process_time() - began:.0f} s"
        errors = "" if truth is None else f", rotations {rotation_error(start, truth[frames]):.2f} -> {rotation_error(adjusted.T, truth[frames]):.2f} deg off"
        print(
            f"frames {frames[0]} to {frames[-1]} ({len(frames)}), {name}: total {costs.total:.0f} = tracks {costs.tracks:.0f} + keypoints "
            f"{costs.keypoints:.0f} + prior {costs.prior:.0f}; keypoints {costs.keypoint_error:.1%} off, {spans}{errors}",
            flush=True,
        )


def main() -> None:
    """Reconstructs and measures every model of at least 8 frames."""
    clip, observed = open_clip(Path(sys.argv[1])), load_observations(Path(sys.argv[2]))
    hand = holding_hand(observed.hands, observed.masks)
    if hand is None:
        sys.exit("no hand holds an object in these observations")
    truth = np.load(Path(sys.argv[3]) / "poses.npz")["T_camera_object"] if len(sys.argv) > 3 else None
    with tempfile.TemporaryDirectory() as name:
        for model in reconstruct(clip, observed, hand, np.flatnonzero(hand.observed), Path(name)):
            if model.num_reg_images() >= 8:
                measure(clip, observed, model, hand, truth)


if __name__ == "__main__":
    main()
