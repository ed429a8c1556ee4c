"""The geometry prior that came along: whole, small, and able to find behind noise an object that it was not taught with."""

import numpy as np
import pytest
import torch

from hoifield.actors.choose_actor import load_actor
from hoifield.pipelines.score_geometry_prior import denoising_error, draw_unseen_batch
from hoifield.priors.geometry_network import GeometryNetwork
from hoifield.priors.geometry_prior import PRIOR, GeometryPrior, load_geometry_prior
from hoifield.priors.pretrained import find_pretrained
from hoifield.synthetic.geometry_lessons import GeometryBatch, PosedScene
from hoifield.synthetic.held_scenes import SceneRecipe, draw_held_scene


@pytest.fixture(scope="module")
def batch() -> GeometryBatch:
    """Twelve views of a can and a box with numbers beyond those of the teaching."""
    actor, recipe = load_actor("anny", "right"), SceneRecipe(("can", "box"), (1000, 1999), False, 0.004)
    scenes = [draw_held_scene(actor, np.random.default_rng((seed, 71)), seed, recipe) for seed in (40, 41)]
    return draw_unseen_batch(tuple(PosedScene.of(scene, actor) for scene in scenes), 12, 0)


def error(prior: GeometryPrior, batch: GeometryBatch, time: float) -> float:
    """Told the hand, and no word."""
    return denoising_error(prior, batch, batch.hand_picture, torch.zeros_like(batch.category), time, 0)


def test_the_file_is_small() -> None:
    assert find_pretrained(PRIOR).stat().st_size < 30e6


@pytest.mark.parametrize("time", [0.2, 0.5, 0.8])
def test_it_finds_an_unseen_object_behind_noise_and_one_that_was_not_taught_does_not(batch: GeometryBatch, time: float) -> None:
    torch.manual_seed(0)
    untaught = GeometryPrior(GeometryNetwork().eval().requires_grad_(False), {})
    variance = float((batch.object_picture - batch.object_picture.mean(0)).square().mean())
    assert error(load_geometry_prior(), batch, time) < 0.5 * variance < error(untaught, batch, time)
