"""A replay repeats what was measured, in its order, and in no time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from devices import Device, NotAvailable, WrongUse
from latency import Costs, Environment, Failure, Measurement, Outcome, ProfilingError, Runtime
from latency.profilers.replay import ReplayProfiler
from tests.contracts.examples import (
    DEVICE,
    ENVIRONMENT,
    OTHER_DEVICE,
    QUICK,
    block,
    burst,
    failure,
    idle,
    measurement,
    skip,
)
from tests.contracts.profiler_contract import ProfilerContract, State


class TestReplayProfiler(ProfilerContract):
    kind = ReplayProfiler

    def make_profiler(self, device: Device, state: State, threads: int = 1) -> ReplayProfiler:
        environment = Environment(device, Runtime("replay", {}, threads, {}))
        return ReplayProfiler(device, state, threads, outcomes=[measurement(self.workload, environment=environment)])


def replay(*outcomes: Outcome) -> ReplayProfiler:
    return ReplayProfiler(DEVICE, idle, outcomes=outcomes)


def replayed(profiler: ReplayProfiler) -> Measurement:
    outcome = profiler.measure(block(), QUICK)
    assert isinstance(outcome, Measurement), outcome
    return outcome


def test_its_measurements_carry_the_environment_of_what_it_replays() -> None:
    profiler = replay(measurement())
    assert profiler.environment == ENVIRONMENT
    assert replayed(profiler).environment == ENVIRONMENT


def test_samples_come_in_their_order_and_over_and_over() -> None:
    samples_s = (3e-3, 1e-3, 2e-3)
    profiler = replay(replace(measurement(), bursts=(burst(samples_s=samples_s),)))
    with profiler.open(block()) as run:
        assert [run(1) for _ in range(5)] == [3e-3, 1e-3, 2e-3, 3e-3, 1e-3]
        assert run(10) == pytest.approx(2e-2)


def test_a_time_in_the_thousands_of_seconds_is_not_waited_for() -> None:
    # A replay that waited would end this test by the patience of whoever runs it.
    outcome = replayed(replay(measurement(mean_s=5e3)))
    assert outcome.time_s == pytest.approx(5e3, rel=5e-3)


def test_bursts_come_in_their_order_and_begin_again() -> None:
    profiler = replay(measurement(times=[1e-3, 2e-3]), measurement(times=[3e-3]))
    found = [replayed(profiler).time_s for _ in range(4)]
    assert found == pytest.approx([1e-3, 2e-3, 3e-3, 1e-3], rel=5e-3)


def test_each_workload_has_its_own_turns() -> None:
    profiler = replay(measurement(times=[1e-3, 2e-3]), measurement(skip(), times=[5e-3]))
    replayed(profiler)
    assert isinstance(profiler.measure(skip(), QUICK), Measurement)
    assert replayed(profiler).time_s == pytest.approx(2e-3, rel=5e-3)


def test_a_failure_fails_again_with_its_stage_and_reason() -> None:
    recorded = replace(failure(), stage="run", reason="out of memory")
    outcome = replay(recorded).measure(block(), QUICK)
    assert isinstance(outcome, Failure)
    assert (outcome.stage, outcome.reason) == ("run", "out of memory")


def test_a_workload_that_failed_once_fails_once() -> None:
    profiler = replay(failure(), measurement())
    assert isinstance(profiler.measure(block(), QUICK), Failure)
    assert isinstance(profiler.measure(block(), QUICK), Measurement)


def test_costs_are_those_of_the_burst() -> None:
    costs = Costs(peak_memory_bytes=4096, energy_j=0.5)
    profiler = replay(replace(measurement(), bursts=(burst(costs=costs),)))
    assert replayed(profiler).bursts[0].costs == costs


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_workload_that_is_not_recorded_is_named(precision: str) -> None:
    unknown = replace(block(12), precision=precision)
    with pytest.raises(ProfilingError, match=rf"nothing is recorded of inverted_residual .*\({precision}\)"):
        replay(measurement()).open(unknown).__enter__()


def test_by_name_there_is_nothing_to_replay() -> None:
    with pytest.raises(NotAvailable, match=r"nothing to replay .* Construct it in Python"):
        ReplayProfiler(DEVICE, idle)


def test_outcomes_of_two_environments_are_refused_with_the_difference() -> None:
    other = Environment(DEVICE, replace(ENVIRONMENT.runtime, options={"mode": "slow"}))
    with pytest.raises(WrongUse, match="differ in mode: fast there, slow here"):
        replay(measurement(), measurement(skip(), environment=other))


def test_another_device_or_other_threads_are_refused() -> None:
    with pytest.raises(WrongUse, match="name: Example 3000 there, Example 4000 here"):
        ReplayProfiler(OTHER_DEVICE, idle, outcomes=[measurement()])
    with pytest.raises(WrongUse, match="threads: 1 there, 2 here"):
        ReplayProfiler(DEVICE, idle, 2, outcomes=[measurement()])
