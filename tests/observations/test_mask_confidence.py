"""The expected overlap against its closed form, and what lowers a confidence."""

import numpy as np
import pytest

from hoifield.observations.mask_confidence import area_agreement, confidence_of, expected_overlap


def test_a_certain_mask_expects_full_overlap_and_no_mask_none() -> None:
    mask = np.zeros((20, 20), bool)
    mask[5:15, 5:15] = True
    assert expected_overlap(mask.astype(float), mask) == 1.0
    assert expected_overlap(mask.astype(float), np.zeros_like(mask)) == 0.0


def test_object_left_outside_lowers_the_expected_overlap_by_its_area() -> None:
    mask = np.zeros((20, 20), bool)
    mask[:10] = True
    probability = np.ones((20, 20))
    assert expected_overlap(probability, mask) == pytest.approx(0.5)


def test_an_area_jump_stands_out_against_its_neighbours() -> None:
    areas = np.full(20, 100.0)
    areas[8] = 50.0
    agreement = area_agreement(areas)
    assert agreement[8] == 0.5 and (np.delete(agreement, 8) == 1.0).all()


def test_confidence_rises_with_overlap_and_falls_with_less_help() -> None:
    overlap = np.linspace(0.0, 1.0, 21)
    by_source = [confidence_of(overlap, seeds) for seeds in ("masks", "point", "nothing")]
    assert all((np.diff(values) >= 0).all() for values in by_source)
    assert all((by_source[0] >= values).all() for values in by_source[1:])
    assert all(values[0] == 0.0 and values.max() <= 0.95 for values in by_source)
