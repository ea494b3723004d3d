"""The contract of a profiler, with the one loop that measures."""

from __future__ import annotations

import abc
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import ClassVar, TypeAlias, final

from devices import DeviceState
from latency.measurement import Environment, Failure, Measurement, Outcome
from latency.sampling import SamplingPlan, reason_to_stop
from latency.workload import Workload

TimedRun: TypeAlias = Callable[[int], float]
"""Runs the opened workload that many times and returns the seconds it took, by the runtime's own clock."""

_MOST_CALLS_PER_SAMPLE = 10_000
"""Bound on grouping, for workloads so short that the runtime's clock reads 0."""

_SAMPLE_DIGITS = 10
"""Digits kept of a sample in seconds: a tenth of a nanosecond, below every timer, and short in a table."""

_MOST_REASON_CHARACTERS = 500
"""What a failure keeps of an error's words; runtimes print whole graphs."""


class ProfilingError(Exception):
    """A workload could not be timed.

    Attributes:
        stage: ``build``, ``load`` or ``run``.
    """

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(reason)
        self.stage = stage


class Profiler(abc.ABC):
    """Times workloads in one environment.

    A runtime implements ``open``; taking samples is done here, once for all. ``measure`` never raises for a workload
    that cannot be built or run: that is a ``Failure``, and the next workload is unaffected by it.
    """

    name: ClassVar[str]
    """Name in the registry, in targets and in tables."""

    @property
    @abc.abstractmethod
    def environment(self) -> Environment:
        """Device and runtime that every measurement of this profiler carries."""

    @abc.abstractmethod
    def open(self, workload: Workload) -> AbstractContextManager[TimedRun]:
        """Make ``workload`` ready to run and release it afterwards.

        Raises:
            ProfilingError: on entering, when it cannot be built or loaded.
        """

    @abc.abstractmethod
    def state(self) -> DeviceState:
        """State of the device at this moment."""

    @final
    def measure(self, workload: Workload, plan: SamplingPlan) -> Outcome:
        """Time ``workload`` as ``plan`` says.

        Returns:
            A measurement; or a failure when the workload cannot be built, loaded or run.
        """
        stage = "load"
        try:
            with self.open(workload) as run:
                stage = "run"
                return self._sample(workload, plan, run)
        except ProfilingError as error:
            return self._failure(workload, error.stage, str(error))
        except Exception as error:  # The one place where a runtime's errors, whose types are unknown, become ours.
            return self._failure(workload, stage, f"{type(error).__name__}: {error}")

    def _sample(self, workload: Workload, plan: SamplingPlan, run: TimedRun) -> Measurement:
        calls = _warm_up(run, plan)
        before, started, samples = self.state(), time.monotonic(), list[float]()
        spent_s = 0.0
        # Whichever clock is ahead: the runtime's own is behind where a host is slow to launch, and this one where a
        # replayed or simulated run takes no time at all.
        while (stopped := reason_to_stop(samples, max(spent_s, time.monotonic() - started), plan)) is None:
            samples.append(_one_sample(run, calls))
            spent_s += samples[-1] * calls
        return Measurement(
            workload=workload,
            environment=self.environment,
            plan=plan,
            samples_s=tuple(samples),
            calls_per_sample=calls,
            stopped=stopped,
            before=before,
            after=self.state(),
            measured_at=_now(),
        )

    def _failure(self, workload: Workload, stage: str, reason: str) -> Failure:
        short = " ".join(reason.split())[:_MOST_REASON_CHARACTERS]
        return Failure(workload, self.environment, stage, short or "no reason given", _now())


def _warm_up(run: TimedRun, plan: SamplingPlan) -> int:
    """Call until the warm-up time has passed; returns the calls that make one sample long enough."""
    spent_s, calls = run(1), 1
    fastest_s = spent_s
    while spent_s < plan.warm_up_s and calls < _MOST_CALLS_PER_SAMPLE:
        last_s = run(1)
        fastest_s, spent_s, calls = min(fastest_s, last_s), spent_s + last_s, calls + 1
    if fastest_s <= 0:
        return _MOST_CALLS_PER_SAMPLE
    return min(_MOST_CALLS_PER_SAMPLE, max(1, -int(-plan.sample_s // fastest_s)))


def _one_sample(run: TimedRun, calls: int) -> float:
    """Seconds per call. A clock that stands still or runs backwards is a failure of the run, not a time."""
    sample_s = round(run(calls) / calls, _SAMPLE_DIGITS)
    if not sample_s > 0:
        raise ProfilingError("run", f"a sample must be above 0 s; {calls} call(s) took {sample_s} s each")
    return sample_s


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
