"""What a network costs: the contract of everything that a search can limit, and how limits are typed and shown."""

from __future__ import annotations

import abc
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt

from devices import NoAnswer, WrongUse, unknown_name

Array: TypeAlias = npt.NDArray[np.float64]
Picks: TypeAlias = tuple[int, ...]


@final
@dataclass(frozen=True)
class _Quantity:
    """How amounts of one kind are typed and shown: units by their symbol, a word that may follow, the shown unit."""

    units: Mapping[str, float]
    word: str
    shown: str
    scale: float


_QUANTITIES: Mapping[str, _Quantity] = {
    "latency": _Quantity({"s": 1.0, "ms": 1e-3, "us": 1e-6}, "", "ms", 1e-3),
    "macs": _Quantity({"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}, r"(?:\s*MACs?)?", "M MACs", 1e6),
    "parameters": _Quantity({"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}, r"(?:\s*parameters?)?", "M parameters", 1e6),
    "memory": _Quantity({"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9}, "", "MB", 1e6),
}

OBJECTIVES = tuple(_QUANTITIES)
"""What a search can limit: seconds, multiply-accumulates, trainable numbers, bytes of activations."""


@final
@dataclass(frozen=True, eq=False)
class Additive:
    """A limit on a sum over units.

    Attributes:
        costs: what each candidate adds, shape (units, most candidates); NaN for one that no network may have.
        fixed: what every network has.
        budget: what a network may have at most, in the same unit.
    """

    costs: Array
    fixed: float
    budget: float


class Cost(abc.ABC):
    """What each network of a space costs, in one respect.

    Attributes:
        name: one of ``OBJECTIVES``, which decides the unit: seconds, MACs, parameters or bytes.
        on: the device, where several are searched for at once; empty where one name is enough.
    """

    name: str
    on: str

    @property
    @final
    def title(self) -> str:
        """What it is called beside others: ``macs``, ``latency on xavier``."""
        return f"{self.name} on {self.on}" if self.on else self.name

    @property
    @abc.abstractmethod
    def space_name(self) -> str:
        """Name of the space whose networks have this cost."""

    @abc.abstractmethod
    def cost(self, architectures: npt.NDArray[np.integer]) -> Array:
        """Cost of many networks.

        Args:
            architectures: candidate indices, shape (n, units).

        Returns:
            Shape (n,); NaN for one that cannot run, which is within no limit.
        """

    @abc.abstractmethod
    def cheapest(self) -> Picks:
        """The picks of the cheapest network.

        Raises:
            NoAnswer: none can run.
        """

    @abc.abstractmethod
    def holds(self, picks: Sequence[int]) -> bool:
        """Whether these are picks of a network of the space."""

    @abc.abstractmethod
    def names(self, picks: Sequence[int]) -> tuple[str, ...]:
        """The picked candidate's name in each unit."""

    @property
    @abc.abstractmethod
    def reference(self) -> Picks:
        """Picks of the hand-made network that limits in percent refer to."""

    @abc.abstractmethod
    def tables(self) -> Sequence[Array]:
        """The numbers that decide every cost, to tell one search from another."""

    @abc.abstractmethod
    def additive(self, limit: float) -> Additive | None:
        """A limit on this cost as a limit on a sum over units; None where it is none."""

    @final
    def cost_of(self, picks: Sequence[int]) -> float:
        """Cost of one network."""
        return float(self.cost(np.array([picks]))[0])

    @final
    def refuse_impossible(self, limit: float) -> None:
        """Say at once when no network is within ``limit``.

        Raises:
            NoAnswer: with the cheapest network and its cost.
        """
        cheapest = self.cheapest()
        cost = self.cost_of(cheapest)
        if cost > limit:
            raise NoAnswer(
                f"No network of {self.space_name} is within {self.format(limit, digits=6)}"
                f"{f' on {self.on}' if self.on else ''}: the cheapest needs "
                f"{self.format(cost, digits=6)} ({' '.join(self.names(cheapest))}). "
                "Raise --limit, or choose a smaller --input or space."
            )

    @final
    def limit(self, text: str) -> float:
        """Read a limit.

        Args:
            text: ``30ms``, ``900us``, ``0.03s`` for latency; ``45M``, ``4.4G`` for MACs and parameters; ``2MB``,
                ``500kB`` for memory; ``60%`` of what the space's hand-made reference network costs.

        Returns:
            The limit in seconds, MACs, parameters or bytes.

        Raises:
            WrongUse: it is no positive quantity of this objective, or a share of a network that failed.
        """
        quantity = _quantity(self.name)
        match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(%|[A-Za-z]*?)" + quantity.word + r"\s*", text)
        units = {**quantity.units, "%": self.cost_of(self.reference) / 100}
        if match is None or match[2] not in units or float(match[1]) <= 0:
            spelled = ", ".join(f"12{unit}" for unit in units)
            raise WrongUse(f"A limit on {self.name} is a number above 0 with its unit ({spelled}); got {text!r}.")
        limit = float(match[1]) * units[match[2]]
        if math.isnan(limit):
            raise WrongUse(
                f"The reference network that {text} is a share of did not run on the device. Give a quantity."
            )
        return limit

    @final
    def format(self, cost: float, digits: int = 4) -> str:
        """A cost for the screen, with its unit."""
        return format_cost(self.name, cost, digits)


@final
@dataclass(frozen=True)
class Goal:
    """A cost that a search looks at, and what it may be at most.

    Attributes:
        cost: what networks cost.
        limit: in the cost's unit; infinite for one that is only traded against the others on a Pareto front. A network
            that cannot run is over every limit.
    """

    cost: Cost
    limit: float = math.inf

    @property
    def is_free(self) -> bool:
        """Whether the cost has no limit and is only traded."""
        return self.limit == math.inf


def format_cost(name: str, cost: float, digits: int = 4) -> str:
    """A cost for the screen, with its unit.

    Args:
        name: one of ``OBJECTIVES``.
        cost: in seconds, MACs, parameters or bytes.
        digits: that count.
    """
    quantity = _quantity(name)
    return f"{cost / quantity.scale:.{digits}g} {quantity.shown}"


def _quantity(name: str) -> _Quantity:
    if name not in _QUANTITIES:
        raise unknown_name("objective", name, _QUANTITIES)
    return _QUANTITIES[name]
