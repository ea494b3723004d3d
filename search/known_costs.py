"""Which costs a search can look at, given a space, tables of devices and a benchmark: by name, and on a device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import final

from devices import WrongUse, unknown_name
from lut import Lookup
from search.cost import OBJECTIVES, Cost
from search.listed import ListedCost
from search.objective import Objective, barred
from search.peak_memory import PeakMemory
from search.spaces import Space
from search.tabular_benchmark import TabularBenchmark


@final
@dataclass(frozen=True, eq=False)
class KnownCosts:
    """What the networks of a search can be limited in.

    A candidate that failed on the device of one of the tables is in no network, whatever is limited. With a benchmark
    its networks are all there are, and every cost is one of a list.

    Attributes:
        space: the networks; None where only a benchmark knows them.
        tables: latencies by device, all of the space.
        benchmark: networks of the space with what somebody measured of them.

    Raises:
        WrongUse: there is neither a space nor a benchmark.
    """

    space: Space | None
    tables: Mapping[str, Lookup] = field(default_factory=dict)
    benchmark: TabularBenchmark | None = None

    def __post_init__(self) -> None:
        """Refuse costs of nothing."""
        if self.space is None and self.benchmark is None:
            raise WrongUse("Costs are those of a space or of a benchmark; got neither. Give one of them.")

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices whose latencies are known, those of tables first."""
        return tuple(dict.fromkeys([*self.tables, *self._measured]))

    @property
    def _measured(self) -> tuple[str, ...]:
        return () if self.benchmark is None else tuple(self.benchmark.latency_s)

    def cost(self, name: str, device: str | None = None, confidence: float | None = None) -> Cost:
        """One cost of all networks.

        Args:
            name: ``latency``, ``macs``, ``parameters`` or ``memory``.
            device: whose latency; the only one there is when None. The cost is called after it.
            confidence: for a latency from a table, as ``Objective.latency`` takes it.

        Raises:
            WrongUse: it is not known, or which device is meant is not clear.
        """
        if name not in OBJECTIVES:
            raise unknown_name("objective", name, OBJECTIVES)
        if name != "latency" and device is not None:
            raise WrongUse(f"{name} is the same on every device: leave out @{device}.")
        found = self._latency(device, confidence) if name == "latency" else self._count(name)
        if self.benchmark is None or isinstance(found, ListedCost):
            return found
        networks = self.benchmark.networks
        return ListedCost(found.name, networks, found.cost(networks.picks), found.on)

    def _latency(self, device: str | None, confidence: float | None) -> Cost:
        known, on = device or self._only_device(), device or ""
        if known in self.tables:
            assert self.space is not None, "a table is looked up for a space"
            return self._runnable(Objective.latency(self.space, self.tables[known], confidence, on))
        if known not in self._measured:
            raise unknown_name("device", known, self.devices)
        assert self.benchmark is not None, "some device of it was found"
        if confidence is not None:
            raise WrongUse(f"{self.benchmark.file} does not say how sure its times are: leave out --confidence.")
        return self.benchmark.cost("latency", known, on)

    def _only_device(self) -> str:
        """The device that is meant where none is named."""
        choices = tuple(self.tables) or self._measured
        if len(choices) == 1:
            return choices[0]
        if not choices:
            raise WrongUse("No latency is known: give --table, or limit something that is counted, such as macs.")
        raise WrongUse(f"Say whose latency, as latency@{choices[0]}; known are {', '.join(choices)}.")

    def _count(self, name: str) -> Cost:
        if self.space is not None:
            return self._runnable(_COUNTED[name](self.space))
        assert self.benchmark is not None, "one of the two is there"
        return self.benchmark.cost(name)

    def _runnable(self, cost: Objective | PeakMemory) -> Cost:
        """The cost without the candidates that failed on a device."""
        for lookup in self.tables.values():
            if isinstance(cost, PeakMemory):
                cost = replace(cost, bytes_=barred(cost.bytes_, lookup))
            else:
                cost = replace(cost, costs=barred(cost.costs, lookup))
        return cost


_COUNTED: Mapping[str, Callable[[Space], Objective | PeakMemory]] = {
    "macs": Objective.macs,
    "parameters": Objective.parameters,
    "memory": PeakMemory.of,
}
