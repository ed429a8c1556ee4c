"""The expected overlap against its closed form, and what lowers a confidence."""

import numpy as np
import pytest

from hoifield.observations.mask_confidence import area_agreement, border_contrast, confidence_of, expected_overlap, trust_of_border


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
    assert by_source[0].max() > by_source[2].max() > by_source[1].max()
    assert all(values[0] == 0.0 for values in by_source)


def test_a_border_without_picture_edge_is_not_trusted() -> None:
    labels = np.zeros((60, 60), np.uint8)
    labels[20:40, 20:40] = 1
    plain = np.full((60, 60, 3), 120, np.uint8)
    block = plain.copy()
    block[labels == 1] = (200, 40, 40)
    contrast = np.array([border_contrast(plain, labels), border_contrast(block, labels)])
    assert contrast[0] == 0.0 and contrast[1] > 0.95
    assert (trust_of_border(contrast) == (0, 1)).all()
