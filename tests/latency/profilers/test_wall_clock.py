"""What profilers share that go by the host's clock."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, final

import pytest

from agent.runtimes.wall_clock import without_collection
from devices import DeviceState, NotAvailable, WrongUse
from latency import Failure, Measurement, Missing, ProfilingError, Workload
from latency.profilers.wall_clock import WallClockProfiler
from tests.contracts.examples import DEVICE, QUICK, block, idle

MOST_WAIT_S = 300.0
"""After which a neighbour on the same core must have been seen; the kernel changes turns every few milliseconds."""


@final
class Stopwatch(WallClockProfiler):
    """Times whatever the tests put in."""

    name = "stopwatch"
    choices = {"hands": ("two", "three")}
    absent: Missing | None = None

    def __init__(self, *arguments: Any, call: Callable[[], Any] = lambda: None) -> None:
        super().__init__(*arguments)
        self.call = call
        self.events: list[str] = []

    @classmethod
    def missing(cls) -> Missing | None:
        return cls.absent

    def versions(self) -> Mapping[str, str]:
        return {"stopwatch": "1.0"}

    def fixed_options(self) -> Mapping[str, str]:
        return {"face": "white"}

    @contextmanager
    def running(self) -> Iterator[None]:
        self.events.append("on")
        yield
        self.events.append("off")

    @contextmanager
    def load(self, workload: Workload) -> Iterator[Callable[[], Any]]:
        if workload.precision != "fp32":
            raise ProfilingError("load", "no such figures on its face")
        self.events.append("load")
        yield self.call
        self.events.append("release")


def test_its_environment_holds_device_versions_threads_and_all_options() -> None:
    environment = Stopwatch(DEVICE, idle, 3, {"hands": "three"}).environment
    assert environment.device == DEVICE
    runtime = environment.runtime
    assert (runtime.name, runtime.versions, runtime.threads) == ("stopwatch", {"stopwatch": "1.0"}, 3)
    assert runtime.options == {"face": "white", "hands": "three"}
    assert Stopwatch(DEVICE, idle).environment.runtime.options["hands"] == "two"


def test_fewer_than_one_thread_is_refused() -> None:
    with pytest.raises(WrongUse, match="at least 1 thread; got 0"):
        Stopwatch(DEVICE, idle, 0)


def test_an_unknown_option_is_refused_with_the_known_ones() -> None:
    with pytest.raises(WrongUse, match=r"no option of stopwatch 'hand'\. Did you mean 'hands'"):
        Stopwatch(DEVICE, idle, 1, {"hand": "two"})


def test_a_missing_runtime_is_refused_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stopwatch, "absent", Missing("it stands still", "Wind it up."))
    with pytest.raises(NotAvailable, match=r"stopwatch cannot be used here: it stands still\. Wind it up\."):
        Stopwatch(DEVICE, idle)


def test_a_run_calls_as_often_as_it_was_told_and_adds_the_calls_up() -> None:
    calls: list[float] = []
    profiler = Stopwatch(DEVICE, idle, call=lambda: calls.append(time.perf_counter()))
    with profiler.open(block()) as run:
        before = time.perf_counter()
        took_s = run(5)
        after = time.perf_counter()
    assert len(calls) == 5
    assert calls[-1] - calls[0] <= took_s <= after - before


def test_a_workload_is_measured_with_the_state_before_and_after() -> None:
    loads = iter((0.1, 0.2))
    profiler = Stopwatch(DEVICE, lambda: DeviceState(load_1min=next(loads)), call=lambda: sum(range(100)))
    outcome = profiler.measure(block(), QUICK)
    assert isinstance(outcome, Measurement), outcome
    burst = outcome.bursts[0]
    assert min(burst.samples_s) > 0
    assert (burst.before.load_1min, burst.after.load_1min) == (0.1, 0.2)


def test_a_workload_that_cannot_be_loaded_is_a_failure_and_the_next_one_is_measured() -> None:
    profiler = Stopwatch(DEVICE, idle)
    outcome = profiler.measure(replace(block(), precision="int8"), QUICK)
    assert isinstance(outcome, Failure)
    assert (outcome.stage, outcome.reason) == ("load", "no such figures on its face")
    assert isinstance(profiler.measure(block(), QUICK), Measurement)


def test_what_is_in_force_while_calls_run_is_so_for_each_sample_and_not_between_them() -> None:
    profiler = Stopwatch(DEVICE, idle)
    profiler.call = lambda: profiler.events.append("call")
    with profiler.open(block()) as run:
        run(2)
        profiler.events.append("between")
        run(1)
    assert profiler.events == ["load", "on", "call", "call", "off", "between", "on", "call", "off", "release"]


def test_no_garbage_is_collected_while_a_sample_is_taken_and_it_is_afterwards() -> None:
    seen = []
    profiler = Stopwatch(DEVICE, idle, call=lambda: seen.append(gc.isenabled()))
    assert gc.isenabled()
    with profiler.open(block()) as run:
        run(2)
    assert seen == [False, False]
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off_and_one_that_was_on_is_on_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), without_collection():
        raise ZeroDivisionError
    assert gc.isenabled()
    gc.disable()
    try:
        with without_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


@contextmanager
def neighbour_on(core: int) -> Iterator[None]:
    """Share ``core`` with another process that never rests."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    busy = f"import os\nos.sched_setaffinity(0, {{{core}}})\nwhile True: pass"
    process = subprocess.Popen([sys.executable, "-c", busy])
    try:
        yield
    finally:
        process.kill()
        process.wait()
        os.sched_setaffinity(0, before)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not bind processes to a core")
def test_disturbances_grow_when_a_neighbour_takes_the_core() -> None:
    profiler = Stopwatch(DEVICE, idle)
    with neighbour_on(min(os.sched_getaffinity(0))):
        before, until = profiler.disturbances(), time.monotonic() + MOST_WAIT_S
        while profiler.disturbances() == before and time.monotonic() < until:
            sum(range(10_000))
        assert profiler.disturbances() > before
