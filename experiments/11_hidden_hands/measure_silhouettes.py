"""What silhouettes change in the hand of clips with truth: joints relative to the wrist, mm, before and after.

    python experiments/11_hidden_hands/measure_silhouettes.py TIER_FOLDER CLIP ...

TIER_FOLDER is the --out of `hoifield benchmark accuracy` of commit 9a49efe or before, whose observations (clips/CLIP/fit/stages/observe) end
with the steady grasp. Later versions have the change already: then the figures say what a second round does.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from hoifield.actors.choose_actor import load_actor
from hoifield.datasets.read_truth import read_truth
from hoifield.observations.hand_silhouettes import shape_by_silhouettes
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.observations_folder import load_observations

TIPS = (4, 8, 12, 16, 20)


def joints_off(hand: HandTrack, true: np.ndarray) -> np.ndarray:
    """Mean over the frames with a pose, per keypoint, mm."""
    frames = np.flatnonzero(hand.posed)
    arrays = (torch.tensor(values, dtype=torch.float32) for values in (hand.shape, hand.pose[frames], hand.T_camera_hand[frames]))
    with torch.no_grad():
        found = load_actor("anny", hand.side).pose(*arrays).keypoints.double().numpy()
    known = true[frames].astype(float)
    return 1000 * np.linalg.norm((found - found[:, :1]) - (known - known[:, :1]), axis=-1).mean(0)


def measure(folder: Path) -> str:
    """The line of one clip."""
    observations = load_observations(sorted((folder / "fit" / "stages" / "observe").glob("*"))[-1])
    hand, track = observations.hands[0], observations.object_track
    assert track is not None
    after = shape_by_silhouettes(hand, track, observations.masks, load_actor("anny", hand.side), observations.camera, 0)
    true = read_truth(folder / "truth").result.hands[0].joints
    off = [joints_off(each, true) for each in (hand, after)]
    tips = "  ".join(f"{before:4.0f} -> {now:3.0f}" for before, now in zip(off[0][list(TIPS)], off[1][list(TIPS)]))
    return f"{folder.name:26s} joints {off[0].mean():5.1f} -> {off[1].mean():5.1f} mm; tips, thumb to little finger: {tips}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tier", type=Path)
    parser.add_argument("clips", nargs="+")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for clip in options.clips:
        print(measure(options.tier / "clips" / clip), flush=True)


if __name__ == "__main__":
    main()
