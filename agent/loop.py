"""The one loop that measures: warm up, take samples until there are enough, and set disturbed ones aside."""

import math
import os
import time
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any, Callable, Dict, Iterator, NamedTuple, Optional, Tuple

from agent.sampling import BurstPlan, Samples, WarmUp
from agent.sentinel import Sentinel

_SAMPLE_DIGITS = 10
"""Digits kept of a sample in seconds: a tenth of a nanosecond, below every timer, and short in a table."""

PROCESS = f"{os.getpid()}-{int(time.time() * 1e9):x}"
"""Names this process in bursts."""


class TimedRun:
    """A workload that is loaded and ready to run.

    Attributes:
        run: runs it that many times and returns the seconds they took together, by the runtime's own clock.
        costs: what it costs beside time, as a mapping of the known fields of ``latency.Costs`` or, on the host, as
            those themselves; asked once, after the last sample.
    """

    def __init__(self, run: Callable[[int], float], costs: Callable[[], Any] = dict) -> None:
        self.run = run
        self.costs = costs

    def __call__(self, calls: int) -> float:
        """Seconds that ``calls`` calls took together."""
        return self.run(calls)


class ProfilingError(Exception):
    """A workload could not be timed.

    Attributes:
        stage: ``build``, ``load`` or ``run``.
    """

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(reason)
        self.stage = stage


@contextmanager
def profiling_errors(stage: str) -> Iterator[None]:
    """Make a ProfilingError of whatever a runtime raises within: its errors are of types that nobody can list.

    Args:
        stage: where it happens, unless the error says so itself.

    Raises:
        ProfilingError: something was raised.
    """
    try:
        yield
    except ProfilingError:
        raise
    except Exception as error:  # The one place where a runtime's errors become ours.
        raise ProfilingError(stage, f"{type(error).__name__}: {error}") from error


class Taken(NamedTuple):
    """What one burst gave.

    Attributes:
        samples_s: samples to go by, in the order they were taken, seconds per call.
        calls_per_sample: calls that each sample is the mean of.
        stopped: why sampling ended, see ``agent.sampling.reason_to_stop``.
        before: state of the device after the warm-up, as ``state`` gave it.
        after: state after the last sample.
        discarded: samples thrown away because something disturbed them.
        disturbed: whether hardly any sample was not, so that disturbed ones were kept for want of better ones.
        sentinel_s: what the sentinel took beside the samples that were kept (median); None without one.
        costs: as the run's ``costs`` gave them.
    """

    samples_s: Tuple[float, ...]
    calls_per_sample: int
    stopped: str
    before: Any
    after: Any
    discarded: int
    disturbed: bool
    sentinel_s: Optional[float]
    costs: Any


def take_burst(
    run: TimedRun,
    plan: BurstPlan,
    state: Callable[[], Any],
    disturbances: Callable[[], int],
    sentinel: Optional[Sentinel] = None,
) -> Taken:
    """Warm up and take the samples of one burst.

    Args:
        run: what to time.
        plan: how.
        state: reads the state of the device; asked before the first sample and after the last.
        disturbances: a count that grows when something disturbs what runs. A sample during which it grew is discarded.
            Asked before and after every sample, so it must take less than some microseconds.
        sentinel: looks at the machine between samples; those beside which it is slow are discarded.

    Raises:
        ProfilingError: a clock stood still or jumped, so that a time is not above 0, or not finite.
    """
    calls = _warm_up(run, plan)
    before = state()
    samples = _sample(run, calls, plan, disturbances, sentinel)
    sentinel_s = samples.sentinel_s()
    if sentinel_s is not None and not 0 < sentinel_s < math.inf:
        raise ProfilingError("run", f"the sentinel must take more than 0 s; it took {sentinel_s} s")
    return Taken(
        samples_s=samples.kept(),
        calls_per_sample=calls,
        stopped=samples.stopped,
        before=before,
        after=state(),
        discarded=samples.discarded,
        disturbed=samples.are_disturbed,
        sentinel_s=sentinel_s,
        costs=run.costs(),
    )


def _warm_up(run: TimedRun, plan: BurstPlan) -> int:
    """Call until the warm-up is over; returns the calls that make one sample long enough."""
    warm_up = WarmUp(plan)
    while warm_up.go_on():
        call_s = run(1)
        # A clock that is too coarse for one call says 0. One that jumped would have thousands of calls grouped.
        if not 0 <= call_s < math.inf:
            raise ProfilingError("run", f"a call must take 0 s or more; the clock jumped and one took {call_s} s")
        warm_up.take(call_s)
    return warm_up.calls_per_sample()


def _sample(
    run: TimedRun, calls: int, plan: BurstPlan, disturbances: Callable[[], int], sentinel: Optional[Sentinel]
) -> Samples:
    samples, started, spent_s = Samples(plan), time.monotonic(), 0.0
    earlier_s = None if sentinel is None else sentinel.look()
    # Whichever clock is ahead: the runtime's own is behind where a host is slow to launch, and this one where a
    # replayed or simulated run takes no time at all.
    while samples.go_on(max(spent_s, time.monotonic() - started)):
        if sentinel is not None and calls > 1:
            run(1)  # It finds the sentinel's data in the caches, and is a small part of a long call anyway.
        count = disturbances()
        sample_s = _one_sample(run, calls)
        disturbed = disturbances() > count
        spent_s += sample_s * calls
        if sentinel is None or earlier_s is None:
            samples.take(sample_s, disturbed=disturbed)
            continue
        later_s = sentinel.look()
        disturbed = disturbed or sentinel.is_disturbed(earlier_s, later_s)
        samples.take(sample_s, disturbed=disturbed, sentinel_s=(earlier_s + later_s) / 2)
        earlier_s = later_s
    return samples


def _one_sample(run: TimedRun, calls: int) -> float:
    """Seconds per call. A clock that stands still or jumps is a failure of the run, not a time."""
    sample_s = round(run(calls) / calls, _SAMPLE_DIGITS)
    if not 0 < sample_s < math.inf:
        raise ProfilingError("run", f"a sample must be above 0 s and finite; {calls} call(s) took {sample_s} s each")
    return sample_s


def burst_json(taken: Taken, measured_at: str, process: str) -> Dict[str, Any]:
    """A burst as ``latency.Burst.from_json`` reads it; what is empty is left out.

    Args:
        taken: the burst; its states and costs are plain values.
        measured_at: ISO 8601 time in UTC.
        process: a name shared by all bursts of one process.
    """
    values = dict(taken._asdict(), samples_s=list(taken.samples_s), measured_at=measured_at, process=process)
    empty = [name for name in ("discarded", "disturbed", "process", "sentinel_s", "costs") if not values[name]]
    return {name: value for name, value in values.items() if name not in empty}


def utc_now() -> str:
    """This moment in UTC as bursts and failures carry it: ISO 8601, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
