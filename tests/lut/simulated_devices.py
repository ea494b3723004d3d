"""Devices for tests of fleets: the profiler that times nothing, at a speed of one's own, in processes by name."""

from __future__ import annotations

import math
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import final

from devices import Device, NotAvailable
from latency import DummyProfiler, Failure, Measurement, Outcome, SamplingPlan, Workload
from tests.contracts.examples import DEVICE, QUICK, block, idle

ROUNDS = 3
PLAN = replace(QUICK, precision=0.01, least_bursts=ROUNDS, most_bursts=ROUNDS)
"""Three bursts each."""

WORKLOADS = tuple(block(channels) for channels in range(1, 25))


@final
class SimulatedDevice:
    """A device whose times are those of the dummy profiler, times its slowness and a little noise.

    Args:
        name: of the device, and the beginning of its processes' names.
        slowness: its times over those of the usual device.
        lasts: bursts after which it goes away for good.
        there: whether it can be reached at all.
        device: what it says it is.
        odd: by which factor it is slower still at some workloads.
        broken: workloads that fail there.
        before: called before each burst.
    """

    def __init__(
        self,
        name: str,
        slowness: float = 1.0,
        *,
        lasts: float = math.inf,
        there: bool = True,
        device: Device = DEVICE,
        odd: Mapping[Workload, float] = {},
        broken: frozenset[Workload] = frozenset(),
        before: Callable[[], None] = lambda: None,
    ) -> None:
        self.bursts = Counter[Workload]()
        self.opened = self.open = 0
        self._name, self._slowness, self._lasts, self._there = name, slowness, lasts, there
        self._odd, self._broken, self._before = odd, broken, before
        self._draw = random.Random(name)
        self._process = ""
        self._profiler = DummyProfiler(device, idle, noise=0.0)
        self.environment = self._profiler.environment

    @contextmanager
    def start(self, usual_s: Mapping[str, float]) -> Iterator[SimulatedDevice]:
        if not self._there:
            raise NotAvailable("no route to host")
        self.opened += 1
        self.open += 1
        self._process = f"{self._name}-{uuid.uuid4()}"
        try:
            yield self
        finally:
            self.open -= 1

    def measure(self, workload: Workload, plan: SamplingPlan) -> Outcome:
        assert self.open == 1
        self._before()
        if self.bursts.total() >= self._lasts:
            raise NotAvailable("the cable was pulled")
        self.bursts[workload] += 1
        if workload in self._broken:
            return Failure(workload, self.environment, "load", "not implemented", "2024-01-02T03:04:05+00:00")
        outcome = self._profiler.measure(workload, plan)
        assert isinstance(outcome, Measurement)
        (burst,) = outcome.bursts
        factor = self._slowness * self._odd.get(workload, 1.0) * self._draw.lognormvariate(0, 0.002)
        samples = tuple(sample_s * factor for sample_s in burst.samples_s)
        return replace(outcome, bursts=(replace(burst, samples_s=samples, process=self._process),))
