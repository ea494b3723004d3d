"""The plan, the median and its interval, and when to stop."""

from __future__ import annotations

import json
import math
import random
import statistics
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices import WrongUse
from latency import SamplingPlan, median, median_interval, relative_half_width
from latency.sampling import reason_to_stop

STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""No verdict hangs on how busy the machine is."""

SAMPLES = st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=60)
PLAN = SamplingPlan(least_samples=10, least_s=0.25, most_samples=20, precision=0.01, limit_s=1.0)
SCATTERED = [1.0, 2.0, 3.0, 4.0] * 25


@STEADY
@given(SAMPLES)
def test_the_median_is_that_of_the_standard_library(samples: list[float]) -> None:
    assert median(samples) == statistics.median(samples)


@pytest.mark.parametrize(
    ("count", "low", "high"),
    # Ranks from 1, as tables of the binomial law have them.
    [(6, 1, 6), (9, 2, 8), (15, 4, 12), (20, 6, 15), (50, 18, 33), (100, 40, 61), (200, 86, 115), (1000, 469, 532)],
)
def test_the_interval_ends_at_known_ranks(count: int, low: int, high: int) -> None:
    samples = [float(rank) for rank in range(1, count + 1)]
    random.Random(0).shuffle(samples)
    assert median_interval(samples) == (low, high)


@pytest.mark.parametrize("count", range(1, 6))
def test_few_samples_give_their_extremes(count: int) -> None:
    samples = [float(rank) for rank in range(count)]
    assert median_interval(samples) == (0, count - 1)


@STEADY
@given(SAMPLES)
def test_the_interval_holds_the_median_between_two_samples(samples: list[float]) -> None:
    low, high = median_interval(samples)
    assert low <= median(samples) <= high
    assert {low, high} <= set(samples)


@pytest.mark.parametrize("count", [15, 50])
def test_the_interval_covers_the_median_of_a_skewed_distribution(count: int) -> None:
    draw, truth, trials = random.Random(count), math.log(2), 4000
    hits = 0
    for _ in range(trials):
        low, high = median_interval([draw.expovariate(1.0) for _ in range(count)])
        hits += low <= truth <= high
    assert 0.93 <= hits / trials <= 0.99


def test_the_interval_covers_95_percent_at_every_count() -> None:
    def coverage(count: int) -> float:
        """The median lies between two order statistics when between so many of ``count`` coins show heads."""
        low, high = (int(rank) for rank in median_interval([float(rank) for rank in range(count)]))
        return sum(math.comb(count, heads) for heads in range(low + 1, high + 1)) / float(2**count)

    assert min(coverage(count) for count in range(6, 500)) >= 0.95


def test_the_relative_width_is_that_of_the_larger_side() -> None:
    assert relative_half_width([1.0, 2.0, 2.0, 2.0, 2.0, 2.5]) == pytest.approx(0.5)
    assert relative_half_width([1.9, 2.0, 2.0, 2.0, 2.0, 3.0]) == pytest.approx(0.5)
    assert relative_half_width([3.0] * 6) == 0


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"warm_up_s": -0.1}, "warm_up_s must be 0 or more"),
        ({"sample_s": 0.0}, "sample_s must be above 0"),
        ({"least_samples": 5}, "least_samples must be 6 or more"),
        ({"least_samples": 20, "most_samples": 19}, "most_samples must be at least least_samples"),
        ({"precision": 0.0}, "precision must be between 0 and 1"),
        ({"precision": 1.0}, "precision must be between 0 and 1"),
        ({"least_s": -0.1}, "least_s must be 0 or more"),
        ({"least_s": 0.0, "limit_s": 0.0}, "limit_s must be above least_s"),
        ({"least_s": 0.5, "limit_s": 0.5}, "limit_s must be above least_s"),
        ({"warm_up_s": math.nan}, "warm_up_s"),
        ({"sample_s": math.nan}, "sample_s"),
        ({"least_s": math.nan}, "least_s"),
        ({"limit_s": math.nan}, "limit_s"),
        ({"precision": math.nan}, "precision"),
    ],
    ids=str,
)
def test_a_plan_that_makes_no_sense_is_refused_with_its_values(change: dict[str, Any], rule: str) -> None:
    with pytest.raises(WrongUse, match=rule) as caught:
        SamplingPlan(**change)
    name, value = list(change.items())[-1]
    assert f"{name}={value}" in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"warm_up_s": 0.0},
        {"least_samples": 6, "most_samples": 6},
        {"precision": 0.99},
        {"least_s": 0.0, "limit_s": 1e-9},
    ],
)
def test_a_plan_at_the_edge_is_taken(change: dict[str, Any]) -> None:
    plan = SamplingPlan(**change)
    assert SamplingPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_sampling_goes_on_until_the_least_number() -> None:
    assert reason_to_stop([1.0] * 9, 0.5, PLAN) is None


def test_equal_samples_are_precise_at_the_least_number() -> None:
    assert reason_to_stop([1.0] * 10, 0.5, PLAN) == "precise"


def test_equal_samples_within_a_moment_are_not_yet_precise() -> None:
    assert reason_to_stop([1.0] * 19, 0.249, PLAN) is None
    assert reason_to_stop([1.0] * 19, 0.25, PLAN) == "precise"


def test_the_most_samples_end_even_a_moment() -> None:
    assert reason_to_stop([1.0] * 20, 0.01, PLAN) == "precise"
    assert reason_to_stop(SCATTERED[:20], 0.01, PLAN) == "most samples"


def test_scattered_samples_go_on_until_the_most_of_them() -> None:
    assert reason_to_stop(SCATTERED[:19], 0.5, PLAN) is None
    assert reason_to_stop(SCATTERED[:20], 0.5, PLAN) == "most samples"


def test_time_runs_out_at_its_limit() -> None:
    assert reason_to_stop(SCATTERED[:12], 0.999, PLAN) is None
    assert reason_to_stop(SCATTERED[:12], 1.0, PLAN) == "time limit"


def test_a_slow_block_gets_six_samples_and_no_more() -> None:
    reasons = [reason_to_stop([1.0] * count, 5.0 * (count + 1), PLAN) for count in range(8)]
    assert reasons == [None] * 6 + ["time limit"] * 2


def test_a_precise_result_is_called_precise_even_at_the_limits() -> None:
    assert reason_to_stop([1.0] * 20, 99.0, PLAN) == "precise"


def test_a_looser_precision_never_stops_later() -> None:
    draw = random.Random(5)
    samples = [draw.lognormvariate(0, 0.05) for _ in range(200)]

    def stopped(precision: float) -> int:
        plan = SamplingPlan(least_samples=6, least_s=0.0, most_samples=200, precision=precision)
        return next(count for count in range(201) if reason_to_stop(samples[:count], 0.0, plan))

    counts = [stopped(precision) for precision in (0.2, 0.05, 0.02, 0.01, 0.001)]
    assert all(loose <= tight for loose, tight in pairwise(counts))
    assert counts[0] < counts[-1] == 200
