"""Teach the geometry prior from a folder of held scenes: bounded pieces, the same call goes on."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from hoifield.actors.choose_actor import load_actor
from hoifield.errors import MissingInput
from hoifield.priors.geometry_network import GeometryNetwork
from hoifield.priors.geometry_prior import PRIOR
from hoifield.priors.noise_schedule import add_noise, velocity
from hoifield.priors.pretrained import write_pretrained
from hoifield.priors.train_network import TrainingSettings, train_network
from hoifield.priors.training_processes import find_processes
from hoifield.synthetic.geometry_lessons import WHOLE, GeometryBatch, PosedScene, draw_lessons
from hoifield.synthetic.held_scenes import read_scenes

HAND_UNTOLD, CATEGORY_UNTOLD = 0.15, 0.4
"""Shares of the pictures whose hand is hidden, and whose category is 'unknown'."""


@dataclass(frozen=True)
class PriorLesson:
    """Noisy pictures and what is to be said of them."""

    noisy: Float[Tensor, "picture channel=5 row column"]
    time: Float[Tensor, "picture"]
    hand: Float[Tensor, "picture channel=8 row column"]
    category: Tensor
    velocity: Float[Tensor, "picture channel=5 row column"]


def load_posed_scenes(folder: Path) -> tuple[PosedScene, ...]:
    """The scenes of a folder in the built-in right hand. Raises MissingInput (HF-PRI-001) where it has none."""
    actor = load_actor("anny", "right")
    scenes = tuple(PosedScene.of(scene, actor) for scene in read_scenes(folder))
    if not scenes:
        raise MissingInput("HF-PRI-001", f"{str(folder)!r} holds no scenes", "make some with: hoifield prior data")
    return scenes


def make_lesson(batch: GeometryBatch, generator: np.random.Generator, count: int, share: slice = WHOLE) -> PriorLesson:
    """Times and noise for a share of `count` pictures, and hints withheld from some; `batch` holds the share, numbers are drawn for all."""
    time = torch.from_numpy(generator.uniform(0.0, 1.0, count)[share]).float()
    drawn = torch.from_numpy(generator.standard_normal((count, *batch.object_picture.shape[1:]), np.float32)[share])
    hand = batch.hand_picture * torch.from_numpy(generator.random(count)[share] >= HAND_UNTOLD).float()[:, None, None, None]
    category = batch.category * torch.from_numpy(generator.random(count)[share] >= CATEGORY_UNTOLD)
    noisy = add_noise(batch.object_picture, drawn, time)
    return PriorLesson(noisy, time, hand, category, velocity(batch.object_picture, drawn, time))


def measure_loss(network: nn.Module, lesson: PriorLesson) -> Float[Tensor, ""]:
    """Mean squared error of the velocity."""
    return (network(lesson.noisy, lesson.time, lesson.hand, lesson.category).float() - lesson.velocity).square().mean()


def teach_geometry_prior(
    scenes: Path, out: Path, settings: TrainingSettings, batch: int, seed: int, seconds: float, announce: Callable[[str], None]
) -> Path | None:
    """The weights' file in `out` with its card beside it, or None where `seconds` ended first: the same call goes on.

    Where this is one of several processes, `batch` is shared by all of them. Raises as `train_network`, HF-TRN-003 where it cannot be.
    """
    processes = find_processes()
    share = processes.share(batch)
    posed = load_posed_scenes(scenes)
    processes.first_only(announce)(f"{len(posed)} scenes")
    torch.manual_seed(seed)
    network = GeometryNetwork().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def lesson(step: int) -> PriorLesson:
        generator = np.random.default_rng((seed, step, 23))
        return make_lesson(draw_lessons(posed, generator, batch, share), generator, batch, share)

    taught = train_network(network, lesson, measure_loss, settings, out, announce, seconds)
    if taught is None:
        return None
    card = {
        "what": "GeometryNetwork of hoifield/priors/geometry_network.py: objects in a right hand as cover, normals and depth",
        "recipe": "hoifield prior data, hoifield prior train",
        "scenes": len(posed),
        "categories": sorted({one.scene.category for one in posed}),
        "batch": batch,
        "seed": seed,
        **asdict(settings),
    }
    if processes.is_first:
        write_pretrained(out / PRIOR, taught, card)
    processes.wait()
    return out / PRIOR
