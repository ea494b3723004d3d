"""The one measuring loop, on a runtime whose clock is a script."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace

import pytest

from devices import DeviceState
from latency import Environment, Failure, Measurement, Outcome, Profiler, ProfilingError, SamplingPlan, TimedRun
from latency import profiler as loop
from tests.contracts.examples import ENVIRONMENT, block

PLAN = SamplingPlan(
    warm_up_s=0.0, sample_s=1e-3, least_samples=6, least_s=0.0, most_samples=10, precision=0.01, limit_s=1.0
)


class Scripted(Profiler):
    """Takes ``seconds`` for each call in turn, the last one for ever, and keeps its own time."""

    name = "scripted"

    def __init__(self, *seconds: float) -> None:
        self.seconds = list(seconds)
        self.now_s = 0.0
        self.runs: list[int] = []
        self.events: list[str] = []
        self.on_open: BaseException | None = None
        self.on_run: BaseException | None = None

    @property
    def environment(self) -> Environment:
        return ENVIRONMENT

    def state(self) -> DeviceState:
        self.events.append("state")
        return DeviceState(load_1min=float(len(self.runs)))

    @contextmanager
    def open(self, workload: object) -> Iterator[TimedRun]:
        if self.on_open:
            raise self.on_open
        try:
            yield self.run
        finally:
            self.events.append("released")

    def run(self, calls: int) -> float:
        if self.on_run:
            raise self.on_run
        self.runs.append(calls)
        spent = [self.seconds.pop(0) if len(self.seconds) > 1 else self.seconds[0] for _ in range(calls)]
        self.now_s += sum(spent)
        return sum(spent)


def measured(monkeypatch: pytest.MonkeyPatch, profiler: Scripted, plan: SamplingPlan = PLAN) -> Measurement:
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: profiler.now_s))
    outcome = profiler.measure(block(), plan)
    assert isinstance(outcome, Measurement), outcome
    return outcome


def test_a_short_workload_is_called_in_groups_that_span_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = measured(monkeypatch, profiler := Scripted(0.0003))
    assert outcome.calls_per_sample == 4  # the fewest that span a millisecond
    assert profiler.runs == [1] + [4] * 6
    assert outcome.samples_s == (0.0003,) * 6


def test_a_long_workload_is_called_once_for_each_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured(monkeypatch, profiler := Scripted(0.02)).calls_per_sample == 1
    assert profiler.runs == [1] * 7


def test_warming_up_lasts_as_long_as_planned_and_is_not_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = measured(monkeypatch, profiler := Scripted(0.3, 0.1, 0.09, 0.02), replace(PLAN, warm_up_s=0.5))
    assert outcome.samples_s == (0.02,) * 6
    assert profiler.runs == [1] * 10  # 0.3 + 0.1 + 0.09 is not yet 0.5, the fourth call makes it 0.51


def test_groups_are_sized_by_the_fastest_warm_up_call(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured(monkeypatch, Scripted(0.005, 0.0004, 0.006), replace(PLAN, warm_up_s=0.01)).calls_per_sample == 3


def test_samples_are_kept_in_the_order_they_were_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = measured(monkeypatch, Scripted(0.01, 0.05, 0.02, 0.04, 0.03, 0.01, 0.06, 0.02))
    assert outcome.samples_s == (0.05, 0.02, 0.04, 0.03, 0.01, 0.06, 0.02, 0.02, 0.02, 0.02)


def test_a_sample_is_the_mean_of_its_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = measured(monkeypatch, Scripted(0.0005, *[0.0004, 0.0006] * 3, *[0.0005] * 6))
    assert outcome.samples_s == (0.0005,) * 6


def test_equal_times_stop_as_precise(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = measured(monkeypatch, Scripted(0.01))
    assert (outcome.stopped, len(outcome.samples_s)) == ("precise", 6)


def test_equal_times_go_on_until_they_span_the_least_time(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(PLAN, least_s=2.0, limit_s=9.0)
    outcome = measured(monkeypatch, Scripted(0.25), plan)
    assert (outcome.stopped, len(outcome.samples_s)) == ("precise", 8)


def test_scattered_times_stop_at_the_most_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = measured(monkeypatch, Scripted(*[0.01, 0.02] * 10))
    assert (outcome.stopped, len(outcome.samples_s)) == ("most samples", 10)


def test_scattered_times_of_a_slow_workload_stop_at_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = measured(monkeypatch, Scripted(*[0.1, 0.2] * 10))
    assert (outcome.stopped, len(outcome.samples_s)) == ("time limit", 7)


def test_a_workload_slower_than_the_limit_still_gets_six_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = measured(monkeypatch, Scripted(30.0), replace(PLAN, least_samples=15, most_samples=20))
    assert (outcome.stopped, len(outcome.samples_s)) == ("time limit", 6)


def test_warming_up_does_not_count_towards_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(PLAN, warm_up_s=50.0, least_samples=9)
    assert len(measured(monkeypatch, Scripted(10.0, 10.0, 10.0, 10.0, 10.0, 0.001), plan).samples_s) == 9


def test_the_state_is_read_around_the_samples_and_before_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = measured(monkeypatch, profiler := Scripted(0.01))
    assert profiler.events == ["state", "state", "released"]
    assert (outcome.before.load_1min, outcome.after.load_1min) == (1.0, 7.0)


def test_the_moment_is_kept_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    offset = datetime.fromisoformat(measured(monkeypatch, Scripted(0.01)).measured_at).utcoffset()
    assert offset is not None
    assert offset.total_seconds() == 0


@pytest.mark.parametrize("seconds", [0.0, -1.0], ids=["stands still", "runs backwards"])
def test_a_clock_that_tells_no_time_is_a_failure_and_no_number(seconds: float) -> None:
    reason = f"a sample must be above 0 s; 10000 call(s) took {seconds} s each"
    assert_failed(Scripted(seconds).measure(block(), PLAN), "run", reason)


@pytest.mark.parametrize("seconds", [0.0, -0.5, float("nan")])
def test_a_clock_that_fails_later_is_a_failure_and_no_number(seconds: float) -> None:
    assert_failed(Scripted(0.01, 0.01, 0.01, seconds).measure(block(), PLAN), "run")


def test_a_time_that_is_no_number_is_a_failure() -> None:
    assert_failed(Scripted(float("nan")).measure(block(), PLAN), "run")


@pytest.mark.parametrize("stage", ["build", "load", "run"])
def test_a_profiling_error_keeps_its_stage_and_words(stage: str) -> None:
    profiler = Scripted(0.01)
    profiler.on_open = ProfilingError(stage, "no such kernel")
    assert_failed(profiler.measure(block(), PLAN), stage, "no such kernel")


@pytest.mark.parametrize("error", [MemoryError("too large"), KeyError("output"), OSError(5, "gone"), RecursionError()])
def test_any_error_is_a_failure_at_the_stage_where_it_happened_and_the_next_is_measured(error: Exception) -> None:
    profiler = Scripted(0.01)
    profiler.on_open = error
    assert_failed(profiler.measure(block(), PLAN), "load", f"{type(error).__name__}: {error}".strip())
    profiler.on_open, profiler.on_run = None, error
    assert_failed(profiler.measure(block(), PLAN), "run", f"{type(error).__name__}: {error}".strip())
    assert profiler.events == ["released"]
    profiler.on_run = None
    assert isinstance(profiler.measure(block(), PLAN), Measurement)


@pytest.mark.parametrize("where", ["on_open", "on_run"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interruption_passes_through(where: str, error: type[BaseException]) -> None:
    profiler = Scripted(0.01)
    setattr(profiler, where, error())
    with pytest.raises(error):
        profiler.measure(block(), PLAN)


def test_a_long_reason_is_cut_and_put_on_one_line() -> None:
    profiler = Scripted(0.01)
    profiler.on_open = ProfilingError("load", "node\n\t 1  failed " + "x" * 10_000)
    outcome = profiler.measure(block(), PLAN)
    assert isinstance(outcome, Failure)
    assert outcome.reason.startswith("node 1 failed xxx")
    assert len(outcome.reason) == 500


def test_an_error_without_words_still_has_a_reason() -> None:
    profiler = Scripted(0.01)
    profiler.on_open = ProfilingError("load", " \n")
    assert_failed(profiler.measure(block(), PLAN), "load", "no reason given")


def assert_failed(outcome: Outcome, stage: str, reason: str | None = None) -> None:
    assert isinstance(outcome, Failure)
    assert outcome.stage == stage
    assert reason is None or outcome.reason == reason
    assert (outcome.workload, outcome.environment) == (block(), ENVIRONMENT)
