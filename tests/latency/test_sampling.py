"""The plan, and when a measurement has bursts enough."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import WrongUse
from latency import SamplingPlan, median, reason_to_end, robust_interval, sampling

"""No verdict hangs on how busy the machine is."""


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
        ({"warm_up_s": 0.5, "most_warm_up_s": 0.4}, "most_warm_up_s must be at least warm_up_s"),
        ({"least_bursts": 0}, "least_bursts must be 1 or more"),
        ({"least_bursts": 5, "most_bursts": 4}, "most_bursts must be at least least_bursts"),
        ({"most_warm_up_s": math.nan}, "most_warm_up_s"),
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
        {"warm_up_s": 0.5, "most_warm_up_s": 0.5},
        {"least_bursts": 1, "most_bursts": 1},
    ],
)
def test_a_plan_at_the_edge_is_taken(change: dict[str, Any]) -> None:
    plan = SamplingPlan(**change)
    assert SamplingPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


Draw = Callable[[random.Random], float]


def normal(draw: random.Random) -> float:
    return 1 + 0.01 * draw.gauss(0, 1)


def student(draw: random.Random) -> float:
    """Of 3 degrees of freedom: a normal number over the root of a third of a chi-square of 3."""
    return 1 + 0.01 * draw.gauss(0, 1) / math.sqrt(draw.gammavariate(1.5, 2) / 3)


def disturbed(draw: random.Random) -> float:
    """A fifth are 10 % slower, which is ten times the spread of the others."""
    return normal(draw) + 0.1 * (draw.random() < 0.2)


def wild(draw: random.Random) -> float:
    """A fifth scatter ten times as much."""
    return 1 + (0.1 if draw.random() < 0.2 else 0.01) * draw.gauss(0, 1)


@pytest.mark.parametrize("law", [normal, student, disturbed, wild], ids=lambda law: str(law.__name__))
@pytest.mark.parametrize(
    ("count", "least", "most"),
    [(3, 0.84, 0.91), (5, 0.88, 0.94), (6, 0.91, 0.96), (7, 0.91, 0.96), (9, 0.91, 0.96), (12, 0.91, 0.96)],
)
def test_the_robust_interval_covers_what_its_docstring_says(law: Draw, count: int, least: float, most: float) -> None:
    draw, trials, hits = random.Random(f"{law.__name__} {count}"), 2000, 0
    for _ in range(trials):
        low, high = robust_interval([law(draw) for _ in range(count)])
        hits += low <= 1 <= high
    chance = 3 * math.sqrt(0.05 * 0.95 / trials)
    assert least - chance < hits / trials < most + chance


def test_one_time_that_is_far_off_hardly_widens_the_robust_interval() -> None:
    times = [1.0, 1.01, 0.99, 1.02, 0.98, 1.0]
    low, high = robust_interval(times)
    spoilt_low, spoilt_high = robust_interval([*times, 50.0])
    assert spoilt_high - spoilt_low < 1.2 * (high - low)
    assert (spoilt_low, spoilt_high) == pytest.approx((1, 1), abs=0.03)


def test_the_robust_interval_of_one_number_is_as_wide_as_the_number() -> None:
    assert robust_interval([3.0]) == (0.0, 6.0)


def test_the_robust_interval_never_goes_below_nothing() -> None:
    assert robust_interval([1.0, 2.0])[0] == 0.0


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=30))
def test_the_robust_interval_holds_the_median_in_any_order(times: list[float]) -> None:
    low, high = robust_interval(times)
    assert low <= median(times) <= high
    assert robust_interval(times[::-1]) == (low, high)


PATIENT = SamplingPlan(precision=0.01, least_bursts=6, most_bursts=20)
CLOSE = (1.0, 1.001, 0.999, 1.002, 0.998, 1.0)
APART = (1.0, 1.1, 0.9, 1.2, 0.8, 1.05)


def test_bursts_that_agree_are_precise_at_the_least_number_of_them() -> None:
    assert reason_to_end(CLOSE[:5], 5, PATIENT) is None
    assert reason_to_end(CLOSE, 6, PATIENT) == "precise"


def test_bursts_that_do_not_agree_yet_need_more() -> None:
    assert reason_to_end(APART, 6, PATIENT) is None


DRIFT = tuple(1 + burst**2 / 200 for burst in range(20))
"""A machine that grows slower and slower: the longer it is watched, the further apart its times."""


def test_an_interval_that_more_bursts_do_not_narrow_is_a_plateau() -> None:
    verdicts = [reason_to_end(DRIFT[:count], count, PATIENT) for count in range(1, 11)]
    assert verdicts == [None] * 9 + ["noise plateau"]  # Four bursts more than the least, and not before.


def test_an_interval_that_more_bursts_narrow_is_no_plateau() -> None:
    states = (1.0, 1.1, 0.9) * 6
    verdicts = [reason_to_end(states[:count], count, PATIENT) for count in range(1, 19)]
    assert verdicts == [None] * 18


def test_an_interval_that_more_bursts_narrow_a_little_is_no_plateau() -> None:
    times = [1 + burst / 50 for burst in range(10)]
    (low, high), (earlier_low, earlier_high) = robust_interval(times), robust_interval(times[:6])
    narrowed = (high - low) / median(times) / ((earlier_high - earlier_low) / median(times[:6]))
    assert 0.95 < narrowed < 1
    assert reason_to_end(times, 10, PATIENT) is None


def test_a_few_more_than_half_that_agree_are_not_precise() -> None:
    slow = [1.1, 1.1001, 1.0999]
    assert reason_to_end([*CLOSE, *slow], 9, PATIENT) is None
    low, high = robust_interval([*CLOSE, *slow])
    assert (high - low) / 2 < PATIENT.precision, "their interval alone is narrow enough"
    assert reason_to_end([*CLOSE, *slow[:1]], 7, PATIENT) == "precise", "one in seven is an outlier"


def test_the_middle_half_may_span_four_times_the_precision() -> None:
    def verdict(precision: float) -> str | None:
        return reason_to_end([*[1.0] * 5, 1.04, 1.04, 1.04], 8, replace(PATIENT, precision=precision))

    assert verdict(0.0101) == "precise"
    assert verdict(0.0099) is None


def ended(draw: random.Random, slow_share: float, plan: SamplingPlan) -> tuple[str, list[float]]:
    """Why a measurement ended whose processes are 10 % slower with that probability, and its bursts."""
    times: list[float] = []
    while (reason := reason_to_end(times, len(times), plan)) is None:
        times.append(draw.gauss(1, 0.003) * (1.1 if draw.random() < slow_share else 1.0))
    return reason, times


def wrong_and_precise(slow_share: float) -> float:
    """The share of measurements that end as precise and are off by most of a tenth, in per cent."""
    draw, trials = random.Random(f"two speeds {slow_share}"), 4000
    endings = [ended(draw, slow_share, SamplingPlan()) for _ in range(trials)]
    return 100 * sum(reason == "precise" and median(times) > 1.05 for reason, times in endings) / trials


SLOW_SHARES = (0.2, 0.3, 0.4)


def test_processes_of_two_speeds_hardly_ever_end_as_precise_and_wrong() -> None:
    assert [wrong_and_precise(share) for share in SLOW_SHARES] == pytest.approx([0.3, 1.6, 6], abs=1)


def test_without_looking_at_the_middle_half_many_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "_MOST_SPREAD", math.inf)
    assert [wrong_and_precise(share) for share in SLOW_SHARES] == pytest.approx([2, 9, 23], abs=2)


@pytest.mark.parametrize("spread", [0.002, 0.005, 0.01])
def test_where_all_processes_are_alike_looking_at_the_middle_half_costs_nothing(
    monkeypatch: pytest.MonkeyPatch, spread: float
) -> None:
    source = random.Random(f"alike {spread}")
    drawn = [[source.gauss(1, spread) for _ in range(12)] for _ in range(300)]

    def bursts_taken() -> list[int]:
        counts = range(1, 13)
        return [next(n for n in counts if reason_to_end(times[:n], n, SamplingPlan())) for times in drawn]

    looking = bursts_taken()
    monkeypatch.setattr(sampling, "_MOST_SPREAD", math.inf)
    assert looking == bursts_taken()


def test_the_most_bursts_end_a_measurement_whatever_they_say() -> None:
    assert reason_to_end(APART, 20, PATIENT) == "most bursts"
    assert reason_to_end(CLOSE, 20, PATIENT) == "precise"


def test_disturbed_bursts_count_towards_the_most_and_not_towards_the_least() -> None:
    assert reason_to_end(CLOSE[:5], 12, PATIENT) is None
    assert reason_to_end(CLOSE, 12, PATIENT) == "precise"
    assert reason_to_end((), 19, PATIENT) is None
    assert reason_to_end((), 20, PATIENT) == "most bursts"


def test_one_burst_is_never_precise_and_may_be_all_that_is_wanted() -> None:
    assert reason_to_end([1.0], 1, SamplingPlan(least_bursts=1, most_bursts=2)) is None
    assert reason_to_end([1.0], 1, SamplingPlan(least_bursts=1, most_bursts=1)) == "most bursts"
