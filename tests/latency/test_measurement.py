"""Outcomes: raw samples with what is needed to doubt them, and failures with their reasons."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices import DeviceState, WrongUse
from latency import Environment, Failure, Measurement, joined, median, median_interval
from tests.contracts.examples import DEVICE, ENVIRONMENT, OTHER_DEVICE, RUNTIME, failure, measurement, network

STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""No verdict hangs on how busy the machine is."""


@STEADY
@given(st.lists(st.floats(1e-9, 1e3), min_size=6, max_size=30))
def test_a_measurement_survives_json_to_the_last_bit(samples: list[float]) -> None:
    outcome = replace(measurement(network()), samples_s=tuple(samples))
    again = Measurement.from_json(json.loads(json.dumps(outcome.to_json())))
    assert again == outcome
    assert again.samples_s == outcome.samples_s
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


def test_statistics_come_from_the_raw_samples() -> None:
    samples = tuple(random.Random(1).lognormvariate(0, 0.1) for _ in range(25))
    outcome = replace(measurement(), samples_s=samples)
    low, high = median_interval(samples)
    assert outcome.median_s == median(samples)
    assert outcome.interval_s == (low, high)
    assert outcome.relative_half_width == max(high / outcome.median_s - 1, 1 - low / outcome.median_s)


def test_its_estimate_is_the_median_with_the_deviation_its_interval_stands_for() -> None:
    outcome = replace(measurement(), samples_s=(0.9, 1.0, 1.0, 1.0, 1.0, 1.1))
    assert (outcome.estimate().mean_s, outcome.estimate().source) == (1.0, "measured")
    assert outcome.estimate().standard_deviation_s == pytest.approx(0.1 / 1.96, rel=1e-4)
    assert outcome.estimate().interval_s == pytest.approx(outcome.interval_s, rel=1e-4)


def test_a_clean_measurement_has_no_problems() -> None:
    assert measurement().problems() == []


def test_unknown_states_are_no_problem() -> None:
    assert replace(measurement(), before=DeviceState(), after=DeviceState()).problems() == []


def test_a_wide_interval_is_a_problem_and_says_what_to_do() -> None:
    outcome = replace(measurement(), samples_s=(1.0, 1.0, 1.0, 1.0, 1.0, 1.2), stopped="time limit")
    (problem,) = outcome.problems()
    assert problem.startswith("its 95 % interval is 20% wide to one side after 6 samples (time limit): ")
    assert problem.endswith("close other programs and measure it again")
    assert replace(outcome, samples_s=(1.0, 1.0, 1.0, 1.0, 1.0, 1.04)).problems() == []


@pytest.mark.parametrize(("load", "busy"), [(4.5, False), (4.7, True)])
def test_a_busy_machine_is_a_problem(load: float, busy: bool) -> None:
    problems = replace(measurement(), before=DeviceState(load_1min=load)).problems()
    assert problems == (
        ["the load was 4.7 on 4 cores when it began: close other programs and measure it again"] if busy else []
    )


def test_a_load_of_unknown_many_cores_is_no_problem() -> None:
    environment = Environment(replace(DEVICE, cores=None), RUNTIME)
    assert replace(measurement(environment=environment), before=DeviceState(load_1min=64.0)).problems() == []


@pytest.mark.parametrize(("after", "throttled"), [(3, False), (4, True), (None, False)])
def test_throttling_while_it_ran_is_a_problem(after: int | None, throttled: bool) -> None:
    before = DeviceState(throttle_count=3)
    problems = replace(measurement(), before=before, after=DeviceState(throttle_count=after)).problems()
    assert problems == (["the processor throttled while it ran: let it cool and measure it again"] * throttled)


def test_all_problems_are_said() -> None:
    outcome = replace(
        measurement(),
        samples_s=(1.0, 1.0, 1.0, 1.0, 1.0, 1.2),
        before=DeviceState(load_1min=9.0, throttle_count=0),
        after=DeviceState(throttle_count=1),
    )
    assert len(outcome.problems()) == 3


CHANGES: list[dict[str, Any]] = [
    {"device": OTHER_DEVICE},
    {"runtime": replace(RUNTIME, name="other")},
    {"runtime": replace(RUNTIME, versions={"examplert": "1.3"})},
    {"runtime": replace(RUNTIME, versions={"examplert": "1.2", "torch": "2"})},
    {"runtime": replace(RUNTIME, threads=2)},
    {"runtime": replace(RUNTIME, options={"mode": "slow"})},
    {"runtime": replace(RUNTIME, options={})},
]

WORDS = [
    "name: Example 3000 there, Example 4000 here",
    "runtime: example there, other here",
    "examplert: 1.2 there, 1.3 here",
    "torch: None there, 2 here",
    "threads: 1 there, 2 here",
    "mode: fast there, slow here",
    "mode: fast there, None here",
]


@pytest.mark.parametrize(("change", "words"), list(zip(CHANGES, WORDS, strict=True)), ids=WORDS)
def test_environments_that_differ_have_different_digests_and_say_how(change: dict[str, Any], words: str) -> None:
    other = replace(ENVIRONMENT, **change)
    assert other.digest != ENVIRONMENT.digest
    assert ENVIRONMENT.differences(other) == words


def test_several_differences_are_all_said() -> None:
    other = Environment(OTHER_DEVICE, replace(RUNTIME, threads=2))
    assert ENVIRONMENT.differences(other) == "name: Example 3000 there, Example 4000 here; threads: 1 there, 2 here"


def test_equal_environments_differ_in_nothing() -> None:
    versions = {"b": "2", "a": "1"}
    one = replace(ENVIRONMENT, runtime=replace(RUNTIME, versions=versions))
    other = replace(ENVIRONMENT, runtime=replace(RUNTIME, versions=dict(reversed(versions.items()))))
    assert one.digest == other.digest
    assert one.differences(other) == ""


def test_an_environment_survives_json() -> None:
    again = Environment.from_json(json.loads(json.dumps(ENVIRONMENT.to_json())))
    assert (again, again.digest) == (ENVIRONMENT, ENVIRONMENT.digest)


def test_an_environment_is_described_in_one_line() -> None:
    assert ENVIRONMENT.describe() == "Example 3000 (x86_64, 4 cores, 8 GiB), example, 1 thread (examplert 1.2)"
    assert replace(RUNTIME, threads=2).describe() == "example, 2 threads (examplert 1.2)"


def test_bursts_are_the_independent_samples() -> None:
    slow, fast = (replace(measurement(), samples_s=(time_s,) * 7) for time_s in (2.0, 1.0))
    outcome = joined([slow, fast, fast, fast, fast, fast])
    assert outcome.bursts == (7,) * 6
    assert len(outcome.samples_s) == 42
    assert outcome.median_s == 1.0
    assert outcome.interval_s == (1.0, 2.0)
    assert outcome.relative_half_width == 1.0
    assert outcome.problems() == [
        "its 95 % interval is 100% wide to one side over 6 turns: close other programs and measure it again"
    ]
    assert Measurement.from_json(json.loads(json.dumps(outcome.to_json()))) == outcome


def test_joined_bursts_have_the_state_before_the_first_and_after_the_last() -> None:
    first = replace(measurement(), before=DeviceState(load_1min=1.0), calls_per_sample=3)
    last = replace(measurement(), after=DeviceState(load_1min=2.0), calls_per_sample=2)
    outcome = joined([first, last])
    assert (outcome.before, outcome.after) == (first.before, last.after)
    assert outcome.calls_per_sample == 2


@pytest.mark.parametrize("bursts", [(1,), (99,), (0,)])
def test_bursts_that_do_not_add_up_are_refused(bursts: tuple[int, ...]) -> None:
    with pytest.raises(WrongUse, match="Bursts must add up"):
        replace(measurement(), samples_s=(1.0,) * 7, bursts=bursts)
