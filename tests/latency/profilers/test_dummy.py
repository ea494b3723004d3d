"""The profiler that times nothing."""

from __future__ import annotations

import pytest

from latency import OPERATORS, DummyProfiler, Failure, Measurement
from tests.contracts.examples import DEVICE, QUICK, block, idle
from tests.contracts.profiler_contract import ProfilerContract


class TestDummyProfiler(ProfilerContract):
    kind = DummyProfiler


def test_without_noise_times_follow_macs() -> None:
    profiler = DummyProfiler(DEVICE, idle, noise=0)
    small, large = block(size=8), block(size=80)
    times = []
    for workload in (small, large):
        outcome = profiler.measure(workload, QUICK)
        assert isinstance(outcome, Measurement)
        times.append(outcome.time_s)
    more = OPERATORS["inverted_residual"].macs(large) - OPERATORS["inverted_residual"].macs(small)
    assert times[1] - times[0] == pytest.approx(more * 1e-10, rel=1e-3)


def test_noise_is_the_same_in_every_run() -> None:
    def samples() -> tuple[float, ...]:
        outcome = DummyProfiler(DEVICE, idle, noise=0.1).measure(block(), QUICK)
        assert isinstance(outcome, Measurement)
        return outcome.samples_s

    assert samples() == samples()
    assert len(set(samples())) > 1


def test_a_workload_declared_broken_fails_to_load_and_others_do_not() -> None:
    profiler = DummyProfiler(DEVICE, idle, broken=frozenset({block().digest}))
    outcome = profiler.measure(block(), QUICK)
    assert isinstance(outcome, Failure)
    assert (outcome.stage, outcome.reason) == ("load", "declared broken")
    assert isinstance(profiler.measure(block(12), QUICK), Measurement)
