"""IoU of the eyes on generated pictures they were not taught with: `measure_lessons.py SCENES [WEIGHTS] [count=N]`.

SCENES is a folder of make_pictures.py with unseen objects and a hand that was not used in training; WEIGHTS defaults to the kept ones.
Prints object and hand IoU under the usual conditions and as noise, keypoint errors, clutter and hiding grow, and how far the
probabilities can be trusted (calibration).
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from hoifield.priors.eyes_input import EYES_SIZE, eyes_maps, stack_maps
from hoifield.priors.eyes_network import EyesNetwork
from hoifield.priors.eyes_weights import load_eyes, read_eyes
from hoifield.synthetic.lessons import Hardness, Lesson, LessonMaker
from hoifield.synthetic.photographs import Photographs

CONDITIONS = (
    ("usual", Hardness()),
    ("no clutter", Hardness(clutter=0.0)),
    ("three times the clutter", Hardness(clutter=3.0)),
    ("no noise", Hardness(noise=0.0)),
    ("twice the noise", Hardness(noise=2.0)),
    ("four times the noise", Hardness(noise=4.0)),
    ("exact keypoints", Hardness(keypoint_error=0.0, keypoints_missing=0.0)),
    ("three times the keypoint error", Hardness(keypoint_error=3.0)),
    ("no keypoints", Hardness(keypoints_missing=1.0)),
    ("one click", Hardness(clicked=1.0)),
)


@dataclass(frozen=True)
class Seen:
    """One lesson and what was seen in it."""

    lesson: Lesson
    share: np.ndarray

    def overlap(self, label: int) -> float:
        """IoU; NaN where neither is there."""
        ours, true = self.share.argmax(0) == label, self.lesson.labels == label
        return float((ours & true).sum() / (ours | true).sum()) if (ours | true).any() else float("nan")


def look(network: EyesNetwork, lessons: list[Lesson]) -> list[Seen]:
    """What the network sees, in batches."""
    seen = []
    for first in range(0, len(lessons), 16):
        part = lessons[first : first + 16]
        with torch.inference_mode():
            scores = network(*stack_maps([eyes_maps(one.picture, one.keypoints, one.click) for one in part]))
            shares = functional.interpolate(scores, size=(EYES_SIZE, EYES_SIZE), mode="bilinear", align_corners=False).softmax(1)
        seen += [Seen(one, share) for one, share in zip(part, shares.numpy(), strict=True)]
    return seen


def print_calibration(seen: list[Seen]) -> None:
    """Share of the pixels that are object, by what was said."""
    said = np.concatenate([one.share[1, ::3, ::3].ravel() for one in seen])
    true = np.concatenate([(one.lesson.labels[::3, ::3] == 1).ravel() for one in seen])
    edges = np.linspace(0, 1, 11)
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        inside = (said >= low) & (said < high + (high == 1))
        print(f"  said {low:.1f} to {high:.1f}: {true[inside].mean():.3f} are object ({inside.mean():.1%} of the pixels)")


def main() -> None:
    count = int(next((argument[6:] for argument in sys.argv[2:] if argument.startswith("count=")), 400))
    weights = [Path(argument) for argument in sys.argv[2:] if "=" not in argument]
    network = read_eyes(weights[0]) if weights else load_eyes()
    maker = LessonMaker.of(Path(sys.argv[1]), Photographs.of_packages(), EYES_SIZE)
    print(f"{len(maker.scenes)} scenes, {count} pictures a line; mean IoU, and the share of pictures below 0.5")
    usual: list[Seen] = []
    for name, hardness in CONDITIONS:
        lessons = [maker.make(np.random.default_rng((5, number)), hardness) for number in range(count)]
        seen = look(network, lessons)
        usual = usual or seen
        held = [one for one in seen if (one.lesson.labels == 1).sum() > 100]
        objects, hands = np.array([one.overlap(1) for one in held]), np.array([one.overlap(2) for one in seen])
        cells = [f"{what} {np.nanmean(scores):.3f} ({np.mean(scores < 0.5):.1%})" for what, scores in (("object", objects), ("hand", hands))]
        print(f"{name:32s} {'  '.join(cells)}", flush=True)
    empty = [one for one in usual if not (one.lesson.labels == 1).any()]
    invented = [float((one.share.argmax(0) == 1).mean()) for one in empty]
    print(f"hands that hold nothing ({len(empty)}): object invented on {np.mean(invented or [0]):.2%} of the picture")
    shares = np.array([(one.lesson.labels == 1).sum() / max((one.lesson.labels > 0).sum(), 1) for one in usual])
    for low, high in ((0.02, 0.1), (0.1, 0.25), (0.25, 0.5), (0.5, 1.0)):
        chosen = [one.overlap(1) for one, share in zip(usual, shares, strict=True) if low <= share < high]
        print(f"object is {low:.0%} to {high:.0%} of what is held and holds: IoU {np.nanmean(chosen or [np.nan]):.3f} ({len(chosen)})")
    print_calibration(usual)


if __name__ == "__main__":
    main()
