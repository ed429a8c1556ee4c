"""How many frames structure from motion places: on the object alone, and on the object and the hand that holds it.

    python experiments/01_main_job/measure_motion.py CLIP RUN

RUN is a run folder of that clip; its observations give hand and masks.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np

from hoifield.clip.open_clip import open_clip
from hoifield.observations.motion_features import feature_size, gather_features
from hoifield.observations.motion_poses import MotionConfig, find_motion_poses
from hoifield.observations.observations_folder import load_observations
from hoifield.observations.track_object import holding_hand


def seconds() -> float:
    """Computed so far by this process and the programs it ran."""
    return sum(os.times()[:4])


def main() -> None:
    """Prints one line for each choice of pixels."""
    clip = open_clip(Path(sys.argv[1]))
    observed = load_observations(sorted((Path(sys.argv[2]) / "stages" / "observe").iterdir())[-1])
    hand = holding_hand(observed.hands, observed.masks)
    if hand is None:
        sys.exit("no hand holds an object in this run")
    frames = np.flatnonzero(hand.observed)
    camera = observed.camera.resized(*feature_size(clip, observed.masks))
    start = seconds()
    alone, together = gather_features(clip, observed.masks, frames, hand)
    print(f"features found, CPU {seconds() - start:.0f} s")
    for name, features in (("object", alone), ("object and hand", together)):
        start, begun = seconds(), time.perf_counter()
        found = find_motion_poses(features, camera, hand.T_camera_hand[frames], MotionConfig(least_features=0))
        parts = [int((found.segment == number).sum()) for number in range(found.segment.max() + 1)]
        count = float(np.median([len(frame.pixels) for frame in features]))
        print(
            f"{name:16s} {count:5.0f} features a frame, {sum(parts)} of {len(frames)} frames in parts of {parts}, "
            f"CPU {seconds() - start:.0f} s, wall {time.perf_counter() - begun:.0f} s {found.refused}",
            flush=True,
        )


if __name__ == "__main__":
    main()
