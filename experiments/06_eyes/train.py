"""Teach the eyes: `train.py PICTURES OUT [steps=N] [seconds=S] [seed=K] [rate=R] [start=WEIGHTS] [CLIP ...]`; the same command goes on where it stopped.

`start` names weights (with their card) to begin with, instead of none; `rate` is the highest learning rate.

PICTURES is the folder of make_pictures.py; clips lend frames as backgrounds. When the last step is done, OUT/eyes.safetensors holds the
averaged weights in half precision and OUT/eyes.json says how they came about.
"""

import sys
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional

from hoifield.priors.eyes_input import EYES_SIZE, eyes_maps, stack_maps
from hoifield.priors.eyes_network import EyesNetwork
from hoifield.priors.eyes_weights import EYES
from hoifield.priors.pretrained import read_card, read_pretrained, write_pretrained
from hoifield.priors.train_network import TrainingSettings, train_network
from hoifield.synthetic.lessons import Hardness, LessonMaker
from hoifield.synthetic.photographs import Photographs

BATCH = 16
WEIGHTS = torch.tensor([0.7, 1.6, 1.0, 0.8])


def read_options() -> tuple[Path, Path, dict[str, float], Path | None, tuple[Path, ...]]:
    """Folders, numbers, first weights and clips of the command line."""
    given = dict(argument.split("=", 1) for argument in sys.argv[3:] if "=" in argument)
    start = Path(given.pop("start")) if "start" in given else None
    numbers = {"steps": 4000.0, "seconds": float("inf"), "seed": 0.0, "rate": TrainingSettings.peak_rate}
    numbers |= {name: float(value) for name, value in given.items()}
    return Path(sys.argv[1]), Path(sys.argv[2]), numbers, start, tuple(Path(clip) for clip in sys.argv[3:] if "=" not in clip)


def measure_loss(network, batch):
    """Cross entropy, and what object and hand lack of full overlap (Dice)."""
    (picture, keypoints), labels = batch
    scores = functional.interpolate(network(picture, keypoints), scale_factor=2, mode="bilinear", align_corners=False).float()
    loss = functional.cross_entropy(scores, labels, weight=WEIGHTS)
    share = scores.softmax(1)
    for label in (1, 2):
        truth = (labels == label).float()
        there = truth.sum((1, 2)) > 30
        both, all_of_it = (share[:, label] * truth).sum((1, 2)), share[:, label].sum((1, 2)) + truth.sum((1, 2))
        loss = loss + 0.5 * (there * (1 - 2 * both / all_of_it.clamp_min(1))).mean()
    return loss


pictures, out, numbers, start, clips = read_options()
cv2.setNumThreads(1)
torch.manual_seed(int(numbers["seed"]))
maker = LessonMaker.of(pictures, Photographs.of_packages().with_frames(clips), EYES_SIZE)
print(f"{len(maker.scenes)} scenes", flush=True)


def lesson(step):
    """The batch of a step."""
    generator = np.random.default_rng((int(numbers["seed"]), step, 17))
    made = [maker.make(generator, Hardness()) for _ in range(BATCH)]
    maps = stack_maps([eyes_maps(one.picture, one.keypoints, one.click) for one in made])
    return maps, torch.from_numpy(np.stack([one.labels for one in made])).long()


network = EyesNetwork().to(memory_format=torch.channels_last)
if start is not None:
    read_pretrained(start, network)
    network.requires_grad_(True)
print(f"{sum(weight.numel() for weight in network.parameters())} weights", flush=True)
settings = TrainingSettings(steps=int(numbers["steps"]), peak_rate=numbers["rate"])
taught = train_network(network, lesson, measure_loss, settings, out, lambda line: print(line, flush=True), numbers["seconds"])
if taught is not None:
    card = {
        "what": "EyesNetwork of hoifield/priors/eyes_network.py: background, held object, hand and other limbs in a crop about a hand",
        "recipe": "experiments/06_eyes/outcome.md",
        "scenes": len(maker.scenes),
        "clips": [clip.name for clip in clips],
        "batch": BATCH,
        "seed": int(numbers["seed"]),
        "start": None if start is None else read_card(start)["sha256"],
        **asdict(settings),
    }
    write_pretrained(out / EYES, taught, card)
