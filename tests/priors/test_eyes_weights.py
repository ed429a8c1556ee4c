"""The kept weights: whole, and able to see a hand and what it holds in a picture that they were not taught with."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from hoifield.actors.choose_actor import load_actor
from hoifield.errors import RefusedInput
from hoifield.priors.eyes_input import EYES_SIZE, eyes_maps, stack_maps
from hoifield.priors.eyes_network import EyesNetwork
from hoifield.priors.eyes_weights import EYES, load_eyes, read_eyes
from hoifield.priors.pretrained import PLACES
from hoifield.synthetic.held_pictures import SceneSettings, make_held_pictures
from hoifield.synthetic.held_scenes import SceneRecipe
from hoifield.synthetic.lessons import Hardness, LessonMaker
from hoifield.synthetic.photographs import Photographs

KEPT = next(place for place in PLACES if (place / EYES).is_file())


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for name in (EYES, "eyes.json"):
        shutil.copy(KEPT / name, tmp_path)
    return tmp_path / EYES


def test_the_file_is_small_and_reads_back(copied: Path) -> None:
    assert copied.stat().st_size < 20e6
    assert sum(weight.numel() for weight in read_eyes(copied).parameters()) > 1e6


def test_a_changed_file_is_refused(copied: Path) -> None:
    damaged = bytearray(copied.read_bytes())
    damaged[-1] ^= 1
    copied.write_bytes(damaged)
    with pytest.raises(RefusedInput, match="HF-NET-002"):
        read_eyes(copied)


@pytest.mark.parametrize("card", [None, "{}", "[]", "not json"])
def test_weights_without_a_card_that_vouches_for_them_are_refused(card: str | None, copied: Path) -> None:
    copied.with_suffix(".json").unlink()
    if card is not None:
        copied.with_suffix(".json").write_text(card)
    with pytest.raises(RefusedInput, match="HF-NET-002"):
        read_eyes(copied)


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> LessonMaker:
    """One scene with an object whose number is beyond those of the training."""
    folder, photographs = tmp_path_factory.mktemp("scenes"), Photographs.of_packages()
    scene = make_held_pictures((load_actor("anny", "right"),), photographs, 31, SceneSettings(views=8, recipe=SceneRecipe(instances=(20000, 29999))))
    np.savez(folder / "000031.npz", **vars(scene))
    return LessonMaker.of(folder, photographs, EYES_SIZE)


def median_overlaps(network: EyesNetwork, maker: LessonMaker) -> tuple[float, float]:
    """IoU of object and hand over twelve lessons."""
    overlaps: dict[int, list[float]] = {1: [], 2: []}
    for seed in range(12):
        made = maker.make(np.random.default_rng(seed), Hardness(clutter=0.0, noise=0.5))
        with torch.inference_mode():
            scores = network(*stack_maps([eyes_maps(made.picture, made.keypoints, made.click)]))
        seen, true = scores[0].argmax(0).numpy(), made.labels[::2, ::2]
        for label, found in overlaps.items():
            if (true == label).sum() > 50:
                found.append(float(((seen == label) & (true == label)).sum() / ((seen == label) | (true == label)).sum()))
    return float(np.median(overlaps[1])), float(np.median(overlaps[2]))


def test_hand_and_unseen_object_are_found(maker: LessonMaker) -> None:
    objects, hands = median_overlaps(load_eyes(), maker)
    assert objects > 0.7 and hands > 0.8


def test_an_untaught_network_finds_neither(maker: LessonMaker) -> None:
    torch.manual_seed(0)
    objects, hands = median_overlaps(EyesNetwork().eval(), maker)
    assert objects < 0.4 and hands < 0.4
