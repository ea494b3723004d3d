"""Costs that add up over the units of a network: MACs, parameters, latency from a table."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

from devices import NoAnswer
from latency import Workload, operator_of
from lut import Lookup, sum_of_picks
from search.cost import Additive, Array, Cost, Picks
from search.spaces import Architecture, Space


class SpaceCost(Cost):
    """A cost of the networks of a space, known from numbers for its candidates.

    Attributes:
        space: the networks.
    """

    space: Space

    @property
    @abc.abstractmethod
    def by_pick(self) -> Array:
        """The number of each candidate, shape (units, most candidates); NaN where it failed or there is none."""

    @property
    @final
    def space_name(self) -> str:
        """Name of the space."""
        return self.space.name

    @final
    def cheapest(self) -> Picks:
        """The picks of the network whose every candidate has the least number.

        Raises:
            NoAnswer: a unit has no candidate that ran on the device.
        """
        dead = np.flatnonzero(np.isnan(self.by_pick).all(axis=1))
        if len(dead):
            unit = self.space.units[int(dead[0])].name
            raise NoAnswer(f"No candidate of {unit} ran on the device, so no network of {self.space.name} does.")
        return tuple(int(pick) for pick in np.nanargmin(self.by_pick, axis=1))

    @final
    def holds(self, picks: Sequence[int]) -> bool:
        """Whether each unit of the space has a candidate of that index."""
        return len(picks) == len(self.space.units) and all(
            0 <= pick < size for pick, size in zip(picks, self.space.sizes, strict=True)
        )

    @final
    def names(self, picks: Sequence[int]) -> tuple[str, ...]:
        """The picked candidate's name in each unit."""
        return self.space.names(Architecture(self.space.name, tuple(picks)))

    @property
    @final
    def reference(self) -> Picks:
        """The reference network of the space."""
        return self.space.reference


@final
@dataclass(frozen=True)
class Objective(SpaceCost):
    """An additive cost of the networks of a space.

    Attributes:
        name: ``macs``, ``latency`` or ``parameters``.
        space: the space it belongs to.
        costs: cost of each candidate, shape (units, most candidates), in MACs, seconds or parameters; NaN where a
            candidate cannot be picked because it failed on the device, or there is none of that index.
        fixed: cost of what every network has.
        on: the device, where several are searched for at once.
    """

    name: str
    space: Space
    costs: npt.NDArray[np.float64]
    fixed: float
    on: str = ""

    @staticmethod
    def macs(space: Space, lookup: Lookup | None = None) -> Objective:
        """Multiply-accumulates; NaN for candidates that failed on the device, where its ``lookup`` is given."""
        return Objective("macs", space, barred(space.macs, lookup), float(space.fixed_macs))

    @staticmethod
    def parameters(space: Space, lookup: Lookup | None = None) -> Objective:
        """Trainable numbers; NaN as for MACs.

        A candidate that stands for several workloads has the parameters of all of them.
        """
        costs = by_candidate(space, lambda workloads: sum(map(_parameters, workloads)))
        return Objective("parameters", space, barred(costs, lookup), float(sum(map(_parameters, space.fixed))))

    @staticmethod
    def latency(space: Space, lookup: Lookup, confidence: float | None = None, on: str = "") -> Objective:
        """Seconds, from a table.

        Args:
            space: the networks.
            lookup: its times.
            confidence: cost networks by upper bounds that their latency is below with that probability, from 0.5 to
                below 1; by the best single number when None.
            on: the device, where several are searched for at once.

        Raises:
            WrongUse: it is no confidence, or a time does not say how sure it is.
        """
        costs, fixed = (lookup.mean_s, lookup.fixed.mean_s) if confidence is None else lookup.upper_s(confidence)
        return Objective("latency", space, costs, fixed, on)

    @property
    def by_pick(self) -> Array:
        """What each candidate costs."""
        return self.costs

    def cost(self, architectures: npt.NDArray[np.integer]) -> Array:
        """Cost of many networks, shape (n,); see the contract."""
        return sum_of_picks(self.costs, self.fixed, architectures)

    def tables(self) -> Sequence[Array]:
        """The costs of the candidates and what all networks share."""
        return self.costs, np.array([self.fixed])

    def additive(self, limit: float) -> Additive:
        """The cost itself; a limit that binds nothing is what the dearest network costs."""
        dearest = self.fixed + float(np.nanmax(self.costs, axis=1).sum())
        return Additive(self.costs, self.fixed, min(limit, dearest * (1 + 1e-9)))


def by_candidate(space: Space, count: Callable[[Sequence[Workload]], float]) -> Array:
    """A number for each candidate: shape (units, most candidates), NaN where a unit has none of that index."""
    numbers = np.full((len(space.units), max(space.sizes)), np.nan)
    for unit, row in zip(space.grid, numbers, strict=True):
        row[: len(unit)] = [count(workloads) for workloads in unit]
    return numbers


def barred(costs: Array, lookup: Lookup | None) -> Array:
    """A copy of ``costs`` with NaN for the candidates that failed on the device, where a lookup is given."""
    return costs.copy() if lookup is None else np.where(np.isnan(lookup.mean_s), np.nan, costs)


def _parameters(workload: Workload) -> int:
    return operator_of(workload).parameters(workload)
