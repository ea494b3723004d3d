"""What profilers share that time calls of this process with the host's clock."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from agent.runtimes.wall_clock import lost_cores, timed_calls
from devices import Device, DeviceState, WrongUse
from latency.environment import Environment, Runtime
from latency.profiler import Profiler, TimedRun
from latency.workload import Workload


class WallClockProfiler(Profiler):
    """Times a Python call, for runtimes that are done when the call returns.

    A subclass loads a workload and returns the call. A sample during which the kernel took a core away from this
    process is disturbed. Python collects no garbage while a sample is taken: a collection looks at every object of
    the process, and would hit one sample in many.

    Args:
        device: the machine this runs on.
        state: reads the machine's state.
        threads: threads inside an operator.
        options: see ``choices``.

    Attributes:
        options: every option with its value, defaults included.
        threads: threads inside an operator.

    Raises:
        NotAvailable: the runtime is missing.
        WrongUse: threads is not at least 1, or there is no such option.
    """

    def __init__(
        self, device: Device, state: Callable[[], DeviceState], threads: int = 1, options: Mapping[str, str] = {}
    ) -> None:
        if threads < 1:
            raise WrongUse(f"A profiler needs at least 1 thread; got {threads}.")
        self.options = self.chosen(options)
        self.threads = threads
        self.refuse_missing()
        fixed = self.fixed_options()
        super().__init__(
            Environment(device, Runtime(self.name, self.versions(), threads, {**fixed, **self.options})), state
        )

    @abc.abstractmethod
    def versions(self) -> Mapping[str, str]:
        """Version of each package that shapes the time."""

    def fixed_options(self) -> Mapping[str, str]:
        """What is always set the same way, for the record."""
        return {}

    @abc.abstractmethod
    def load(self, workload: Workload) -> AbstractContextManager[Callable[[], Any]]:
        """Make ``workload`` ready, on inputs that are where the runtime wants them; yield the call to time.

        Raises:
            ProfilingError: on entering, when it cannot be built or loaded.
        """

    def running(self) -> AbstractContextManager[object]:
        """What is in force while calls run, and not between samples: entered and left outside of the timed span.

        For switches of the whole thread, which must not reach what the caller does while a workload is open.
        """
        return nullcontext()

    def disturbances(self) -> int:
        """How often the kernel took a core away from this process."""
        return lost_cores()

    @contextmanager
    def open(self, workload: Workload) -> Iterator[TimedRun]:
        """A run that calls what ``load`` yields."""
        with self.load(workload) as call:
            yield TimedRun(timed_calls(call, self.running))
