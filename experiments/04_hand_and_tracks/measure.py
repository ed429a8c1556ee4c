"""Object and hand as one rigid body: where the descents from the hand's own poses and from structure from motion end.

    python experiments/04_hand_and_tracks/measure.py CLIP [TRUTH]

Hand and masks are found without help. One line for each start: cost, keypoints off (median of the frames, share of the hand's box), and with
TRUTH (a folder of `hoifield synth`) the mean error of rotation at the start and at the end, degrees, after the one rotation of the body
frame that fits best.
"""

import sys
import time
from pathlib import Path

import numpy as np

from hoifield.actors.choose_actor import load_actor
from hoifield.clip.open_clip import open_clip
from hoifield.observations.feature_tracks import connect_matches
from hoifield.observations.find_masks import find_masks
from hoifield.observations.guess_camera import guess_camera
from hoifield.observations.hand_keypoint_model import HandKeypointModel
from hoifield.observations.motion_features import feature_size, gather_features
from hoifield.observations.motion_poses import LEAST_MODEL
from hoifield.observations.motion_program import run_motion_program
from hoifield.observations.rigid_grasp import GraspProblem, RigidGraspSettings
from hoifield.observations.rigid_hand import RigidHand
from hoifield.observations.track_hands import track_hands
from hoifield.observations.track_object import holding_hand


def rotation_error(poses: np.ndarray, truth: np.ndarray) -> float:
    """Mean degrees, after the one rotation of the body frame that fits best."""
    relative = poses[:, :3, :3].transpose(0, 2, 1) @ truth[:, :3, :3]
    u, _, vt = np.linalg.svd(relative.sum(0))
    trace = np.einsum("fij,ij->f", relative, u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt)
    return float(np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1))).mean())


def main() -> None:
    """Measures one clip."""
    clip, settings = open_clip(Path(sys.argv[1])), RigidGraspSettings()
    camera, _ = guess_camera(clip, None)
    hands = track_hands(clip, camera, "auto", "anny").hands
    masks = find_masks(clip, camera, hands, None, None, 0)
    hand = holding_hand(hands, masks)
    if hand is None:
        sys.exit("no hand holds an object in this clip")
    frames = np.flatnonzero(hand.observed & hand.posed)
    features = gather_features(clip, masks, frames, hand)[1]
    size = feature_size(clip, masks)
    found = run_motion_program(features, np.ones(len(features), bool), camera.resized(*size), 0, LEAST_MODEL, settings.limits)
    if isinstance(found, str):
        sys.exit(f"the program that matches features {found}")
    zoom = clip.width / size[0]
    tracks = connect_matches(found.matched_frames, found.matched_features, features, zoom)
    rigid = RigidHand(HandKeypointModel.of_actor(load_actor("anny", hand.side)), hand)
    problem = GraspProblem(tracks, hand.keypoints[frames], hand.T_camera_hand[frames], rigid, camera.K, zoom, settings)
    truth = np.load(Path(sys.argv[2]) / "poses.npz")["T_camera_object"][frames] if len(sys.argv) > 2 else None
    starts = {"hand": (problem.T_hand, settings.softened)}
    if found.models:
        starts["motion"] = (problem.start_from_models(found.models), settings.softened[-1:])
    print(f"{len(frames)} frames, {tracks.point_count} tracks, models of {[len(rows) for rows, _ in found.models]} frames")
    for name, (start, softened) in starts.items():
        began = time.process_time()
        adjusted, cost = problem.descend(start, softened)
        off = np.median(problem.keypoint_errors(adjusted))
        errors = "" if truth is None else f", rotations {rotation_error(start, truth):.2f} -> {rotation_error(adjusted.T, truth):.2f} deg off"
        print(f"from {name}: cost {cost:.0f}, keypoints {off:.1%} off{errors}, CPU {time.process_time() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main()
