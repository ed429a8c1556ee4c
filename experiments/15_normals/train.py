"""Teach the network of normals: `train.py PICTURES OUT [steps=N] [seconds=S] [seed=K] [CLIP ...]`; the same command goes on where it stopped.

PICTURES is the folder of experiments/06_eyes/make_pictures.py; clips lend frames as backgrounds. It begins with the weights of the eyes. When the
last step is done, OUT/normals.safetensors holds the averaged weights in half precision and OUT/normals.json says how they came about.
"""

import sys
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional

from hoifield.priors.eyes_input import EYES_SIZE, stack_maps
from hoifield.priors.eyes_weights import EYES, load_eyes
from hoifield.priors.normals_network import NormalsNetwork, angular_likelihood, normals_maps
from hoifield.priors.normals_weights import NORMALS
from hoifield.priors.pretrained import find_pretrained, read_card, write_pretrained
from hoifield.priors.train_network import TrainingSettings, train_network
from hoifield.synthetic.lessons import Hardness, LessonMaker, draw_found
from hoifield.synthetic.photographs import Photographs

BATCH = 8
HAND_WEIGHT = 0.3
"""Of the hand's pixels beside the object's: its shape is known."""

given = dict(argument.split("=", 1) for argument in sys.argv[3:] if "=" in argument)
pictures, out, clips = Path(sys.argv[1]), Path(sys.argv[2]), tuple(Path(clip) for clip in sys.argv[3:] if "=" not in clip)
seed = int(given.get("seed", 0))
cv2.setNumThreads(1)
torch.manual_seed(seed)
maker = LessonMaker.of(pictures, Photographs.of_packages().with_frames(clips), EYES_SIZE)
print(f"{len(maker.scenes)} scenes", flush=True)


def lesson(step):
    """The batch of a step."""
    generator = np.random.default_rng((seed, step, 23))
    made = [maker.make(generator, Hardness()) for _ in range(BATCH)]
    maps = stack_maps([normals_maps(one.picture, one.keypoints, *draw_found(one.labels, generator)) for one in made])
    normals = torch.from_numpy(np.stack([one.normals for one in made])).permute(0, 3, 1, 2).float() / 127
    return maps, normals, torch.from_numpy(np.stack([one.labels for one in made]))


def measure_loss(network, batch):
    """Likelihood of the angles, each lesson's object and hand by their means, where all four pixels under one of the answer are of one thing."""
    (picture, keypoints), normals, labels = batch
    told, concentration = network(picture, keypoints)
    truth = functional.normalize(functional.avg_pool2d(normals, 2), dim=1)
    quarters = functional.pixel_unshuffle(labels[:, None].float(), 2)
    angle = torch.acos((told * truth).sum(1).clamp(-1 + 1e-6, 1 - 1e-6))
    unlikely, total = angular_likelihood(angle, concentration), angle.new_zeros(())
    for label, weight in ((1, 1.0), (2, HAND_WEIGHT)):
        where = (quarters == label).all(1)
        shown = where.sum((1, 2))
        total = total + weight * ((unlikely * where).sum((1, 2)) / shown.clamp_min(1) * (shown > 20)).mean()
    return total


network = NormalsNetwork().to(memory_format=torch.channels_last)
network.load_state_dict(load_eyes().state_dict() | {"normals.weight": network.normals.weight, "normals.bias": network.normals.bias}, strict=False)
settings = TrainingSettings(steps=int(given.get("steps", 6000)))
taught = train_network(network, lesson, measure_loss, settings, out, lambda line: print(line, flush=True), float(given.get("seconds", "inf")))
if taught is not None:
    card = {
        "what": "NormalsNetwork of hoifield/priors/normals_network.py: which way the surfaces of hand and held object face, in a crop about a hand",
        "recipe": "experiments/15_normals/outcome.md",
        "scenes": len(maker.scenes),
        "clips": [clip.name for clip in clips],
        "batch": BATCH,
        "seed": seed,
        "start": read_card(find_pretrained(EYES))["sha256"],
        **asdict(settings),
    }
    write_pretrained(out / NORMALS, taught, card)
