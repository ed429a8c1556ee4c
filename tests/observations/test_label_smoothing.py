"""The smoothing against every labelling of a tiny grid, against exact chains, and on a picture with one edge."""

import itertools

import cv2
import numpy as np
import pytest

from hoifield.observations.label_smoothing import edge_weights, smooth_labels

STEPS = ((0, 1), (1, -1), (1, 0), (1, 1))
"""Rows down and columns right to the neighbour of each border cost."""


def random_problem(height: int, width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    cost = rng.uniform(0, 2, (height, width, 3)).astype(np.float32)
    picture = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
    return cost, edge_weights(picture, 1.0)


def labelling_energy(labels: np.ndarray, cost: np.ndarray, weight: np.ndarray) -> float:
    """What the smoothing lowers: each pixel's cost of its label, and the border costs between neighbours with different ones."""
    height, width = labels.shape
    energy = 0.0
    for row, column in itertools.product(range(height), range(width)):
        energy += float(cost[row, column, labels[row, column]])
        for direction, (down, right) in enumerate(STEPS):
            other = row + down, column + right
            if 0 <= other[0] < height and 0 <= other[1] < width and labels[row, column] != labels[other]:
                energy += float(weight[row, column, direction])
    return energy


def lowest_energy(cost: np.ndarray, weight: np.ndarray) -> float:
    height, width, count = cost.shape
    labellings = itertools.product(range(count), repeat=height * width)
    return min(labelling_energy(np.array(labels, np.uint8).reshape(height, width), cost, weight) for labels in labellings)


@pytest.mark.parametrize("seed", range(4))
def test_energy_is_within_two_per_cent_of_the_best_of_all_labellings(seed: int) -> None:
    cost, weight = random_problem(2, 3, seed)
    found = labelling_energy(smooth_labels(cost, weight, 10), cost, weight)
    assert found <= 1.02 * lowest_energy(cost, weight) + 1e-6


@pytest.mark.parametrize("seed", range(4))
def test_a_chain_is_solved_exactly(seed: int) -> None:
    cost, weight = random_problem(1, 7, seed)
    found = labelling_energy(smooth_labels(cost, weight, 10), cost, weight)
    assert found == pytest.approx(lowest_energy(cost, weight), abs=1e-5)


def test_a_border_costs_less_where_colours_differ_and_nothing_beyond_the_picture() -> None:
    picture = np.random.default_rng(5).integers(0, 255, (6, 7, 3), dtype=np.uint8)
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(float)
    pairs = {
        (row, column, direction): ((lab[row, column] - lab[row + down, column + right]) ** 2).sum()
        for row, column in itertools.product(range(6), range(7))
        for direction, (down, right) in enumerate(STEPS)
        if row + down < 6 and 0 <= column + right < 7
    }
    expected = np.zeros((6, 7, 4))
    for place, squared in pairs.items():
        expected[place] = 1.9 * np.exp(-squared / (2 * np.mean(list(pairs.values())))) / (1.0, 2**0.5, 1.0, 2**0.5)[place[2]]
    assert np.abs(edge_weights(picture, 1.9) - expected).max() < 1e-5


def test_without_borders_each_pixel_takes_its_cheapest_label() -> None:
    cost, weight = random_problem(20, 30, 9)
    assert (smooth_labels(cost, 0 * weight) == cost.argmin(-1)).all()


def test_smoothing_lowers_the_energy_of_the_cheapest_labels() -> None:
    cost, weight = random_problem(20, 30, 3)
    assert labelling_energy(smooth_labels(cost, weight), cost, weight) < labelling_energy(cost.argmin(-1).astype(np.uint8), cost, weight)


def test_the_border_falls_on_the_picture_edge_and_specks_go() -> None:
    rng = np.random.default_rng(0)
    picture = np.full((40, 60, 3), 60, np.uint8)
    picture[:, 31:] = 200
    truth = np.arange(60)[None].repeat(40, 0) >= 31
    probability = np.where(np.arange(60) >= 28, 0.6, 0.4)[None].repeat(40, 0)
    probability[rng.uniform(size=probability.shape) < 0.05] = 0.5
    probability[:, 40:], probability[:, :20] = 0.8, 0.2
    specks = rng.uniform(size=probability.shape) < 0.03
    probability[specks] = 1.0 - probability[specks]
    cost = -np.log(np.stack([1 - probability, probability, np.full_like(probability, 0.01)], -1)).astype(np.float32)
    assert (smooth_labels(cost, edge_weights(picture, 1.9)) == truth).mean() > 0.995
