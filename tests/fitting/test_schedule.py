"""Schedules: ends, steadiness, and no dependence on anything but progress."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoifield.fitting.schedule import rate_factor, surface_width

shares = st.floats(0.0, 1.0)


def test_the_width_goes_from_start_to_end_by_equal_ratios_and_holds_the_last_fifth():
    assert surface_width(0.0, 0.008, 0.002) == pytest.approx(0.008)
    assert surface_width(0.4, 0.008, 0.002) == pytest.approx(0.004)
    assert surface_width(0.8, 0.008, 0.002) == surface_width(1.0, 0.008, 0.002) == pytest.approx(0.002)


def test_rates_hold_then_fall_to_a_twentieth():
    assert rate_factor(0.0) == rate_factor(0.4) == 1.0
    assert rate_factor(0.7) == pytest.approx(0.05**0.5)
    assert rate_factor(1.0) == pytest.approx(0.05)


@given(first=shares, second=shares)
def test_both_never_rise(first: float, second: float):
    early, late = sorted((first, second))
    assert rate_factor(late) <= rate_factor(early)
    assert surface_width(late, 0.006, 0.001) <= surface_width(early, 0.006, 0.001)
