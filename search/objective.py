"""What a search is limited by: MACs or latency, as numbers per unit and candidate."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from devices import NoAnswer, WrongUse
from lut import Lookup, sum_of_picks
from search.spaces import Architecture, Space

_UNITS: Mapping[str, Mapping[str, float]] = {
    "latency": {"s": 1.0, "ms": 1e-3, "us": 1e-6},
    "macs": {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9},
}
"""What a limit may be given in, and how much of the objective's own unit that is."""


@dataclass(frozen=True)
class Objective:
    """An additive cost of the networks of a space.

    Attributes:
        name: ``macs`` or ``latency``.
        space: the space it belongs to.
        costs: cost of each candidate, shape (units, candidates), in MACs or seconds; NaN where a candidate cannot
            be picked because it failed on the device.
        fixed: cost of what every network has.
    """

    name: str
    space: Space
    costs: npt.NDArray[np.float64]
    fixed: float

    @staticmethod
    def macs(space: Space, lookup: Lookup | None = None) -> Objective:
        """Multiply-accumulates; NaN for candidates that failed on the device, where its ``lookup`` is given."""
        costs = space.macs.astype(np.float64)
        if lookup is not None:
            costs[np.isnan(lookup.mean_s)] = np.nan
        return Objective("macs", space, costs, float(space.fixed_macs))

    @staticmethod
    def latency(space: Space, lookup: Lookup, confidence: float | None = None) -> Objective:
        """Seconds, from a table.

        Args:
            space: the networks.
            lookup: its times.
            confidence: cost networks by upper bounds that their latency is below with that probability, from 0.5 to
                below 1; by the best single number when None.

        Raises:
            WrongUse: it is no confidence, or a time does not say how sure it is.
        """
        costs, fixed = (lookup.mean_s, lookup.fixed.mean_s) if confidence is None else lookup.upper_s(confidence)
        return Objective("latency", space, costs, fixed)

    def cost(self, architectures: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
        """Cost of many architectures.

        Args:
            architectures: candidate indices, shape (n, units).

        Returns:
            Shape (n,); NaN for one with a candidate that cannot be picked, which is within no limit.
        """
        return sum_of_picks(self.costs, self.fixed, architectures)

    def cost_of(self, picks: Sequence[int]) -> float:
        """Cost of one architecture."""
        return float(self.cost(np.array([picks]))[0])

    def cheapest(self) -> tuple[int, ...]:
        """The picks of the cheapest network.

        Raises:
            NoAnswer: a unit has no candidate that ran on the device.
        """
        dead = np.isnan(self.costs).all(axis=1)
        if dead.any():
            unit = self.space.units[int(np.flatnonzero(dead)[0])].name
            raise NoAnswer(f"No candidate of {unit} ran on the device, so no network of {self.space.name} does.")
        return tuple(int(pick) for pick in np.nanargmin(self.costs, axis=1))

    def refuse_impossible(self, limit: float) -> None:
        """Say at once when no network is within ``limit``.

        Raises:
            NoAnswer: with the cheapest network and its cost.
        """
        cheapest = self.cheapest()
        cost = self.cost_of(cheapest)
        if cost > limit:
            names = " ".join(self.space.names(Architecture(self.space.name, cheapest)))
            raise NoAnswer(
                f"No network of {self.space.name} is within {self.format(limit, digits=6)}: the cheapest needs "
                f"{self.format(cost, digits=6)} ({names}). Raise --limit, or choose a smaller --input or space."
            )

    def limit(self, text: str) -> float:
        """Read a limit.

        Args:
            text: ``30ms``, ``900us``, ``0.03s`` for latency; ``45M``, ``4.4G`` for MACs; ``60%`` of what the
                space's hand-made reference network costs.

        Returns:
            The limit in seconds or MACs.

        Raises:
            WrongUse: it is no positive quantity of this objective, or a share of a network that failed.
        """
        suffix = r"(?:\s*MACs?)?" if self.name == "macs" else ""
        match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(%|[A-Za-z]*?)" + suffix + r"\s*", text)
        units = {**_UNITS[self.name], "%": self.cost_of(self.space.reference) / 100}
        if match is None or match[2] not in units or float(match[1]) <= 0:
            spelled = ", ".join(f"12{unit}" for unit in units)
            raise WrongUse(f"A limit on {self.name} is a number above 0 with its unit ({spelled}); got {text!r}.")
        limit = float(match[1]) * units[match[2]]
        if math.isnan(limit):
            raise WrongUse(
                f"The reference network that {text} is a share of did not run on the device. Give a quantity."
            )
        return limit

    def format(self, cost: float, digits: int = 4) -> str:
        """A cost for the screen, with its unit."""
        return f"{cost * 1e3:.{digits}g} ms" if self.name == "latency" else f"{cost / 1e6:.{digits}g} M MACs"
