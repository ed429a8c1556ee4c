"""The network of normals: what it gives, and the likelihood that it is taught by."""

import math

import numpy as np
import pytest
import torch

from hoifield.priors.eyes_input import EYES_SIZE, eyes_maps, stack_maps
from hoifield.priors.normals_network import HINT, NormalsNetwork, angular_likelihood, expected_angle, normals_maps


def test_normals_are_units_at_half_the_size_and_concentrations_are_positive() -> None:
    torch.manual_seed(0)
    network = NormalsNetwork().eval()
    normal, concentration = network(torch.randn(2, 5, 64, 96), torch.rand(2, 21, 16, 24))
    assert normal.shape == (2, 3, 32, 48) and concentration.shape == (2, 32, 48)
    torch.testing.assert_close(normal.norm(dim=1), torch.ones(2, 32, 48))
    assert bool((concentration > 0).all())


@pytest.mark.parametrize("concentration", [0.05, 0.7, 3.0, 20.0])
def test_the_likelihood_sums_to_one_over_the_sphere_and_its_mean_angle_is_the_one_expected(concentration: float) -> None:
    angle = torch.linspace(0, math.pi, 200_001, dtype=torch.float64)
    kappa = torch.tensor(concentration, dtype=torch.float64)
    density = torch.exp(-angular_likelihood(angle, kappa)) * torch.sin(angle)
    assert float(torch.trapezoid(density, angle)) == pytest.approx(1.0, rel=1e-6)
    assert float(torch.trapezoid(density * angle, angle)) == pytest.approx(float(expected_angle(kappa)), rel=1e-6)


def test_it_is_told_what_is_known_of_the_pixels_in_place_of_a_click() -> None:
    picture = np.zeros((EYES_SIZE, EYES_SIZE, 3), np.uint8)
    held, hand = np.zeros((EYES_SIZE, EYES_SIZE), bool), np.zeros((EYES_SIZE, EYES_SIZE), bool)
    held[10:20], hand[30:50] = True, True
    maps, heat = normals_maps(picture, None, held, hand)
    assert (maps[HINT][held] == 1).all() and (maps[HINT][hand] == -1).all() and (maps[HINT][~held & ~hand] == 0).all()
    others = [channel for channel in range(5) if channel != HINT]
    assert np.array_equal(maps[others], eyes_maps(picture, None, None)[0][others])
    assert stack_maps([(maps, heat)])[0].shape == (1, 5, EYES_SIZE, EYES_SIZE)
