"""Bursts and failures of a profiler whose clock is a script, and of a simulated machine with a neighbour."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace

import pytest

from agent import loop
from devices import DeviceState, NotAvailable, WrongUse
from latency import (
    UNFINISHED,
    Burst,
    Costs,
    Failure,
    Measurement,
    Missing,
    Outcome,
    Profiler,
    ProfilingError,
    SamplingPlan,
    Sentinel,
    TimedRun,
    Workload,
    joined,
)
from tests.contracts.examples import ENVIRONMENT, block

PLAN = SamplingPlan(
    warm_up_s=0.0,
    most_warm_up_s=0.0,
    sample_s=1e-3,
    least_samples=6,
    least_s=0.0,
    most_samples=10,
    precision=0.01,
    limit_s=1.0,
)


class Scripted(Profiler):
    """Takes ``seconds`` for each call in turn, the last one for ever, and keeps its own time."""

    name = "scripted"
    choices = {"pen": ("ink", "lead"), "paper": ("white",)}

    def __init__(self, *seconds: float) -> None:
        super().__init__(ENVIRONMENT, self.read_state)
        self.seconds = list(seconds)
        self.now_s = 0.0
        self.runs: list[int] = []
        self.events: list[str] = []
        self.disturbed_runs: list[int] = []
        self.costs: Callable[[], object] = Costs
        self.on_open: BaseException | None = None
        self.on_run: BaseException | None = None

    @classmethod
    def missing(cls) -> Missing | None:
        return None

    def disturbances(self) -> int:
        return sum(run <= len(self.runs) for run in self.disturbed_runs)

    def read_state(self) -> DeviceState:
        self.events.append("state")
        return DeviceState(load_1min=float(len(self.runs)))

    @contextmanager
    def open(self, workload: Workload) -> Iterator[TimedRun]:
        if self.on_open:
            raise self.on_open
        try:
            yield TimedRun(self.run, self.costs)
        finally:
            self.events.append("released")

    def run(self, calls: int) -> float:
        if self.on_run:
            raise self.on_run
        self.runs.append(calls)
        spent = [self.seconds.pop(0) if len(self.seconds) > 1 else self.seconds[0] for _ in range(calls)]
        self.now_s += sum(spent)
        return sum(spent)


def measured(
    monkeypatch: pytest.MonkeyPatch, profiler: Scripted, plan: SamplingPlan = PLAN, sentinel: Sentinel | None = None
) -> Burst:
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: profiler.now_s))
    outcome = profiler.measure(block(), plan, sentinel)
    assert isinstance(outcome, Measurement), outcome
    assert (outcome.workload, outcome.environment, outcome.plan) == (block(), ENVIRONMENT, plan)
    assert outcome.stopped == UNFINISHED
    (burst,) = outcome.bursts
    return burst


def test_the_state_is_read_around_the_samples_and_before_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = measured(monkeypatch, profiler := Scripted(0.01))
    assert profiler.events == ["state", "state", "released"]
    assert (outcome.before.load_1min, outcome.after.load_1min) == (1.0, 7.0)


def test_the_moment_is_kept_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    offset = datetime.fromisoformat(measured(monkeypatch, Scripted(0.01)).measured_at).utcoffset()
    assert offset is not None
    assert offset.total_seconds() == 0


def test_samples_are_taken_as_planned_and_kept_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = measured(monkeypatch, profiler := Scripted(0.0003, *[0.0004] * 4, *[0.0003] * 20, *[0.0005] * 20))
    assert profiler.runs == [1] + [4] * 10
    assert outcome.samples_s == pytest.approx([0.0004] + [0.0003] * 5 + [0.0005] * 4)
    assert (outcome.calls_per_sample, outcome.stopped, outcome.sentinel_s) == (4, "most samples", None)


def test_what_disturbs_the_profiler_discards_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    profiler = Scripted(0.01, 0.01, 0.5, 0.01, 0.6, 0.01)
    profiler.disturbed_runs = [3, 5]
    outcome = measured(monkeypatch, profiler, replace(PLAN, limit_s=9.0))
    assert outcome.samples_s == (0.01,) * 6
    assert (outcome.discarded, outcome.disturbed) == (2, False)


def test_what_is_disturbed_without_end_is_kept_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    profiler = Scripted(0.1)
    profiler.disturbed_runs = list(range(2, 1000))
    outcome = measured(monkeypatch, profiler)
    assert (outcome.discarded, outcome.disturbed, outcome.stopped) == (0, True, "time limit")


def test_the_sentinel_is_looked_at_beside_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    sentinel = Sentinel(lambda calls: calls * 0.002)
    assert measured(monkeypatch, Scripted(0.01), sentinel=sentinel).sentinel_s == pytest.approx(0.002)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("good", [0, 3])
def test_a_clock_that_tells_no_time_is_a_failure_and_no_number(seconds: float, good: int) -> None:
    assert_failed(Scripted(*[0.01] * good, seconds).measure(block(), PLAN), "run")


def test_all_bursts_of_one_process_have_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {measured(monkeypatch, Scripted(0.01)).process for _ in range(2)}
    assert names == {loop.PROCESS}


@pytest.mark.parametrize("kind", [Costs, dict])
def test_costs_are_asked_once_after_the_last_sample(monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    profiler = Scripted(0.01)

    def costs() -> object:
        profiler.events.append("costs")
        return kind(peak_memory_bytes=len(profiler.runs))

    profiler.costs = costs
    assert measured(monkeypatch, profiler).costs == Costs(peak_memory_bytes=7)
    assert profiler.events == ["state", "state", "costs", "released"]


@pytest.mark.parametrize("costs", [{"energy_j": -1.0}, {"no_such_cost": 1.0}], ids=str)
def test_costs_that_are_none_are_a_failure_of_the_run(costs: dict[str, float]) -> None:
    profiler = Scripted(0.01)
    profiler.costs = lambda: costs
    assert_failed(profiler.measure(block(), PLAN), "run")


def test_a_sentinel_that_fails_is_a_failure_of_the_run() -> None:
    def fail_later(calls: int) -> float:
        left.pop()
        return 0.01 * calls

    left = [0] * 83
    assert_failed(Scripted(0.01).measure(block(), PLAN, Sentinel(fail_later)), "run")


class Neighboured(Profiler):
    """A machine with a neighbour that comes and goes, simulated: nothing here waits for a real clock.

    The neighbour slows the workload by 30 % and the sentinel by 25 %; it is there four fifths of the time, for 0.24 s
    at a stretch, so that most bursts fall into its time whole.
    """

    name = "neighboured"
    quiet_s = 0.0011
    quiet_sentinel_s = 0.0002

    def __init__(self, seed: int) -> None:
        super().__init__(ENVIRONMENT, DeviceState)
        self.draw = random.Random(seed)
        self.now_s = 0.0

    @classmethod
    def missing(cls) -> Missing | None:
        return None

    def is_busy(self) -> bool:
        return self.now_s % 0.3 < 0.24

    def _spend(self, calls: int, call_s: float, slowdown: float) -> float:
        begun_s = self.now_s
        for _ in range(calls):
            self.now_s += call_s * self.draw.gauss(1, 0.005) * (slowdown if self.is_busy() else 1)
        return self.now_s - begun_s

    @contextmanager
    def open(self, workload: Workload) -> Iterator[TimedRun]:
        yield TimedRun(lambda calls: self._spend(calls, self.quiet_s, 1.3))

    def sentinel(self, usual_s: float | None) -> Sentinel:
        return Sentinel(lambda calls: self._spend(calls, self.quiet_sentinel_s, 1.25), usual_s)


WATCHFUL = SamplingPlan(sample_s=0.004, least_samples=6, least_s=0.05, limit_s=0.1, precision=0.01)
"""Five times its limit outlasts the neighbour."""


def of_several_processes(
    monkeypatch: pytest.MonkeyPatch, seed: int, usual_s: float | None, *, watched: bool = True
) -> Measurement:
    """Eight bursts, each begun at another moment by a process that is told what the one before it learned."""
    profiler = Neighboured(seed)
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: profiler.now_s))
    bursts = list[Measurement]()
    for _ in range(8):
        profiler.now_s += profiler.draw.uniform(0, 3)
        sentinel = profiler.sentinel(usual_s) if watched else None
        outcome = profiler.measure(block(), WATCHFUL, sentinel)
        assert isinstance(outcome, Measurement), outcome
        usual_s = None if sentinel is None else sentinel.usual_s
        bursts.append(outcome if not bursts else joined(bursts[-1], outcome))
    return bursts[-1]


@pytest.mark.parametrize("seed", range(5))
def test_beside_a_neighbour_the_sentinel_finds_the_time_of_the_quiet_machine(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    watched = of_several_processes(monkeypatch, seed, Neighboured.quiet_sentinel_s)
    assert watched.time_s == pytest.approx(Neighboured.quiet_s, rel=0.01)
    assert watched.discarded > len(watched.samples_s)
    assert not any(burst.disturbed for burst in watched.bursts)
    assert watched.bursts[0].sentinel_s == pytest.approx(Neighboured.quiet_sentinel_s, rel=0.02)
    # The neighbour may come in the middle of a sample; none is kept that was taken beside it from end to end.
    assert max(watched.samples_s) < 1.25 * Neighboured.quiet_s
    assert sum(sample > 1.03 * Neighboured.quiet_s for sample in watched.samples_s) <= 0.1 * len(watched.samples_s)


@pytest.mark.parametrize("seed", range(5))
def test_where_nobody_knows_what_is_usual_the_first_processes_learn_it(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    watched = of_several_processes(monkeypatch, seed, None)
    learned = replace(watched, bursts=watched.bursts[-3:], level_s=Neighboured.quiet_sentinel_s)
    assert learned.time_s == pytest.approx(Neighboured.quiet_s, rel=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_beside_a_neighbour_nobody_knows_better_without_the_sentinel(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    unwatched = of_several_processes(monkeypatch, seed, None, watched=False)
    assert unwatched.time_s > 1.1 * Neighboured.quiet_s
    assert unwatched.discarded == 0


def test_what_is_missing_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    Scripted.refuse_missing()
    monkeypatch.setattr(Scripted, "missing", lambda: Missing("there is no pen", "Buy one."))
    with pytest.raises(NotAvailable, match=r"^scripted cannot be used here: there is no pen\. Buy one\.$"):
        Scripted.refuse_missing()


def test_options_that_are_not_given_have_their_first_value() -> None:
    assert Scripted.chosen({}) == {"pen": "ink", "paper": "white"}
    assert Scripted.chosen({"pen": "lead"}) == {"pen": "lead", "paper": "white"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pan": "ink"}, "There is no option of scripted 'pan'. Did you mean 'pen'? Known: paper, pen."),
        ({"pen": "chalk"}, "pen must be one of ink, lead; got 'chalk'."),
    ],
)
def test_an_unknown_option_or_value_is_refused(options: dict[str, str], words: str) -> None:
    with pytest.raises(WrongUse) as caught:
        Scripted.chosen(options)
    assert str(caught.value) == words


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
