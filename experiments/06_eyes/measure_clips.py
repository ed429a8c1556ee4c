"""IoU of masks found with no help on generated clips: `measure_clips.py TRUTH ...` (folders of `hoifield synth` or of a benchmark tier).

One line a clip: object IoU (mean and worst of twelve frames spread over the clip), hand IoU, and the stated confidence. Then how far the
confidence can be trusted, over all frames.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from measure_masks import keypoints_only, overlap

from hoifield.clip.open_clip import open_clip
from hoifield.geometry.cameras import Camera
from hoifield.observations.find_masks import find_masks
from hoifield.observations.frame_masks import OBJECT, RIGHT_HAND

FRAMES = 12
EDGES = (0.0, 0.5, 0.7, 0.8, 0.9, 1.0)


def measure(truth: Path) -> list[tuple[float, float]]:
    """Confidence and object IoU of twelve frames; prints the clip's line."""
    clip, hands = open_clip(truth / "clip.mp4"), keypoints_only(truth / "clip.mp4")
    camera = Camera.from_focal(0.95 * max(clip.width, clip.height), clip.width, clip.height)
    masks = find_masks(clip, camera, hands)
    paths = sorted((truth / "masks").glob("*.png"))
    pairs, on_hand = [], []
    for index in np.linspace(0, len(paths) - 1, FRAMES).round().astype(int):
        frame, true = int(paths[index].stem), cv2.imread(str(paths[index]), cv2.IMREAD_UNCHANGED)
        labels = cv2.resize(masks.labels[frame], true.shape[::-1], interpolation=cv2.INTER_NEAREST)
        pairs.append((float(masks.object_confidence[frame]), overlap(labels == OBJECT, true == OBJECT)))
        on_hand.append(overlap(labels >= RIGHT_HAND, true >= RIGHT_HAND))
    stated, found = np.array(pairs).T
    name = truth.parent.name if truth.name == "truth" else truth.name
    print(f"{name:28s} object {found.mean():.3f}, worst {found.min():.3f}  hand {np.mean(on_hand):.3f}  stated {stated.mean():.2f}", flush=True)
    return pairs


def main() -> None:
    per_clip = [measure(Path(argument)) for argument in sys.argv[1:]]
    stated, found = np.array([pair for pairs in per_clip for pair in pairs]).T
    means = np.array([np.mean([score for _, score in pairs]) for pairs in per_clip])
    print(f"{len(means)} clips: mean {means.mean():.3f}, median {np.median(means):.3f}, {np.sum(means >= 0.85)} at 0.85 or more")
    for low, high in zip(EDGES[:-1], EDGES[1:], strict=True):
        inside = (stated >= low) & (stated < high + (high == 1.0))
        if inside.any():
            print(f"  stated {low:.1f} to {high:.1f}: {found[inside].mean():.3f} on average ({inside.sum()} frames)")


if __name__ == "__main__":
    main()
