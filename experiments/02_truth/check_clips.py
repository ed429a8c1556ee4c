"""The clips of a tier, looked at and checked: equal files from two makings, hands that a detector finds, grasps, one sheet of pictures.

    python experiments/02_truth/check_clips.py TIER OUT [--twice] [--sheet FILE.jpg] [--only NAME ...]

`--twice` makes every clip again in a folder of its own and compares the sha256 of all files. Detection: share of the frames, among those
in which at least 60 % of a hand's outline is visible, in which the project's tracker finds that hand. Clips that were made before in OUT
are taken as they are.
"""

import argparse
import json
import shutil
import time
from pathlib import Path

import cv2
import numpy as np

from hoifield.benchmark.run_tier import make_truth
from hoifield.benchmark.tier_page import draw_truth
from hoifield.benchmark.tiers import tier_clips
from hoifield.clip.open_clip import open_clip
from hoifield.observations.landmark_networks import LandmarkNetworks
from hoifield.observations.track_keypoints import track_keypoints
from hoifield.result.result_folder import read_result
from hoifield.storage import sha256_of
from hoifield.synthetic.truth_pictures import OUTLINE_BITS

LEAST_VISIBLE = 0.6
LABELS = {"right": 2, "left": 3}


def visible_share(truth: Path, side: str, frame: int) -> float:
    """Visible pixels of a hand over those of its whole outline."""
    labels = cv2.imread(str(truth / "masks" / f"{frame:06d}.png"), cv2.IMREAD_UNCHANGED)
    whole = cv2.imread(str(truth / "masks_amodal" / f"{frame:06d}.png"), cv2.IMREAD_UNCHANGED) & OUTLINE_BITS[side]
    return float((labels == LABELS[side]).sum() / max((whole > 0).sum(), 1))


def detection(truth: Path, networks: LandmarkNetworks) -> tuple[int, int]:
    """(frames found, frames visible enough), summed over the hands of the truth."""
    clip = open_clip(truth / "clip.mp4")
    found = track_keypoints(clip, networks)
    seen = enough = 0
    for hand in read_result(truth).hands:
        visible = np.array([visible_share(truth, hand.side, frame) >= LEAST_VISIBLE for frame in range(clip.frame_count)])
        observed = np.zeros(clip.frame_count, bool)
        for track in found:
            if track.side == hand.side:
                observed |= track.observed
        seen, enough = seen + int((observed & visible).sum()), enough + int(visible.sum())
    return seen, enough


def files_of(folder: Path) -> dict[str, str]:
    """sha256 of every file by its path."""
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tier", choices=("nano", "core", "hard"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--twice", action="store_true")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--only", nargs="*", default=())
    arguments = parser.parse_args()
    networks, rows, equal, files = LandmarkNetworks.load(), [], 0, 0
    total = [0, 0]
    for clip in tier_clips(arguments.tier):
        if arguments.only and clip.name not in arguments.only:
            continue
        truth, started = arguments.out / "clips" / clip.name / "truth", time.perf_counter()
        make_truth(clip, truth, lambda line: None)
        seconds = time.perf_counter() - started
        found = detection(truth, networks)
        total = [total[k] + found[k] for k in range(2)]
        grasp = json.loads((truth / "truth.json").read_text(encoding="utf-8"))
        words = f"{clip.name:28s} {seconds:5.0f} s  hand found {found[0]:3d} of {found[1]:3d}  seen {grasp['seen_share']:.2f}  {grasp['grasp']}"
        if arguments.twice:
            again = arguments.out / "again"
            make_truth(clip, again, lambda line: None)
            first, second = files_of(truth), files_of(again)
            same = sum(second.get(name) == digest for name, digest in first.items())
            equal, files = equal + same, files + max(len(first), len(second))
            words += f"  equal {same} of {max(len(first), len(second))} files"
            shutil.rmtree(again)
        print(words, flush=True)
        picture = draw_truth(truth)
        cv2.putText(picture, clip.name, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 0), 1, cv2.LINE_AA)
        rows.append(picture)
    print(f"hand found in {total[0]} of {total[1]} frames that show 60 % of it ({total[0] / max(total[1], 1):.1%})")
    if arguments.twice:
        print(f"made twice: {equal} of {files} files equal")
    if arguments.sheet and rows:
        blank = np.full_like(rows[0], 255)
        rows += [blank] * (-len(rows) % 3)
        sheet = np.concatenate([np.concatenate(rows[k::3]) for k in range(3)], axis=1)
        cv2.imwrite(str(arguments.sheet), cv2.resize(sheet, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 78])


if __name__ == "__main__":
    main()
