"""How far the keypoint detector is from the truth's own hand, beside how far the fit is from the detector: what a small residual is worth.

    python experiments/04_hand_and_tracks/measure_detector.py TIER_FOLDER CLIP ...

TIER_FOLDER is the --out of `hoifield benchmark accuracy`, with clips/CLIP/truth and a finished clips/CLIP/fit. Means over frames and keypoints of the
distance to the detected keypoints, shares of the hand's box; joints are moved to where the detector marks them (`detector_offsets`).
"""

import sys
from pathlib import Path

import numpy as np

from hoifield.observations.observations_folder import load_observations
from hoifield.result.measure_quality import measure_keypoints
from hoifield.result.result_folder import read_result


def main() -> None:
    """One line for each clip, and medians."""
    rows = []
    for name in sys.argv[2:]:
        folder = Path(sys.argv[1]) / "clips" / name
        track = load_observations(sorted((folder / "fit" / "stages" / "observe").iterdir())[-1]).hands[0]
        off = [measure_keypoints(read_result(result), track) for result in (folder / "truth", folder / "fit" / "result")]
        rows.append([float(np.nanmean(share)) for share in (off[0], track.keypoint_error, off[1])])
        print(f"{name:26s} truth {rows[-1][0]:.1%}  observed {rows[-1][1]:.1%}  result {rows[-1][2]:.1%}")
    print("{:26s} truth {:.1%}  observed {:.1%}  result {:.1%}".format("median", *np.median(rows, axis=0)))


if __name__ == "__main__":
    main()
