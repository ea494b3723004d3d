"""Estimates: never negative, never without a source."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import WrongUse
from latency import NOTHING, Estimate, Estimates, Source, total

"""No verdict hangs on how busy the machine is."""

SECONDS = st.just(0.0) | st.floats(1e-9, 10)
SOURCES: Sequence[Source] = ("measured", "calibrated", "reported", "predicted", "roofline")


BAD = (-1e-9, math.inf, -math.inf)


@pytest.mark.parametrize("numbers", [(math.nan, 0.0), *((bad, 0.0) for bad in BAD), *((0.0, bad) for bad in BAD)])
def test_numbers_that_are_no_time_are_refused(numbers: tuple[float, float]) -> None:
    with pytest.raises(WrongUse, match="finite mean and deviation of at least 0 s; got"):
        Estimate(*numbers)


def test_the_interval_covers_95_percent() -> None:
    assert Estimate(10.0, 1.0).interval_s == pytest.approx((8.040, 11.960), abs=1e-3)


def test_the_interval_never_reaches_below_0() -> None:
    assert Estimate(1.0, 10.0).interval_s == pytest.approx((0.0, 20.6), abs=1e-2)


def test_the_sum_of_nothing_is_nothing() -> None:
    assert total([]) == NOTHING == Estimate(0.0, 0.0, "measured")


def test_means_add_up_and_deviations_in_quadrature() -> None:
    assert total([Estimate(1.0, 0.3), Estimate(2.0, 0.4)]) == Estimate(3.0, 0.5)


def test_from_peak_figures_a_time_is_known_up_to_a_factor() -> None:
    low_s, high_s = Estimate(2.0, 1.5, "roofline").interval_s
    assert (low_s * high_s, high_s / 2.0) == pytest.approx((4.0, math.exp(1.96 * 0.75)), rel=1e-3)
    assert Estimate(0.0, 0.0, "roofline").interval_s == (0.0, 0.0)


def test_blocks_of_a_device_are_off_from_its_peaks_together() -> None:
    parts = [Estimate(1.0, 0.75, "roofline"), Estimate(3.0, 2.25, "roofline")]
    whole = total(parts)
    assert (whole.mean_s, whole.standard_deviation_s) == (4.0, 3.0)
    assert whole.interval_s[1] == pytest.approx(sum(part.interval_s[1] for part in parts))
    assert total([*parts, Estimate(1.0, 4.0)]).standard_deviation_s == 5.0


@pytest.mark.parametrize("one", SOURCES)
@pytest.mark.parametrize("other", SOURCES)
def test_a_sum_is_as_uncertain_as_its_least_certain_part(one: Source, other: Source) -> None:
    least = max(one, other, key=SOURCES.index)
    assert total([Estimate(1, 0, one), Estimate(1, 0, other)]).source == least


@given(st.lists(st.tuples(SECONDS, SECONDS), max_size=20))
def test_a_sum_does_not_depend_on_how_it_is_grouped(parts: list[tuple[float, float]]) -> None:
    estimates = [Estimate(mean, deviation) for mean, deviation in parts]
    grouped, whole = total([total(estimates[:7]), total(estimates[7:])]), total(iter(estimates))
    assert grouped.mean_s == pytest.approx(whole.mean_s)
    assert grouped.standard_deviation_s == pytest.approx(whole.standard_deviation_s, abs=1e-12)
    assert whole.standard_deviation_s >= max((deviation for _, deviation in parts), default=0) * (1 - 1e-12)


def test_the_same_workload_twice_has_twice_the_error() -> None:
    assert Estimate(1.0, 0.5, "predicted", is_inside=False).times(3) == Estimate(3.0, 1.5, "predicted", is_inside=False)


def test_a_sum_lies_inside_what_was_measured_where_all_its_parts_do() -> None:
    inside, outside = Estimate(1.0, 0.1), Estimate(1.0, 0.1, is_inside=False)
    assert total([inside, inside]).is_inside
    assert not total([inside, outside]).is_inside


def test_a_deviation_may_be_unknown_and_then_that_of_the_sum_is_unknown() -> None:
    assert math.isnan(total([Estimate(1.0, 0.1), Estimate(1.0, math.nan, "reported")]).standard_deviation_s)


def many(*deviations_s: float) -> Estimates:
    means_s = np.arange(1.0, len(deviations_s) + 1)
    return Estimates(means_s, np.array(deviations_s), np.arange(len(deviations_s)) == 0)


def test_many_estimates_are_single_ones_side_by_side() -> None:
    estimates = many(0.1, 0.2)
    assert len(estimates) == 2
    assert estimates[1] == Estimate(2.0, 0.2, "predicted", is_inside=False)


def test_an_interval_holds_the_share_it_was_asked_for() -> None:
    low, high = many(0.1, 100.0).interval_s(0.9)
    assert high == pytest.approx([1.1645, 166.5], rel=1e-3)
    assert low == pytest.approx([0.8355, 0.0], rel=1e-3)


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(WrongUse, match="one shape"):
        Estimates(np.ones(2), np.ones(3), np.ones(2, dtype=bool))
