"""Ratios are medians of pairs, in closed form; and a back end that is made slower shows."""

import math
import statistics
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoifield.benchmark.paired_times import PairedTimes, fit_exponent, time_pairs
from hoifield.geometry.plain_reference import kernels_serve

SECONDS = st.floats(1e-6, 1e3)
PAIRS = st.lists(st.tuples(SECONDS, SECONDS), min_size=1, max_size=25)


def times_of(pairs: list[tuple[float, float]]) -> PairedTimes:
    default, reference = zip(*pairs)
    return PairedTimes(default, reference)


@settings(deadline=None)
@given(PAIRS)
def test_the_speedup_is_a_median_within_its_spread_and_does_not_depend_on_the_order(pairs):
    times = times_of(pairs)
    found = times.as_json()
    assert found["speedup_least"] <= found["speedup"] <= found["speedup_most"] and found["pairs"] == len(pairs)
    assert sum(ratio <= times.speedup for ratio in times.speedups) * 2 >= len(pairs)
    assert sum(ratio >= times.speedup for ratio in times.speedups) * 2 >= len(pairs)
    assert times_of(pairs[::-1]).speedup == times.speedup


@settings(deadline=None)
@given(PAIRS, st.lists(st.floats(0.1, 10.0), min_size=25, max_size=25))
def test_what_slows_both_of_a_pair_cancels(pairs, load):
    busy = [(default * factor, reference * factor) for (default, reference), factor in zip(pairs, load)]
    assert times_of(busy).speedup == pytest.approx(times_of(pairs).speedup, rel=1e-9)


@settings(deadline=None)
@given(PAIRS)
def test_swapping_the_two_inverts_the_spread(pairs):
    there, back = times_of(pairs), times_of([(reference, default) for default, reference in pairs])
    assert min(back.speedups) == pytest.approx(1 / max(there.speedups)) and max(back.speedups) == pytest.approx(1 / min(there.speedups))


def test_a_ratio_of_medians_would_be_another_number():
    times = times_of([(1.0, 10.0), (2.0, 4.0), (10.0, 30.0)])
    assert times.speedup == 3.0
    assert statistics.median(times.reference_s) / statistics.median(times.default_s) == 5.0


@settings(deadline=None)
@given(st.floats(-2.0, 4.0), st.floats(1e-4, 10.0), st.lists(st.integers(1, 10**6), min_size=2, max_size=8, unique=True))
def test_the_exponent_of_a_power_law_is_found(power, factor, sizes):
    assert fit_exponent(sizes, [factor * size**power for size in sizes]) == pytest.approx(power, abs=1e-6)


def test_one_size_has_no_exponent():
    assert math.isnan(fit_exponent([8, 8], [1.0, 2.0]))


def test_both_are_called_once_a_pair_in_turns_and_only_the_reference_without_kernels():
    calls = []

    def work(name: str) -> None:
        import torch

        calls.append((name, kernels_serve(torch.zeros(1))))

    times = time_pairs(lambda: work("default"), lambda: work("reference"), 4)
    assert len(times.default_s) == len(times.reference_s) == 4
    default, reference = ("default", True), ("reference", False)
    assert calls == [reference, default, default, reference] * 2 + [reference, default]


def test_work_made_slower_on_purpose_lowers_the_ratio():
    def work(pause: float) -> None:
        time.sleep(pause)

    fair = time_pairs(lambda: work(0.002), lambda: work(0.02), 5)
    slowed = time_pairs(lambda: work(0.1), lambda: work(0.02), 5)
    assert slowed.speedup < fair.speedup
