"""Outcomes: bursts with what is needed to doubt them, and failures with their reasons."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import DeviceState, WrongUse
from latency import (
    UNFINISHED,
    Burst,
    Costs,
    Environment,
    Failure,
    Measurement,
    SamplingPlan,
    joined,
    median,
    median_interval,
    robust_interval,
)
from latency.sentinel import TOLERANCE
from tests.contracts.examples import DEVICE, ENVIRONMENT, RUNTIME, block, burst, failure, measurement, network

"""No verdict hangs on how busy the machine is."""

SIX = (1.0, 1.01, 0.99, 1.02, 0.98, 1.0)
PLAN = SamplingPlan(precision=0.05, least_bursts=6, most_bursts=9)


def of(*bursts: Burst, plan: SamplingPlan = PLAN, **changes: Any) -> Measurement:
    """A measurement of these bursts."""
    return replace(measurement(), bursts=bursts, plan=plan, stopped=UNFINISHED, **changes)


def steady(time_s: float, **changes: Any) -> Burst:
    """A burst that says exactly that."""
    return burst(time_s, samples_s=(time_s,) * 7, **changes)


def slow(time_s: float, **changes: Any) -> Burst:
    """The same, disturbed all along."""
    return steady(time_s, disturbed=True, **changes)


@given(st.lists(st.lists(st.floats(1e-9, 1e3), min_size=6, max_size=9), min_size=1, max_size=4))
def test_a_measurement_survives_json_to_the_last_bit(bursts: list[list[float]]) -> None:
    outcome = replace(measurement(network()), bursts=tuple(burst(samples_s=tuple(samples)) for samples in bursts))
    again = Measurement.from_json(json.loads(json.dumps(outcome.to_json())))
    assert again == outcome
    assert again.samples_s == tuple(sample for samples in bursts for sample in samples)
    assert again.environment.digest == outcome.environment.digest
    assert again.to_json() == outcome.to_json()


def test_a_failure_survives_json() -> None:
    outcome = replace(failure(), reason="kein Kern für »Conv«\n三")
    again = Failure.from_json(json.loads(json.dumps(outcome.to_json())))
    assert again == outcome
    assert again.to_json() == outcome.to_json()


@pytest.mark.parametrize("outcome", [measurement(), failure()], ids=["measurement", "failure"])
def test_a_stored_outcome_without_a_field_is_refused(outcome: Measurement | Failure) -> None:
    for name in outcome.to_json():
        values = outcome.to_json()
        del values[name]
        with pytest.raises(KeyError, match=name):
            type(outcome).from_json(values)


def test_a_measurement_without_a_burst_is_refused() -> None:
    with pytest.raises(WrongUse, match=f"at least one burst of samples; {block().describe()} has none"):
        replace(measurement(), bursts=())


def test_its_time_and_interval_are_those_of_the_times_of_its_bursts() -> None:
    outcome = measurement(times=SIX)
    times = tuple(burst(time_s).time_s for time_s in SIX)
    assert outcome.burst_times_s == times
    assert outcome.time_s == median(times)
    assert outcome.interval_s == robust_interval(times)
    low, high = outcome.interval_s
    assert outcome.relative_half_width == pytest.approx(max(high / outcome.time_s - 1, 1 - low / outcome.time_s))


def test_a_single_burst_has_the_interval_of_its_samples_around_its_time() -> None:
    samples = tuple(1 + 0.01 * step for step in range(9))
    outcome = of(burst(samples_s=samples))
    low, high = median_interval(samples)
    assert outcome.time_s == samples[2]
    assert outcome.interval_s == pytest.approx((1.02 * low / samples[4], 1.02 * high / samples[4]))


def test_its_estimate_is_its_time_with_the_deviation_its_interval_stands_for() -> None:
    outcome = measurement(times=SIX)
    low, high = outcome.interval_s
    assert (outcome.estimate().mean_s, outcome.estimate().source) == (outcome.time_s, "measured")
    assert outcome.estimate().standard_deviation_s == pytest.approx((high - low) / 2 / 1.96, rel=1e-4)
    assert outcome.estimate().interval_s == pytest.approx(outcome.interval_s, rel=1e-4)


def test_samples_discarded_ones_and_the_moment_are_those_of_all_bursts() -> None:
    outcome = of(steady(2.0, discarded=3), steady(1.0, discarded=4, measured_at="2025-01-01T00:00:00+00:00"))
    assert outcome.samples_s == (2.0,) * 7 + (1.0,) * 7
    assert outcome.discarded == 7
    assert outcome.measured_at == "2025-01-01T00:00:00+00:00"


def test_disturbed_bursts_are_left_out_where_enough_others_are_known() -> None:
    outcome = of(slow(1.5), steady(1.0), steady(1.02), slow(1.6), steady(0.98), steady(1.0))
    assert outcome.burst_times_s == (1.0, 1.02, 0.98, 1.0)
    assert outcome.time_s == 1.0


def test_bursts_beside_a_slower_sentinel_than_other_processes_saw_are_left_out_too() -> None:
    within, beyond = 1 + 0.99 * TOLERANCE, 1 + 1.01 * TOLERANCE
    looks_s = (1.0, within, 1.3, 0.9, beyond, 1.0)
    outcome = of(*[steady(look_s, sentinel_s=look_s) for look_s in looks_s])
    assert outcome.burst_times_s == looks_s
    usable = replace(outcome, level_s=1.0).usable_bursts
    assert [taken.sentinel_s for taken in usable] == [1.0, within, 0.9, 1.0]


def test_the_four_least_disturbed_serve_where_too_few_others_are_known() -> None:
    looks_s = (1.2, 1.0, 1.5, 1.12, 1.3, 1.02)
    bursts = [steady(look_s, sentinel_s=look_s, disturbed=look_s == 1.2) for look_s in looks_s]
    outcome = of(*bursts, level_s=1.0)
    assert outcome.usable_bursts == (bursts[0], bursts[1], bursts[3], bursts[5])
    assert outcome.burst_times_s == pytest.approx((1.0, 1.0, 1.0, 1.02)), "those that are quiet are left as they are"


def test_an_undisturbed_burst_serves_before_a_disturbed_one_beside_a_faster_sentinel() -> None:
    quiet = [steady(1.0, sentinel_s=1.02)] * 3
    preempted = [slow(1.5, sentinel_s=look_s) for look_s in (1.0, 0.99)]
    assert of(*preempted, *quiet, level_s=1.0).usable_bursts == (preempted[1], *quiet)


def test_equal_bursts_serve_as_often_as_they_were_taken() -> None:
    assert len(of(*[slow(1.5, sentinel_s=1.5)] * 6, level_s=1.0).usable_bursts) == 4


@pytest.mark.parametrize("level_s", [None, 1.0])
def test_a_single_burst_serves_whatever_its_sentinel_says(level_s: float | None) -> None:
    outcome = of(burst(1.3, sentinel_s=1.3), level_s=level_s)
    assert outcome.usable_bursts == outcome.bursts
    assert outcome.time_s == pytest.approx(1.3 if level_s is None else 1.0)
    assert outcome.relative_half_width == pytest.approx(of(burst(1.3)).relative_half_width)


def test_all_bursts_serve_where_no_sentinel_tells_which_are_the_least_disturbed() -> None:
    outcome = of(slow(1.5), steady(1.0), steady(1.02), slow(1.6), steady(0.98))
    assert outcome.burst_times_s == (1.5, 1.0, 1.02, 1.6, 0.98)


def test_enough_is_what_the_plan_wants_where_that_is_little() -> None:
    plan = SamplingPlan(least_bursts=1, most_bursts=3)
    outcome = of(slow(1.5), steady(1.0), plan=plan)
    assert outcome.burst_times_s == (1.0,)
    assert outcome.interval_s == (1.0, 1.0)  # Of the samples that count, and not of the disturbed ones.


def test_disturbed_bursts_that_have_to_serve_are_brought_to_the_level_of_the_quiet_machine() -> None:
    outcome = of(steady(1.3, sentinel_s=1.3e-4), slow(1.5, sentinel_s=1.02e-4), level_s=1e-4)
    assert outcome.burst_times_s == pytest.approx((1.0, 1.5 / 1.02))
    assert replace(outcome, level_s=1.5e-4).burst_times_s == pytest.approx((1.3, 1.5 * 1.5 / 1.02))


def test_quiet_bursts_are_not_brought_to_the_level_because_quiet_sentinels_differ_too() -> None:
    outcome = of(steady(1.0, sentinel_s=1.04e-4), steady(1.0, sentinel_s=0.5e-4), level_s=1e-4)
    assert outcome.burst_times_s == (1.0, 1.0)


def test_without_a_level_or_a_sentinel_bursts_are_left_as_they_are() -> None:
    assert of(slow(1.3, sentinel_s=1.3e-4)).burst_times_s == (1.3,)
    assert of(slow(1.3), level_s=1e-4).burst_times_s == (1.3,)


def test_the_level_is_not_written_because_it_belongs_to_the_table() -> None:
    outcome = of(steady(1.1, sentinel_s=1.1e-4), level_s=1e-4)
    assert Measurement.from_json(outcome.to_json()) == replace(outcome, level_s=None)


def test_bursts_are_not_precise_only_because_they_would_agree_once_brought_to_the_level() -> None:
    bursts = [steady(1 + step / 5, sentinel_s=1 + step / 5) for step in range(6)]
    assert of(*bursts, level_s=1.0).reason_to_end() is None
    assert of(*bursts, level_s=9.0).reason_to_end() is None


def test_bursts_beside_a_slow_sentinel_end_a_measurement_only_by_their_number() -> None:
    bursts = [*[steady(1.0, sentinel_s=1.0)] * 5, *[steady(1.15, sentinel_s=1.15)] * 3]
    assert of(*bursts, level_s=None).reason_to_end() == "precise"
    assert of(*bursts, level_s=1.0).reason_to_end() is None
    assert of(*bursts, bursts[-1], level_s=1.0).reason_to_end() == "most bursts"
    assert of(*bursts, bursts[0], level_s=1.0).reason_to_end() == "precise"


def test_disturbed_bursts_end_a_measurement_only_by_their_number() -> None:
    bursts = [*[steady(1.0)] * 5, *[slow(1.5)] * 3]
    assert of(*bursts).reason_to_end() is None
    assert of(*bursts, slow(1.5)).reason_to_end() == "most bursts"
    assert of(*bursts, steady(1.0)).reason_to_end() == "precise"


def test_costs_are_the_most_memory_and_the_medians_of_the_others() -> None:
    costs = [Costs(100, 1.0, 1.0), Costs(300, 9.0, 3.0), Costs(200, 2.0), Costs()]
    assert of(*[burst(costs=cost) for cost in costs]).costs == Costs(300, 2.0, 2.0)


def test_unknown_costs_stay_unknown() -> None:
    assert of(burst(), burst()).costs == Costs()


def test_a_clean_measurement_has_no_problems() -> None:
    assert measurement(times=SIX).problems() == []


def test_few_bursts_none_of_them_disturbed_are_no_problem_by_themselves() -> None:
    assert of(steady(1.0), steady(1.0)).problems() == []


def test_unknown_states_are_no_problem() -> None:
    assert of(*[steady(1.0, before=DeviceState(), after=DeviceState())] * 6).problems() == []


ONE_PROCESS = "all in one process: what differs between processes is not in its interval"


def test_one_burst_is_a_problem_because_processes_differ() -> None:
    assert measurement().problems() == [ONE_PROCESS]


def test_many_bursts_of_one_process_are_the_same_problem() -> None:
    assert of(*[steady(1.0, process="71-a")] * 6).problems() == [ONE_PROCESS]
    assert of(*[steady(1.0, process="71-a")] * 5, steady(1.0, process="72-a")).problems() == []


def test_a_wide_interval_is_a_problem_and_says_what_to_do() -> None:
    outcome = measurement(times=(1.0, 1.1, 0.9, 1.2, 0.8, 1.0), stopped="most bursts")
    (problem,) = outcome.problems()
    width = f"{outcome.relative_half_width:.0%}"
    assert problem.startswith(f"its 95 % interval is {width} wide to one side after 6 bursts (most bursts): ")
    assert problem.endswith("close other programs and measure it again")


def test_the_wide_interval_of_one_burst_is_told_by_its_samples() -> None:
    outcome = of(burst(samples_s=(1.0, 1.0, 1.0, 1.0, 1.0, 1.2)))
    assert outcome.problems()[0].startswith("its 95 % interval is 20% wide to one side after 6 samples (unfinished): ")


@pytest.mark.parametrize(("load", "busy"), [(4.5, False), (4.7, True)])
def test_a_busy_machine_is_a_problem(load: float, busy: bool) -> None:
    problems = of(*[steady(1.0, before=DeviceState(load_1min=load))] * 6).problems()
    assert problems == (
        ["the load was 4.7 on 4 cores when it began: close other programs and measure it again"] if busy else []
    )


def test_a_load_that_most_bursts_did_not_see_is_no_problem() -> None:
    busy = steady(1.0, before=DeviceState(load_1min=64.0))
    assert of(busy, *[steady(1.0)] * 5).problems() == []


def test_a_load_of_unknown_many_cores_is_no_problem() -> None:
    environment = Environment(replace(DEVICE, cores=None), RUNTIME)
    outcome = of(*[steady(1.0, before=DeviceState(load_1min=64.0))] * 6, environment=environment)
    assert outcome.problems() == []


@pytest.mark.parametrize(("reasons", "throttled"), [("", 0), ("power limit", 0), ("power limit, power brake", 1)])
def test_a_limit_that_a_loaded_gpu_lives_at_is_no_problem(reasons: str, throttled: int) -> None:
    loaded = steady(1.0, after=DeviceState(throttle_reasons=reasons))
    problems = replace(measurement(), bursts=(*(steady(1.0, process=str(n)) for n in range(3)), loaded)).problems()
    assert [problem.startswith("the processor throttled") for problem in problems] == [True] * throttled


@pytest.mark.parametrize(("after", "throttled"), [(3, False), (4, True), (None, False)])
def test_throttling_while_any_burst_ran_is_a_problem(after: int | None, throttled: bool) -> None:
    hot = steady(1.0, before=DeviceState(throttle_count=3), after=DeviceState(throttle_count=after))
    problems = of(*[steady(1.0)] * 5, hot).problems()
    assert problems == (["the processor throttled while it ran: let it cool and measure it again"] * throttled)


@pytest.mark.parametrize(("discarded", "many"), [(7, False), (8, True)])
def test_more_samples_thrown_away_than_kept_are_a_problem(discarded: int, many: bool) -> None:
    problems = of(*[steady(1.0, discarded=discarded)] * 2).problems()
    words = "16 of 30 samples were disturbed and thrown away: close other programs and measure it again"
    assert problems == [words] * many


@pytest.mark.parametrize(("quiet", "enough"), [(3, False), (4, True)])
def test_disturbed_bursts_are_a_problem_where_they_had_to_serve(quiet: int, enough: bool) -> None:
    problems = of(*[steady(1.0)] * quiet, *[slow(1.0)] * 2).problems()
    words = f"2 of {quiet + 2} bursts were disturbed from beginning to end: close other programs and measure it again"
    assert problems == ([] if enough else [words])


def test_bursts_that_others_prove_disturbed_are_a_problem_where_they_had_to_serve() -> None:
    outcome = of(*[steady(1.0, sentinel_s=1.0)] * 3, *[steady(1.2, sentinel_s=1.2)] * 2)
    assert "more than one speed" in outcome.problems()[0], "nothing tells yet which of the two is the quiet one"
    (problem,) = replace(outcome, level_s=1.0).problems()
    assert problem.startswith("2 of 5 bursts were disturbed from beginning to end: ")
    assert replace(outcome, bursts=(*outcome.bursts, outcome.bursts[0]), level_s=1.0).problems() == []


def test_all_problems_are_said() -> None:
    worst = burst(
        samples_s=(1.0, 1.0, 1.0, 1.0, 1.0, 1.2),
        before=DeviceState(load_1min=9.0, throttle_count=0),
        after=DeviceState(throttle_count=1),
        discarded=9,
        disturbed=True,
    )
    assert len(of(worst).problems()) == 6


def test_joined_measurements_have_all_bursts_and_end_as_the_second_did() -> None:
    first, second = measurement(times=(1.0, 2.0), stopped="unfinished"), measurement(times=(3.0,), stopped="precise")
    outcome = joined(first, second)
    assert outcome.bursts == (*first.bursts, *second.bursts)
    assert outcome.stopped == "precise"
    assert (outcome.workload, outcome.environment) == (block(), ENVIRONMENT)


def test_processes_of_two_speeds_are_a_problem_although_the_interval_is_narrow() -> None:
    outcome = measurement(times=(1.0, 1.0, 1.0, 1.0, 1.0, 1.1, 1.1, 1.1), stopped="noise plateau")
    assert outcome.relative_half_width < 0.01
    (problem,) = outcome.problems()
    assert "more than one speed" in problem
