"""Teach the network that completes shapes: `train.py LESSONS OUT [steps=N] [seconds=S] [seed=K]`; the same command goes on where it stopped.

LESSONS is the folder of make_lessons.py. When the last step is done, OUT/completion.safetensors holds the averaged weights in half precision
and OUT/completion.json says how they came about. The last shard is held out: its loss and overlap are printed beside those of the carving.
"""

import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from hoifield.priors.completion_network import CLIPPED, CompletionNetwork
from hoifield.priors.completion_weights import COMPLETION
from hoifield.priors.pretrained import write_pretrained
from hoifield.priors.train_network import TrainingSettings, train_network

BATCH = 8
SCALE = 127
SHARPNESS = 4.0
"""Of the soft inside that overlaps are measured with, a node."""


def read_lessons(path):
    """One shard's pictures and answers, bytes."""
    with np.load(path) as arrays:
        return arrays["channels"], arrays["distance"]


def as_batch(channels, distance):
    """Bytes as the network takes them."""
    return torch.from_numpy(channels).float() / SCALE, torch.from_numpy(distance).float() * (CLIPPED / SCALE)


def measure_loss(network, batch):
    """Distances that are off, most where the surface is, and what insides lack of full overlap (Dice)."""
    channels, distance = batch
    said = network(channels).float()
    near = 1 + 3 * (distance.abs() < 1)
    off = (near * (said.clamp(-CLIPPED, CLIPPED) - distance).abs()).mean()
    inside, believed = torch.sigmoid(-SHARPNESS * distance), torch.sigmoid(-SHARPNESS * said)
    both, total = (inside * believed).sum((1, 2, 3)), inside.sum((1, 2, 3)) + believed.sum((1, 2, 3))
    return off + (1 - 2 * both / total.clamp_min(1)).mean()


def overlap(said, distance):
    """Intersection over union of insides, mean."""
    both = ((said < 0) & (distance < 0)).sum((1, 2, 3)) / ((said < 0) | (distance < 0)).sum((1, 2, 3)).clamp_min(1)
    return float(both.mean())


given = dict(argument.split("=", 1) for argument in sys.argv[3:])
steps, seconds, seed = int(given.get("steps", 6000)), float(given.get("seconds", "inf")), int(given.get("seed", 0))
out, paths = Path(sys.argv[2]), sorted(Path(sys.argv[1]).glob("*.npz"))
torch.manual_seed(seed)
read = [read_lessons(path) for path in paths]
held_out = as_batch(read[-1][0], read[-1][1])
taught_channels, taught_distance = np.concatenate([one[0] for one in read[:-1]]), np.concatenate([one[1] for one in read[:-1]])
del read
print(f"{len(taught_channels)} lessons", flush=True)


def lesson(step):
    """The batch of a step: lessons drawn anew, each mirrored along any axes across the view."""
    generator = np.random.default_rng((seed, step, 31))
    chosen = np.sort(generator.choice(len(taught_channels), BATCH, replace=False))
    channels, distance = taught_channels[chosen], taught_distance[chosen]
    for index, (x, y) in enumerate(generator.random((BATCH, 2)) < 0.5):
        axes = tuple(axis for axis, mirrored in enumerate((x, y)) if mirrored)
        channels[index], distance[index] = np.flip(channels[index], [1 + axis for axis in axes]), np.flip(distance[index], axes)
    return as_batch(channels, distance)


network = CompletionNetwork()
print(f"{sum(weight.numel() for weight in network.parameters())} weights", flush=True)
settings = TrainingSettings(steps=steps, peak_rate=1e-3)
taught = train_network(network, lesson, measure_loss, settings, out, lambda line: print(line, flush=True), seconds)
if taught is not None:
    with torch.no_grad():
        losses = [float(measure_loss(taught, (held_out[0][k : k + 50], held_out[1][k : k + 50]))) for k in range(0, len(held_out[0]), 50)]
        said = torch.cat([taught(held_out[0][k : k + 50]) for k in range(0, len(held_out[0]), 50)])
    scores = {
        "held_out_loss": round(float(np.mean(losses)), 4),
        "held_out_overlap": round(overlap(said, held_out[1]), 4),
        "overlap_of_the_carving": round(overlap(held_out[0][:, 0], held_out[1]), 4),
    }
    print(scores, flush=True)
    card = {
        "what": "CompletionNetwork of hoifield/priors/completion_network.py: the hull of all sides from the silhouettes of few",
        "recipe": "experiments/14_completion/outcome.md",
        "lessons": len(taught_channels),
        "batch": BATCH,
        "seed": seed,
        **scores,
        **asdict(settings),
    }
    write_pretrained(out / COMPLETION, taught, card)
