"""What measured depth changes: the same clip fitted with and without it, both scored against the truth.

    python experiments/12_depth/measure_depth.py TIER_FOLDER OUT CLIP ...

TIER_FOLDER is the --out of `hoifield benchmark accuracy`, with clips/CLIP/truth and a finished clips/CLIP/fit of the same code, which is the
fit without depth. The depth is the truth's, spoilt: each pixel by 0.4 % of its depth (2 mm at half a metre), a fifth of the pixels missing.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from hoifield.evaluation.evaluate import evaluate
from hoifield.pipelines.fit_video import FitVideoConfig, fit_video
from hoifield.pipelines.observe import ObserveConfig
from hoifield.result.result_folder import read_result
from hoifield.synthetic.observation_noise import DepthNoise, noisy_depth

NOISE = DepthNoise(share=0.004, missing=0.2)
SCORES = (
    "f10_icp_pct", "f5_icp_pct", "cd_icp_cm2", "cd_unseen_cm2", "cd_hand_cm2", "pose_rot_deg", "pose_trans_mm", "mpjpe_ra_mm", "contact_f1",
    "penetration_cm3",
)  # fmt: skip


def spoil(source: Path, target: Path) -> None:
    """The depth pictures of a truth folder as a sensor might give them."""
    target.mkdir(parents=True, exist_ok=True)
    files = sorted(source.glob("*.png"))
    depth = np.stack([cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in files]).astype(np.int32)
    for path, picture in zip(files, noisy_depth(depth, NOISE, 0), strict=True):
        cv2.imwrite(str(target / path.name), picture.astype(np.uint16))


def describe(run: Path, truth: Path) -> str:
    """Scores and status of a run, one line."""
    result = read_result(run / "result")
    measured = evaluate(result, truth).measured()
    focal = result.summary["focal"]
    return ", ".join(f"{name} {measured[name]:.3g}" for name in SCORES) + f"; {result.summary['status']}, focal {focal['pixels']:.0f} ({focal['source']})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tier", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("clips", nargs="+")
    options = parser.parse_args()
    for name in options.clips:
        truth = options.tier / "clips" / name / "truth"
        print(f"{name}, without: {describe(options.tier / 'clips' / name / 'fit', truth)}", flush=True)
        spoil(truth / "depth", options.out / f"{name}-depth")
        config = FitVideoConfig(ObserveConfig(depth=options.out / f"{name}-depth"))
        fit_video(truth / "clip.mp4", options.out / name, config, lambda line: None, lambda stage, done, steps: None)
        print(f"{name}, with:    {describe(options.out / name, truth)}", flush=True)


if __name__ == "__main__":
    main()
