"""Estimates: never negative, never without a source."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices import WrongUse
from latency import NOTHING, Estimate, Source, total

STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""No verdict hangs on how busy the machine is."""

SECONDS = st.just(0.0) | st.floats(1e-9, 10)
SOURCES: Sequence[Source] = ("measured", "calibrated", "predicted")


@pytest.mark.parametrize("number", [-1e-9, math.nan, math.inf, -math.inf])
def test_numbers_that_are_no_time_are_refused(number: float) -> None:
    with pytest.raises(WrongUse, match="finite mean and deviation of at least 0 s; got"):
        Estimate(number, 0.0)
    with pytest.raises(WrongUse, match="finite mean and deviation of at least 0 s; got"):
        Estimate(0.0, number)


def test_the_interval_covers_95_percent() -> None:
    assert Estimate(10.0, 1.0).interval_s == pytest.approx((8.040, 11.960), abs=1e-3)


def test_the_interval_never_reaches_below_0() -> None:
    assert Estimate(1.0, 10.0).interval_s == pytest.approx((0.0, 20.6), abs=1e-2)


def test_the_sum_of_nothing_is_nothing() -> None:
    assert total([]) == NOTHING == Estimate(0.0, 0.0, "measured")


def test_means_add_up_and_deviations_in_quadrature() -> None:
    assert total([Estimate(1.0, 0.3), Estimate(2.0, 0.4)]) == Estimate(3.0, 0.5)


@pytest.mark.parametrize("one", SOURCES)
@pytest.mark.parametrize("other", SOURCES)
def test_a_sum_is_as_uncertain_as_its_least_certain_part(one: Source, other: Source) -> None:
    least = max(one, other, key=SOURCES.index)
    assert total([Estimate(1, 0, one), Estimate(1, 0, other)]).source == least


@STEADY
@given(st.lists(st.tuples(SECONDS, SECONDS), max_size=20))
def test_a_sum_does_not_depend_on_how_it_is_grouped(parts: list[tuple[float, float]]) -> None:
    estimates = [Estimate(mean, deviation) for mean, deviation in parts]
    grouped, whole = total([total(estimates[:7]), total(estimates[7:])]), total(iter(estimates))
    assert grouped.mean_s == pytest.approx(whole.mean_s)
    assert grouped.standard_deviation_s == pytest.approx(whole.standard_deviation_s, abs=1e-12)
    assert whole.standard_deviation_s >= max((deviation for _, deviation in parts), default=0) * (1 - 1e-12)
