"""The contract of a profiler; the loop that measures is the agent's, in ``agent.loop``."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import ClassVar, Literal, final

from agent.loop import PROCESS, ProfilingError, TimedRun, profiling_errors, take_burst, utc_now
from agent.sentinel import Sentinel
from devices import DeviceState, NotAvailable, WrongUse, unknown_name
from latency.burst import Burst, Costs
from latency.environment import Environment
from latency.measurement import UNFINISHED, Failure, Measurement, Outcome
from latency.sampling import SamplingPlan
from latency.workload import Workload

__all__ = ["PROCESS", "Missing", "Profiler", "ProfilingError", "TimedRun", "profiling_errors"]

_MOST_REASON_CHARACTERS = 500
"""What a failure keeps of an error's words; runtimes print whole graphs."""


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
        taken = take_burst(run, plan, self.state, self.disturbances, sentinel)
        return Burst(
            samples_s=taken.samples_s,
            calls_per_sample=taken.calls_per_sample,
            stopped=taken.stopped,
            before=taken.before,
            after=taken.after,
            measured_at=utc_now(),
            discarded=taken.discarded,
            disturbed=taken.disturbed,
            process=PROCESS,
            sentinel_s=taken.sentinel_s,
            costs=taken.costs if isinstance(taken.costs, Costs) else Costs(**taken.costs),
        )

    def _failure(self, workload: Workload, stage: str, reason: str) -> Failure:
        short = " ".join(reason.split())[:_MOST_REASON_CHARACTERS]
        return Failure(workload, self.environment, stage, short or "no reason given", utc_now())
