"""The contract of a profiler, with the one loop that measures."""

from __future__ import annotations

import abc
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Literal, final

from devices import DeviceState, NotAvailable, WrongUse, unknown_name
from latency.burst import Burst, Costs
from latency.environment import Environment
from latency.measurement import UNFINISHED, Failure, Measurement, Outcome
from latency.sampling import Samples, SamplingPlan, WarmUp
from latency.sentinel import Sentinel
from latency.workload import Workload

_SAMPLE_DIGITS = 10
"""Digits kept of a sample in seconds: a tenth of a nanosecond, below every timer, and short in a table."""

_MOST_REASON_CHARACTERS = 500
"""What a failure keeps of an error's words; runtimes print whole graphs."""

PROCESS = f"{os.getpid()}-{time.time_ns():x}"
"""Names this process in bursts."""


@final
@dataclass(frozen=True)
class TimedRun:
    """A workload that is loaded and ready to run.

    Attributes:
        run: runs it that many times and returns the seconds they took together, by the runtime's own clock.
        costs: what it costs beside time; asked once, after the last sample.
    """

    run: Callable[[int], float]
    costs: Callable[[], Costs] = Costs

    def __call__(self, calls: int) -> float:
        """Seconds that ``calls`` calls took together."""
        return self.run(calls)


@final
@dataclass(frozen=True)
class Missing:
    """Why a profiler cannot be used here.

    Attributes:
        reason: a sentence.
        remedy: what to do about it: a command where there is one.
    """

    reason: str
    remedy: str


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


class Profiler(abc.ABC):
    """Times workloads in one environment.

    A runtime implements ``open``; taking samples is done here, once for all. ``measure`` never raises for a workload
    that cannot be built or run: that is a ``Failure``, and the next workload is unaffected by it.

    A subclass is constructed with (device, state, threads, options), and hands this class the environment that it makes
    of them.

    Args:
        environment: device and runtime that every measurement carries.
        state: reads the state of the device.
    """

    name: ClassVar[str]
    """Name in the registry, in targets and in tables."""

    accelerator: ClassVar[Literal["cpu", "cuda"]] = "cpu"
    """The kind of device whose time it takes."""

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Its options, each with the values it takes; the first is the default."""

    takes_turns: ClassVar[bool] = True
    """Whether another workload can run between two samples. No where a sample is a process or a record of its own."""

    patience_s: ClassVar[float] = 300.0
    """How long one burst of a workload, built and all, may take before its process counts as hanging."""

    @classmethod
    @abc.abstractmethod
    def missing(cls) -> Missing | None:
        """Why it cannot be used on this machine; None when it can. Imports nothing heavy that is not there."""

    @classmethod
    @final
    def refuse_missing(cls) -> None:
        """Raise NotAvailable, with the way out, when it cannot be used here."""
        if (missing := cls.missing()) is not None:
            raise NotAvailable(f"{cls.name} cannot be used here: {missing.reason}. {missing.remedy}")

    @classmethod
    @final
    def chosen(cls, options: Mapping[str, str]) -> dict[str, str]:
        """All options with their values: those given, and the defaults of the others.

        Raises:
            WrongUse: an option or its value is not among the choices.
        """
        for name, value in options.items():
            if name not in cls.choices:
                raise unknown_name(f"option of {cls.name}", name, cls.choices)
            if value not in cls.choices[name]:
                raise WrongUse(f"{name} must be one of {', '.join(cls.choices[name])}; got {value!r}.")
        return {name: options.get(name, values[0]) for name, values in cls.choices.items()}

    def __init__(self, environment: Environment, state: Callable[[], DeviceState]) -> None:
        self._environment = environment
        self._state = state

    @property
    def environment(self) -> Environment:
        """Device and runtime that every measurement of this profiler carries."""
        return self._environment

    @abc.abstractmethod
    def open(self, workload: Workload) -> AbstractContextManager[TimedRun]:
        """Make ``workload`` ready to run and release it afterwards.

        Raises:
            ProfilingError: on entering, when it cannot be built or loaded.
        """

    def state(self) -> DeviceState:
        """State of the device at this moment."""
        return self._state()

    def disturbances(self) -> int:
        """A count that grows when something disturbs what runs: a lost core, a fallen clock.

        A sample during which it grew is discarded. Asked before and after every sample, so it must take less than
        some microseconds.
        """
        return 0

    @final
    def measure(self, workload: Workload, plan: SamplingPlan, sentinel: Sentinel | None = None) -> Outcome:
        """Take one burst of samples of ``workload`` as ``plan`` says.

        Args:
            workload: what to time.
            plan: how.
            sentinel: looks at the machine between samples; those beside which it is slow are discarded.

        Returns:
            A measurement of one burst; or a failure when the workload cannot be built, loaded or run.
        """
        try:
            with profiling_errors("run"), ExitStack() as stack:
                with profiling_errors("load"):
                    run = stack.enter_context(self.open(workload))
                burst = self._burst(run, plan, sentinel)
        except ProfilingError as error:
            return self._failure(workload, error.stage, str(error))
        return Measurement(workload, self.environment, plan, (burst,), UNFINISHED)

    def _burst(self, run: TimedRun, plan: SamplingPlan, sentinel: Sentinel | None) -> Burst:
        calls = _warm_up(run, plan)
        before = self.state()
        samples = self._sample(run, calls, plan, sentinel)
        return Burst(
            samples_s=samples.kept(),
            calls_per_sample=calls,
            stopped=samples.stopped,
            before=before,
            after=self.state(),
            measured_at=_now(),
            discarded=samples.discarded,
            disturbed=samples.are_disturbed,
            process=PROCESS,
            sentinel_s=samples.sentinel_s(),
            costs=run.costs(),
        )

    def _sample(self, run: TimedRun, calls: int, plan: SamplingPlan, sentinel: Sentinel | None) -> Samples:
        samples, started, spent_s = Samples(plan), time.monotonic(), 0.0
        earlier_s = None if sentinel is None else sentinel.look()
        # Whichever clock is ahead: the runtime's own is behind where a host is slow to launch, and this one where a
        # replayed or simulated run takes no time at all.
        while samples.go_on(max(spent_s, time.monotonic() - started)):
            if sentinel is not None and calls > 1:
                run(1)  # It finds the sentinel's data in the caches, and is a small part of a long call anyway.
            disturbances = self.disturbances()
            sample_s = _one_sample(run, calls)
            disturbed = self.disturbances() > disturbances
            spent_s += sample_s * calls
            if sentinel is None or earlier_s is None:
                samples.take(sample_s, disturbed=disturbed)
                continue
            later_s = sentinel.look()
            disturbed = disturbed or sentinel.is_disturbed(earlier_s, later_s)
            samples.take(sample_s, disturbed=disturbed, sentinel_s=(earlier_s + later_s) / 2)
            earlier_s = later_s
        return samples

    def _failure(self, workload: Workload, stage: str, reason: str) -> Failure:
        short = " ".join(reason.split())[:_MOST_REASON_CHARACTERS]
        return Failure(workload, self.environment, stage, short or "no reason given", _now())


def _warm_up(run: TimedRun, plan: SamplingPlan) -> int:
    """Call until the warm-up is over; returns the calls that make one sample long enough."""
    warm_up = WarmUp(plan)
    while warm_up.go_on():
        warm_up.take(run(1))
    return warm_up.calls_per_sample()


def _one_sample(run: TimedRun, calls: int) -> float:
    """Seconds per call. A clock that stands still or runs backwards is a failure of the run, not a time."""
    sample_s = round(run(calls) / calls, _SAMPLE_DIGITS)
    if not sample_s > 0:
        raise ProfilingError("run", f"a sample must be above 0 s; {calls} call(s) took {sample_s} s each")
    return sample_s


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
