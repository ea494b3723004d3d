"""A burst: its statistics, its warm-up, and when it has samples enough."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sampling import (
    Samples,
    WarmUp,
    lower_quartile,
    median,
    median_interval,
    reason_to_stop,
    relative_half_width,
)
from latency import SamplingPlan

SAMPLES = st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=60)
PLAN = SamplingPlan(least_samples=10, least_s=0.25, most_samples=20, precision=0.01, limit_s=1.0)
SCATTERED = [1.0, 2.0, 3.0, 4.0] * 25


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


@given(SAMPLES)
def test_the_lower_quartile_is_that_of_numpy(samples: list[float]) -> None:
    assert lower_quartile(samples) == pytest.approx(np.quantile(samples, 0.25), rel=1e-12)


def test_the_lower_quartile_does_not_mind_a_disturbed_half() -> None:
    quiet, disturbed = [1.0, 1.01, 1.02, 0.99] * 3, [1.3, 1.2, 2.0, 9.0] * 3
    assert lower_quartile(quiet + disturbed) == pytest.approx(1.0, abs=0.02)


def warmed(plan: SamplingPlan, calls_s: Sequence[float]) -> tuple[int, WarmUp]:
    """How many calls the warm-up took, the last time repeated for ever."""
    warm_up, taken = WarmUp(plan), 0
    while warm_up.go_on():
        warm_up.take(calls_s[min(taken, len(calls_s) - 1)])
        taken += 1
    return taken, warm_up


WARM = SamplingPlan(warm_up_s=0.1, most_warm_up_s=1.0, sample_s=0.004)


def test_warming_up_takes_as_long_as_planned() -> None:
    calls, _ = warmed(WARM, [0.01])
    assert calls == 1 + 10 or calls == 1 + 11  # Ten times a hundredth is a tenth, but for the rounding.


def test_a_slow_first_call_warms_nothing_up() -> None:
    calls, warm_up = warmed(WARM, [30.0, 0.01])  # It compiled.
    assert 11 <= calls <= 12
    assert warm_up.calls_per_sample() == 1
    assert warmed(WARM, [30.0, 0.0005])[1].calls_per_sample() == 8


def test_warming_up_goes_on_while_calls_grow_faster() -> None:
    falling = [0.05 * 0.9**step for step in range(13)]
    calls, _ = warmed(WARM, falling)
    spent_s = sum(falling[1:4])
    assert spent_s > WARM.warm_up_s
    assert 13 < calls < 20  # A tenth faster from call to call is warm only once it has stopped.


def test_warming_up_that_never_settles_ends_all_the_same() -> None:
    falling = [0.1 * 0.93**step for step in range(400)]
    calls, _ = warmed(WARM, falling)
    assert WARM.most_warm_up_s <= sum(falling[1:calls]) < WARM.most_warm_up_s + 0.1


def test_noise_is_not_taken_for_growing_faster() -> None:
    draw = random.Random(3)
    calls, _ = warmed(WARM, [0.01 * draw.uniform(0.99, 1.01) for _ in range(100)])
    assert calls <= 13


def test_without_a_warm_up_one_call_sizes_the_samples() -> None:
    calls, warm_up = warmed(SamplingPlan(warm_up_s=0.0, sample_s=0.004), [0.0011])
    assert (calls, warm_up.calls_per_sample()) == (1, 4)


@pytest.mark.parametrize("call_s", [0.0, -1.0, 1e-9])
def test_a_clock_that_hardly_moves_groups_no_more_than_so_many_calls(call_s: float) -> None:
    calls, warm_up = warmed(WARM, [call_s])
    assert calls == 10_000
    assert warm_up.calls_per_sample() == 10_000


BURST = SamplingPlan(
    least_samples=6, least_s=0.0, most_samples=20, precision=0.01, limit_s=1.0, warm_up_s=0.0, sample_s=1.0
)


def taken(*times: tuple[float, bool], plan: SamplingPlan = BURST) -> Samples:
    """Samples that took so long and were disturbed or not; the sentinel took a tenth of each."""
    samples = Samples(plan)
    for time_s, is_disturbed in times:
        samples.take(time_s, disturbed=is_disturbed, sentinel_s=time_s / 10)
    return samples


QUIET, SLOW = (1.0, False), (1.5, True)


def test_quiet_samples_are_kept_in_the_order_they_were_taken() -> None:
    samples = taken((1.0, False), (1.3, False), (0.9, False))
    assert samples.kept() == (1.0, 1.3, 0.9)
    assert (samples.discarded, samples.are_disturbed) == (0, False)
    assert samples.sentinel_s() == pytest.approx(0.1)


def test_disturbed_samples_are_set_aside_with_what_the_sentinel_saw_beside_them() -> None:
    samples = taken(SLOW, QUIET, SLOW, QUIET, QUIET, SLOW)
    assert samples.kept() == (1.0, 1.0, 1.0)
    assert (samples.discarded, samples.are_disturbed) == (3, False)
    assert samples.sentinel_s() == pytest.approx(0.1)


def test_with_hardly_any_quiet_sample_all_are_kept_in_their_order() -> None:
    samples = taken(SLOW, QUIET, SLOW, QUIET, SLOW)
    assert samples.kept() == (1.5, 1.0, 1.5, 1.0, 1.5)
    assert (samples.discarded, samples.are_disturbed) == (0, True)
    assert samples.sentinel_s() == pytest.approx(0.15)


def test_few_samples_that_are_all_quiet_are_not_disturbed() -> None:
    assert not taken(QUIET, QUIET).are_disturbed


def test_without_a_sentinel_nothing_is_said_of_it() -> None:
    samples = Samples(BURST)
    samples.take(1.0, disturbed=False)
    assert samples.sentinel_s() is None


def test_only_quiet_samples_make_a_burst_precise() -> None:
    mixed = taken(*[QUIET] * 5, *[SLOW] * 8)
    assert mixed.go_on(0.5)
    assert mixed.stopped == ""
    mixed.take(1.0, disturbed=False)
    assert not mixed.go_on(0.5)
    assert mixed.stopped == "precise"


def test_a_burst_waits_for_quiet_samples_five_times_as_long_as_it_may_take_and_no_longer() -> None:
    samples = taken(*[SLOW] * 9)
    assert samples.go_on(4.9)
    assert not samples.go_on(5.0)
    assert (samples.stopped, samples.are_disturbed, len(samples.kept())) == ("time limit", True, 9)


def test_impatience_leaves_the_quiet_samples_there_are() -> None:
    samples = taken(*[SLOW] * 9, *[QUIET] * 3)
    assert samples.go_on(4.9)
    assert not samples.go_on(5.0)
    assert (samples.kept(), samples.discarded) == ((1.0,) * 3, 9)


def test_disturbed_or_not_six_samples_are_owed() -> None:
    assert taken(*[SLOW] * 5).go_on(99.0)
    assert not taken(*[SLOW] * 6).go_on(99.0)
    slow_plan = SamplingPlan(least_samples=15, limit_s=1.0)
    assert not taken(*[SLOW] * 6, plan=slow_plan).go_on(99.0)
    assert not taken(*[QUIET] * 6, plan=slow_plan).go_on(99.0)


def test_few_quiet_samples_go_on_without_end_of_time() -> None:
    assert taken(*[QUIET] * 5).go_on(99.0)
