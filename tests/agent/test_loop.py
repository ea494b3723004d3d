"""The loop that measures, on a clock that is a script."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from agent import loop
from agent.loop import ProfilingError, Taken, TimedRun, burst_json, profiling_errors, take_burst, utc_now
from agent.sentinel import Sentinel
from devices import DeviceState
from latency import Burst, Costs, SamplingPlan

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


class Scripted:
    """Takes ``seconds`` for each call in turn, the last one for ever, and keeps its own time."""

    def __init__(self, *seconds: float) -> None:
        self.seconds = list(seconds)
        self.now_s = 0.0
        self.runs: list[int] = []
        self.events: list[str] = []
        self.disturbed_runs: list[int] = []

    def disturbances(self) -> int:
        return sum(run <= len(self.runs) for run in self.disturbed_runs)

    def state(self) -> dict[str, float]:
        self.events.append("state")
        return {"load_1min": float(len(self.runs))}

    def costs(self) -> dict[str, float]:
        self.events.append("costs")
        return {"peak_memory_bytes": len(self.runs)}

    def run(self, calls: int) -> float:
        self.runs.append(calls)
        spent = [self.seconds.pop(0) if len(self.seconds) > 1 else self.seconds[0] for _ in range(calls)]
        self.now_s += sum(spent)
        return sum(spent)

    def burst(self, plan: SamplingPlan = PLAN, sentinel: Sentinel | None = None) -> Taken:
        return take_burst(TimedRun(self.run, self.costs), plan, self.state, self.disturbances, sentinel)


def measured(
    monkeypatch: pytest.MonkeyPatch, scripted: Scripted, plan: SamplingPlan = PLAN, sentinel: Sentinel | None = None
) -> Taken:
    """A burst that knows no other time than the script's."""
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: scripted.now_s))
    return scripted.burst(plan, sentinel)


def test_a_short_workload_is_called_in_groups_that_span_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = measured(monkeypatch, scripted := Scripted(0.0003))
    assert taken.calls_per_sample == 4  # the fewest that span a millisecond
    assert scripted.runs == [1] + [4] * 6
    assert taken.samples_s == (0.0003,) * 6


def test_a_long_workload_is_called_once_for_each_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured(monkeypatch, scripted := Scripted(0.02)).calls_per_sample == 1
    assert scripted.runs == [1] * 7


def test_warming_up_lasts_as_long_as_planned_and_is_not_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(PLAN, warm_up_s=0.5, most_warm_up_s=0.5)
    taken = measured(monkeypatch, scripted := Scripted(9.0, 0.3, 0.1, 0.09, 0.02), plan)
    assert taken.samples_s == (0.02,) * 6
    assert scripted.runs == [1] * 11  # 0.3 + 0.1 + 0.09 is not yet 0.5, the fifth call makes it 0.51


def test_warming_up_goes_on_while_calls_grow_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(PLAN, warm_up_s=0.1, most_warm_up_s=9.0)
    falling = [0.1 * 0.9**step for step in range(20)]
    taken = measured(monkeypatch, Scripted(*falling), plan)
    assert set(taken.samples_s) == {round(falling[-1], 10)}


def test_groups_are_sized_by_the_fastest_warm_up_call(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(PLAN, warm_up_s=0.01, most_warm_up_s=0.01)
    assert measured(monkeypatch, Scripted(0.005, 0.005, 0.0004, 0.006), plan).calls_per_sample == 3


def test_samples_are_kept_in_the_order_they_were_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = measured(monkeypatch, Scripted(0.01, 0.05, 0.02, 0.04, 0.03, 0.01, 0.06, 0.02))
    assert taken.samples_s == (0.05, 0.02, 0.04, 0.03, 0.01, 0.06, 0.02, 0.02, 0.02, 0.02)


def test_a_sample_is_the_mean_of_its_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = measured(monkeypatch, Scripted(0.0005, *[0.0004, 0.0006] * 3, *[0.0005] * 6))
    assert taken.samples_s == (0.0005,) * 6


def test_equal_times_stop_as_precise(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = measured(monkeypatch, Scripted(0.01))
    assert (taken.stopped, len(taken.samples_s)) == ("precise", 6)


def test_equal_times_go_on_until_they_span_the_least_time(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(PLAN, least_s=2.0, limit_s=9.0)
    taken = measured(monkeypatch, Scripted(0.25), plan)
    assert (taken.stopped, len(taken.samples_s)) == ("precise", 8)


def test_scattered_times_stop_at_the_most_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = measured(monkeypatch, Scripted(*[0.01, 0.02] * 10))
    assert (taken.stopped, len(taken.samples_s)) == ("most samples", 10)


def test_scattered_times_of_a_slow_workload_stop_at_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = measured(monkeypatch, Scripted(*[0.1, 0.2] * 10))
    assert (taken.stopped, len(taken.samples_s)) == ("time limit", 7)


def test_a_workload_slower_than_the_limit_still_gets_six_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = measured(monkeypatch, Scripted(30.0), replace(PLAN, least_samples=15, most_samples=20))
    assert (taken.stopped, len(taken.samples_s)) == ("time limit", 6)


def test_warming_up_does_not_count_towards_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(PLAN, warm_up_s=50.0, most_warm_up_s=50.0, least_samples=9)
    assert len(measured(monkeypatch, Scripted(10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 0.001), plan).samples_s) == 9


def test_a_sample_during_which_something_disturbed_is_discarded(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted = Scripted(0.01, 0.01, 0.5, 0.01, 0.6, 0.01)
    scripted.disturbed_runs = [3, 5]
    taken = measured(monkeypatch, scripted, replace(PLAN, limit_s=9.0))
    assert taken.samples_s == (0.01,) * 6
    assert (taken.discarded, taken.disturbed, len(scripted.runs)) == (2, False, 9)


def test_what_is_disturbed_without_end_is_kept_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted = Scripted(0.1)
    scripted.disturbed_runs = list(range(2, 1000))
    taken = measured(monkeypatch, scripted)
    assert (taken.discarded, taken.disturbed, taken.stopped) == (0, True, "time limit")
    assert len(taken.samples_s) == pytest.approx(50, abs=1)  # Five times the limit of a second.


def look_of(*looks_s: float) -> Sentinel:
    """A sentinel that is used to a hundredth of a second, and then sees these, the last one for ever."""
    seen = [0.01] * 80 + [look_s for look_s in looks_s for _ in range(3)]
    return Sentinel(lambda calls: calls * (seen.pop(0) if len(seen) > 1 else seen[0]))


def test_a_sample_beside_a_slow_sentinel_is_discarded(monkeypatch: pytest.MonkeyPatch) -> None:
    # A look before the first sample and one after each: the slow one is beside the third and the fourth.
    sentinel = look_of(0.01, 0.01, 0.01, 0.015, 0.01)
    taken = measured(monkeypatch, Scripted(0.01, 0.011, 0.012, 0.5, 0.6, 0.012), replace(PLAN, limit_s=9.0), sentinel)
    assert not {0.5, 0.6} & set(taken.samples_s)
    assert taken.samples_s[:3] == (0.011, 0.012, 0.012)
    assert (taken.discarded, taken.disturbed) == (2, False)
    assert taken.sentinel_s == pytest.approx(0.01)


def test_after_the_sentinel_a_short_workload_finds_the_caches_as_it_left_them(monkeypatch: pytest.MonkeyPatch) -> None:
    short, long = Scripted(0.0003), Scripted(0.02)
    measured(monkeypatch, short, sentinel=look_of(0.01))
    assert short.runs == [1] + [1, 4] * 6
    measured(monkeypatch, long, sentinel=look_of(0.01))
    assert long.runs == [1] * 7


def test_without_a_sentinel_nothing_is_known_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured(monkeypatch, Scripted(0.01)).sentinel_s is None


def test_the_state_is_read_around_the_samples_and_costs_are_asked_once_after_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = measured(monkeypatch, scripted := Scripted(0.01))
    assert scripted.events == ["state", "state", "costs"]
    assert (taken.before, taken.after) == ({"load_1min": 1.0}, {"load_1min": 7.0})
    assert taken.costs == {"peak_memory_bytes": 7}


def test_a_run_without_costs_has_none() -> None:
    run = TimedRun(Scripted(0.01).run)
    assert (run(2), run.costs()) == (0.02, {})


def assert_no_time(scripted: Scripted, words: str, sentinel: Sentinel | None = None) -> None:
    with pytest.raises(ProfilingError, match=words) as caught:
        scripted.burst(PLAN, sentinel)
    assert caught.value.stage == "run"


def test_a_clock_that_stands_still_is_an_error_and_no_number() -> None:
    assert_no_time(Scripted(0.0), r"^a sample must be above 0 s and finite; 10000 call\(s\) took 0.0 s each$")


@pytest.mark.parametrize("jump_s", [-1.0, math.nan, math.inf])
def test_a_clock_that_jumps_in_the_warm_up_is_an_error_at_once(jump_s: float) -> None:
    assert_no_time(scripted := Scripted(jump_s), f"^a call must take 0 s or more; .* one took {jump_s} s$")
    assert scripted.runs == [1]


@pytest.mark.parametrize("jump_s", [0.0, -0.5, math.nan, math.inf, -math.inf])
def test_a_clock_that_jumps_later_is_an_error_and_no_number(jump_s: float) -> None:
    assert_no_time(Scripted(0.01, 0.01, 0.01, jump_s), f"took {jump_s} s each")


@pytest.mark.parametrize("look_s", [0.0, -1.0, math.nan, math.inf])
def test_a_sentinel_whose_clock_fails_is_an_error_and_no_number(look_s: float) -> None:
    assert_no_time(Scripted(0.01), f"the sentinel must .* it took {look_s} s", Sentinel(lambda calls: calls * look_s))


@pytest.mark.parametrize("stage", ["build", "load", "run"])
def test_any_error_of_a_runtime_becomes_one_with_the_stage_where_it_happened(stage: str) -> None:
    with pytest.raises(ProfilingError, match=r"^KeyError: 'output'$") as caught, profiling_errors(stage):
        raise KeyError("output")
    assert caught.value.stage == stage
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_error_that_says_its_stage_keeps_it() -> None:
    with pytest.raises(ProfilingError, match=r"^no such kernel$") as caught, profiling_errors("run"):
        raise ProfilingError("build", "no such kernel")
    assert caught.value.stage == "build"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interruption_is_no_error_of_a_runtime(error: type[BaseException]) -> None:
    with pytest.raises(error), profiling_errors("run"):
        raise error


def written(taken: Taken, process: str = "7-1f") -> dict[str, Any]:
    values: dict[str, Any] = json.loads(json.dumps(burst_json(taken, "2025-01-02T03:04:05+00:00", process)))
    return values


def test_a_burst_is_written_as_a_table_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted = Scripted(0.01, 0.01, 0.5, 0.01)
    scripted.disturbed_runs = [3]
    taken = measured(monkeypatch, scripted, replace(PLAN, limit_s=9.0), look_of(0.01))
    assert Burst.from_json(written(taken)) == Burst(
        samples_s=(0.01,) * 6,
        calls_per_sample=1,
        stopped="precise",
        before=DeviceState(load_1min=1.0),
        after=DeviceState(load_1min=8.0),
        measured_at="2025-01-02T03:04:05+00:00",
        discarded=1,
        process="7-1f",
        sentinel_s=taken.sentinel_s,
        costs=Costs(peak_memory_bytes=8),
    )


@pytest.mark.parametrize("process", ["7-1f", ""])
def test_a_burst_is_written_as_the_host_writes_it(monkeypatch: pytest.MonkeyPatch, process: str) -> None:
    taken = measured(monkeypatch, Scripted(0.01))._replace(costs={})
    assert written(taken, process) == Burst.from_json(written(taken, process)).to_json()
    disturbed = taken._replace(disturbed=True, discarded=3, sentinel_s=0.01, costs={"energy_j": 0.5})
    assert written(disturbed, process) == Burst.from_json(written(disturbed, process)).to_json()


def test_now_is_in_utc_and_to_the_second() -> None:
    now = datetime.fromisoformat(utc_now())
    assert (now.utcoffset(), now.microsecond) == (timedelta(0), 0)


def test_the_name_of_a_process_begins_with_its_number() -> None:
    assert loop.PROCESS.startswith(f"{os.getpid()}-")
