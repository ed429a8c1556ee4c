"""How far a hand seems to turn beside how far it does, as detected and as adjusted with tracked points that are believed more or less.

    python experiments/10_placement/measure_turns.py TIER_FOLDER CLIP ... [--pixels P ...]

TIER_FOLDER is the --out of `hoifield benchmark accuracy`, with clips/CLIP/truth. Turns are those about the mean orientation: their share is the
slope of the found rotation vectors over the true ones (1 is right; it means little where a clip turns by more than 90 degrees), the error is
the median over the frames after one constant alignment, degrees.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hoifield.actors.choose_actor import load_actor
from hoifield.clip.open_clip import open_clip
from hoifield.clip.remember_frames import remember_frames
from hoifield.datasets.read_truth import read_truth
from hoifield.observations.correct_hand_masks import correct_hand_masks
from hoifield.observations.find_masks import find_masks
from hoifield.observations.guess_camera import guess_camera
from hoifield.observations.motion_features import feature_size, gather_features
from hoifield.observations.one_thread import on_one_thread
from hoifield.observations.rigid_grasp import RigidGraspSettings, follow_rigid_grasp
from hoifield.observations.track_hands import track_hands
from hoifield.observations.track_object import holding_hand


def compare_turns(found: np.ndarray, true: np.ndarray) -> str:
    """Share and error of the rotations of (frame, 4, 4) poses; frames without one are left out."""
    known = np.isfinite(found).all((1, 2)) & np.isfinite(true).all((1, 2))
    turns, true_turns = (Rotation.from_matrix(T[known, :3, :3]) for T in (found, true))
    vectors, true_vectors = (turn * turn.mean().inv() for turn in (turns, true_turns))
    share = (vectors.as_rotvec() * true_vectors.as_rotvec()).sum() / (true_vectors.as_rotvec() ** 2).sum()
    aligned = turns * (turns.inv() * true_turns).mean()
    return f"{share:.2f} {np.median(np.degrees((aligned * true_turns.inv()).magnitude())):.2f}"


def measure(folder: Path, pixels: list[float]) -> str:
    """One row."""
    clip, truth = remember_frames(open_clip(folder / "truth" / "clip.mp4")), read_truth(folder / "truth").result
    camera, _ = guess_camera(clip, None)
    hands = track_hands(clip, camera, "auto", "anny").hands
    masks = find_masks(clip, camera, hands, None, None, 0)
    with on_one_thread():
        masks = correct_hand_masks(masks, hands, tuple(load_actor("anny", hand.side) for hand in hands), camera)
        hand = holding_hand(hands, masks)
        if hand is None:
            return "no hand"
        true = next(one.T_camera_hand for one in truth.hands if one.side == hand.side)
        row = [compare_turns(np.where(hand.observed[:, None, None], hand.T_camera_hand, np.nan), true)]
        frames = np.flatnonzero(hand.posed & (masks.object_confidence > 0))
        together = gather_features(clip, masks, frames, hand)[1]
        actor, zoom = load_actor("anny", hand.side), clip.width / feature_size(clip, masks)[0]
        for one in pixels:
            rigid = follow_rigid_grasp(hand, together, frames, camera, actor, zoom, RigidGraspSettings(track_pixels=one))
            row.append("none" if rigid is None else compare_turns(np.where(hand.observed[:, None, None], rigid.T_camera_hand, np.nan), true))
    return " | ".join(row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tier", type=Path)
    parser.add_argument("clips", nargs="+")
    parser.add_argument("--pixels", type=float, nargs="+", default=[1.5, 0.75, 0.375, 0.1875])
    options = parser.parse_args()
    print("| clip | detected | " + " | ".join(f"{one} px" for one in options.pixels) + " |")
    for clip in options.clips:
        print(f"| {clip} | {measure(options.tier / 'clips' / clip, options.pixels)} |", flush=True)


if __name__ == "__main__":
    main()
