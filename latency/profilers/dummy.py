"""A profiler that times nothing: for tests, of this project and of others."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import final

from devices import Device, DeviceState
from latency.environment import Environment, Runtime
from latency.operators import operator_of
from latency.profiler import Missing, Profiler, ProfilingError, TimedRun
from latency.workload import Workload

_SECONDS_PER_MAC = 1e-10
_SECONDS_PER_CALL = 1e-6


@final
class DummyProfiler(Profiler):
    """Invents times from MACs, with reproducible noise, without waiting for them.

    Args:
        device: whose name the measurements carry.
        state: reads its state.
        threads: recorded, otherwise without effect.
        options: it has none.
        noise: standard deviation of the relative noise.
        broken: digests of workloads that shall fail.
    """

    name = "dummy"

    def __init__(
        self,
        device: Device,
        state: Callable[[], DeviceState],
        threads: int = 1,
        options: Mapping[str, str] = {},
        *,
        noise: float = 0.01,
        broken: frozenset[str] = frozenset(),
    ) -> None:
        self.chosen(options)
        self._noise = noise
        self._broken = broken
        super().__init__(Environment(device, Runtime(self.name, {}, threads, {})), state)

    @classmethod
    def missing(cls) -> Missing | None:
        """Nothing: it is always there."""
        return None

    @contextmanager
    def open(self, workload: Workload) -> Iterator[TimedRun]:
        """A run whose time is invented."""
        if workload.digest in self._broken:
            raise ProfilingError("load", "declared broken")
        seconds = _SECONDS_PER_CALL + _SECONDS_PER_MAC * operator_of(workload).macs(workload)
        draw = random.Random(workload.digest)
        yield TimedRun(lambda calls: calls * seconds * abs(draw.gauss(1, self._noise)))
