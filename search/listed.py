"""Networks that are listed one by one, and what each of them costs: the spaces of tabular benchmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt

from devices import NoAnswer, WrongUse
from search.cost import Additive, Array, Cost, Picks
from search.spaces import Unit

Indices: TypeAlias = npt.NDArray[np.intp]


@final
@dataclass(frozen=True, eq=False)
class ListedNetworks:
    """A space by the list of its networks.

    Attributes:
        name: of the space.
        candidates: names of the candidates of each unit, by the unit's name.
        picks: every network, shape (n, units), none twice.
        reference: picks of the network that limits in percent refer to.

    Raises:
        WrongUse: shapes do not fit, a pick has no candidate, a network is listed twice, or the reference is none.
    """

    name: str
    candidates: Mapping[str, tuple[str, ...]]
    picks: Indices
    reference: Picks

    def __post_init__(self) -> None:
        """Refuse a list that does not fit its units."""
        sizes = np.array([len(names) for names in self.candidates.values()])
        if self.picks.ndim != 2 or not len(self.picks) or self.picks.shape[1] != len(sizes):
            raise WrongUse(f"Networks must be listed as (n, {len(sizes)}) picks, n at least 1; got {self.picks.shape}.")
        if (self.picks < 0).any() or (self.picks >= sizes).any():
            raise WrongUse(f"Every pick must be below its unit's number of candidates, {sizes.tolist()}.")
        if len(self._rows) < len(self.picks):
            raise WrongUse("Each network must be listed once; some are listed twice. Leave the repetitions out.")
        if self.reference not in self._rows:
            raise WrongUse(f"The reference must be a listed network; got {self.reference}.")

    @staticmethod
    def of_units(name: str, units: Sequence[Unit], picks: Indices, reference: Picks) -> ListedNetworks:
        """Networks of a space that knows its units."""
        return ListedNetworks(name, {unit.name: unit.names for unit in units}, picks, reference)

    def row(self, picks: Sequence[int]) -> int | None:
        """Which network of the list it is; None for one that is not listed."""
        return self._rows.get(tuple(picks))

    def names(self, picks: Sequence[int]) -> tuple[str, ...]:
        """The picked candidate's name in each unit."""
        return tuple(names[pick] for names, pick in zip(self.candidates.values(), picks, strict=True))

    @cached_property
    def _rows(self) -> dict[Picks, int]:
        return {tuple(row): index for index, row in enumerate(self.picks.tolist())}


@final
@dataclass(frozen=True, eq=False)
class ListedCost(Cost):
    """A cost that is known for each network of a list.

    Attributes:
        name: ``latency``, ``macs``, ``parameters`` or ``memory``.
        networks: the list.
        costs: of each, shape (n,), in the unit of the name; NaN for one that failed.
        on: the device, where several are searched for at once.
    """

    name: str
    networks: ListedNetworks
    costs: Array
    on: str = ""

    @property
    def space_name(self) -> str:
        """Name of the space."""
        return self.networks.name

    def cost(self, architectures: npt.NDArray[np.integer]) -> Array:
        """Cost of many networks, shape (n,); NaN for those that are not listed or failed."""
        rows = [self.networks.row(picks) for picks in architectures.tolist()]
        return np.array([np.nan if row is None else self.costs[row] for row in rows], dtype=np.float64)

    def cheapest(self) -> Picks:
        """The cheapest of the list.

        Raises:
            NoAnswer: all failed.
        """
        if np.isnan(self.costs).all():
            raise NoAnswer(f"No network of {self.networks.name} has a known {self.title}, so none is within a limit.")
        return tuple(self.networks.picks[int(np.nanargmin(self.costs))].tolist())

    def holds(self, picks: Sequence[int]) -> bool:
        """Whether the network is listed."""
        return self.networks.row(picks) is not None

    def names(self, picks: Sequence[int]) -> tuple[str, ...]:
        """The picked candidate's name in each unit."""
        return self.networks.names(picks)

    @property
    def reference(self) -> Picks:
        """The reference network of the list."""
        return self.networks.reference

    def tables(self) -> Sequence[Array]:
        """The cost of each network of the list."""
        return (self.costs,)

    def additive(self, limit: float) -> Additive | None:
        """None: a list need not be a sum."""
        return None
