"""The networks that a search may propose: those within the limit, drawn uniformly and told exactly.

A strategy gets one of these and nothing else about the limit, so that a constraint is hard for all of them.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from functools import cached_property
from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt

from search.errors import NoAnswer, WrongUse

Array: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Indices: TypeAlias = npt.NDArray[np.intp]

_COUNTED = 100_000
"""Up to so many networks are counted by listing them; that takes about a second where there are 22 units of 13."""

_BINS = 65_536
"""Resolution of what may be spent above the cheapest network. Of 22 x 13 one draw in some thousand is drawn again."""


class FeasibleSet(abc.ABC):
    """The networks within a limit, of which there is at least one.

    Networks are rows of candidate indices, shape (n, units).
    """

    def __init__(self) -> None:
        self._more_than = 0  # So many networks are known to be in the set, from a listing that was broken off.

    @property
    @abc.abstractmethod
    def sizes(self) -> tuple[int, ...]:
        """Candidates of each unit; an index of a unit is below its own."""

    @abc.abstractmethod
    def draw(self, count: int, rng: np.random.Generator) -> Indices:
        """``count`` networks, independent of each other and uniform over the set: shape (count, units)."""

    @abc.abstractmethod
    def cost(self, picks: Indices) -> Array:
        """Cost of each network in the unit of the limit, shape (n,); NaN for what cannot be picked."""

    @abc.abstractmethod
    def contains(self, picks: Indices) -> Flags:
        """Whether each network is within the limit, shape (n,)."""

    @abc.abstractmethod
    def continuations(self, beginnings: Indices) -> Flags:
        """Which candidates of the next unit leave a network of the set within reach.

        Args:
            beginnings: picks of the first units, fewer than all, shape (n, begun); each must itself be a beginning
                of a network of the set.

        Returns:
            Shape (n, candidates of unit ``begun``); at least one of each row is True.
        """

    def number(self) -> int | None:
        """How many networks there are; None where that is more than was counted."""
        known = self.listed(_COUNTED)
        return None if known is None else len(known)

    def listed(self, at_most: int) -> Indices | None:
        """All networks in the order of their picks; None where there are more than ``at_most``.

        Every beginning that is kept leads to a network, so that the work is bounded by ``at_most``, however many
        networks are over the limit.
        """
        if at_most < self._more_than:
            return None
        rows = np.empty((1, 0), dtype=np.intp)
        for _ in self.sizes:
            which, pick = np.nonzero(self.continuations(rows))
            if len(which) > at_most:
                self._more_than = max(self._more_than, at_most + 1)
                return None
            rows = np.column_stack([rows[which], pick])
        return rows

    def neighbours(self, picks: Sequence[int]) -> Indices:
        """Networks of the set that differ from ``picks`` in one unit, by unit and then by candidate."""
        units = np.repeat(np.arange(len(self.sizes)), self.sizes)
        candidates = np.concatenate([np.arange(size) for size in self.sizes])
        changed = candidates != np.asarray(picks)[units]
        rows = np.tile(np.asarray(picks, dtype=np.intp), (int(changed.sum()), 1))
        rows[np.arange(len(rows)), units[changed]] = candidates[changed]
        return rows[self.contains(rows)]


@final
class AdditiveFeasible(FeasibleSet):
    """Networks whose candidates cost at most a budget in sum.

    Draws are exactly uniform, by the way Dyer (Approximate counting by dynamic programming, STOC 2003) counts the
    solutions of a knapsack: costs are rounded down to bins, so that dynamic programming draws uniformly from a set that
    holds every feasible network and few others, and a draw that turns out to be one of the others is drawn again. No
    network is hidden by the rounding, and none is favoured. Few are drawn again: with K bins, at least units squared,
    one over the limit becomes a feasible one when its dearest unit takes its cheapest candidate, so of the set at least
    one in 1 + units x candidates is feasible however tight the limit is, and all but about units / K where it is not.

    Args:
        costs: cost of each candidate, shape (units, candidates); NaN for one that cannot be picked, and to fill up
            units that have fewer.
        budget: limit on the sum, in the same unit.
        fixed: cost of what every network has. It is added first, as ``lut.sum_of_picks`` does, so that a network that
            costs exactly the limit is within it here and there.

    Raises:
        WrongUse: the costs are no matrix, infinite, or a unit has no candidate.
        NoAnswer: the cheapest network is over the budget.
    """

    def __init__(self, costs: Array, budget: float, fixed: float = 0.0) -> None:
        super().__init__()
        self._costs, self._budget, self._fixed = np.asarray(costs, dtype=np.float64), float(budget), float(fixed)
        _refuse_costs(self._costs)
        self._least: Array = np.nanmin(self._costs, axis=1)
        self._sizes = tuple(int(np.flatnonzero(~np.isnan(row))[-1]) + 1 for row in self._costs)
        least = self._sum(np.nanargmin(self._costs, axis=1)[None])[0]
        if not least <= self._budget:
            raise NoAnswer(f"The cheapest network must be within the limit {budget:.6g}; it costs {least:.6g}.")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Candidates of each unit, without those at the end that cannot be picked."""
        return self._sizes

    def draw(self, count: int, rng: np.random.Generator) -> Indices:
        """Uniform over the set, exactly."""
        parts, missing = [np.empty((0, len(self._costs)), dtype=np.intp)], count
        while missing:
            drawn = self._draw_rounded(missing, rng)
            parts.append(drawn[self.contains(drawn)])
            missing -= len(parts[-1])
        return np.concatenate(parts)

    def cost(self, picks: Indices) -> Array:
        """The fixed cost and the sum of the candidates'."""
        return self._sum(np.asarray(picks))

    def contains(self, picks: Indices) -> Flags:
        """Whether the sum is within the budget; never where a candidate cannot be picked."""
        return np.asarray(self.cost(picks) <= self._budget)

    def continuations(self, beginnings: Indices) -> Flags:
        """Candidates that are within the budget when the units after them take their cheapest."""
        begun = beginnings.shape[1]
        spent = self._sum(beginnings)[:, None] + self._costs[begun, : self._sizes[begun]]
        # Unit by unit as in `cost`: a sum in another order differs in the last digit, which is a network lost or won.
        for least in self._least[begun + 1 :]:
            spent = spent + least
        return np.asarray(spent <= self._budget)

    def _sum(self, picks: Indices) -> Array:
        sums = np.full(len(picks), self._fixed)
        for unit in range(picks.shape[1]):
            sums = sums + self._costs[unit].take(picks[:, unit])
        return sums

    @cached_property
    def _bins(self) -> Indices:
        """What each candidate costs above its unit's cheapest, in whole bins and rounded down, shape (units, any).

        A little less than rounded down: a sum of floating-point numbers may turn out smaller than it is.
        """
        above = np.where(np.isnan(self._costs), np.inf, self._costs - self._least[:, None])
        largest = abs(self._fixed) + np.abs(self._least).sum() + abs(self._budget)
        spare = self._budget - self._fixed - self._least.sum()
        room = spare + 1e-12 * largest
        share = np.where(above > 0, 2.0, 0.0)  # What is above all that is left stays there; dividing could overflow.
        np.divide(above, room, out=share, where=(above > 0) & (above <= room))
        bins = self._bin_count
        return np.minimum(np.floor(share * bins * (1 - 1e-9)), bins + 1).astype(np.intp)

    @property
    def _bin_count(self) -> int:
        return max(_BINS, len(self._costs) ** 2)

    @cached_property
    def _ways(self) -> list[Array]:
        """By unit and bins left: in how many ways the units from there on can be picked, up to a factor per unit."""
        ways = [np.ones(self._bin_count + 1)]
        for row in self._bins[::-1]:
            table = np.zeros(self._bin_count + 1)
            for bins in row[row <= self._bin_count]:
                table[bins:] += ways[0][: len(table) - bins]
            ways.insert(0, table / table[-1])
        return ways

    def _draw_rounded(self, count: int, rng: np.random.Generator) -> Indices:
        """Uniform over the networks within the budget by their rounded costs."""
        left = np.full(count, self._bin_count)
        picks = np.empty((count, len(self._bins)), dtype=np.intp)
        for unit, bins in enumerate(self._bins):
            after = left[:, None] - bins
            steps = np.where(after >= 0, self._ways[unit + 1][np.maximum(after, 0)], 0.0).cumsum(axis=1)
            target = rng.random(count) * steps[:, -1]
            picks[:, unit] = (steps > target[:, None]).argmax(axis=1)
            left = left - bins[picks[:, unit]]
        return picks


@final
class ListedFeasible(FeasibleSet):
    """Networks that are listed, each with its cost, as those of a tabular benchmark.

    Args:
        picks: every network of the space, shape (n, units).
        costs: the cost of each, shape (n,); NaN for one that failed.
        budget: those that cost more are left out.

    Raises:
        WrongUse: shapes do not fit, a pick is negative, or a network is listed twice.
        NoAnswer: none is within the budget.
    """

    def __init__(self, picks: Indices, costs: Array, budget: float = math.inf) -> None:
        super().__init__()
        rows, costs = np.asarray(picks, dtype=np.intp), np.asarray(costs, dtype=np.float64)
        _refuse_list(rows, costs)
        self._sizes = tuple(int(size) for size in rows.max(axis=0) + 1)
        within = costs <= budget
        if not within.any():
            raise NoAnswer(f"A listed network must be within {budget:.6g}; the least any costs is {_least(costs)}.")
        order = np.lexsort(rows[within].T[::-1])
        self._rows, self._costs = rows[within][order], costs[within][order]
        self._tree = _prefix_tree(self._rows, self._sizes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Candidates of each unit, those of networks over the budget included."""
        return self._sizes

    def draw(self, count: int, rng: np.random.Generator) -> Indices:
        """Rows of the list."""
        return self._rows[rng.integers(len(self._rows), size=count)]

    def cost(self, picks: Indices) -> Array:
        """What the list says; NaN for what is not on it."""
        rows = self._walk(np.asarray(picks))
        return np.where(rows < 0, np.nan, self._costs[rows])

    def contains(self, picks: Indices) -> Flags:
        """Whether each network is on the list and within the budget."""
        return self._walk(np.asarray(picks)) >= 0

    def continuations(self, beginnings: Indices) -> Flags:
        """Candidates that some listed network goes on with."""
        return self._tree[beginnings.shape[1]][self._walk(beginnings)] >= 0

    def number(self) -> int:
        """The length of the list."""
        return len(self._rows)

    def listed(self, at_most: int) -> Indices | None:
        """The list."""
        return self._rows.copy() if len(self._rows) <= at_most else None

    def _walk(self, picks: Indices) -> Indices:
        """The node of the tree that each beginning leads to, -1 for none; for a whole network its row."""
        node = np.zeros(len(picks), dtype=np.intp)
        for children, pick in zip(self._tree, picks.T, strict=False):
            known = (node >= 0) & (pick >= 0) & (pick < children.shape[1])
            node = np.where(known, children[node, np.where(known, pick, 0)], -1)
        return node


def _prefix_tree(rows: Indices, sizes: Sequence[int]) -> list[Indices]:
    """By unit, the node that each node's candidates lead to, -1 for none: shape (nodes, candidates).

    Args:
        rows: networks in lexicographic order, shape (n, units), so that the last nodes are their indices.
        sizes: candidates of each unit.
    """
    tree, node = [], np.zeros(len(rows), dtype=np.intp)
    for unit, size in enumerate(sizes):
        codes, following = np.unique(node * size + rows[:, unit], return_inverse=True)
        children = np.full((int(node.max()) + 1, size), -1, dtype=np.intp)
        children[codes // size, codes % size] = np.arange(len(codes))
        tree.append(children)
        node = following
    return tree


def _refuse_costs(costs: Array) -> None:
    if costs.ndim != 2 or not costs.size or np.isinf(costs).any():
        raise WrongUse(f"Costs must be finite or NaN, shape (units, candidates); got shape {costs.shape}.")
    dead = np.flatnonzero(np.isnan(costs).all(axis=1))
    if len(dead):
        raise WrongUse(f"Each unit must have a candidate that can be picked; unit {dead[0]} has none.")


def _refuse_list(rows: Indices, costs: Array) -> None:
    if rows.ndim != 2 or not rows.size or costs.shape != (len(rows),):
        raise WrongUse(
            f"Networks must have the shape (n, units), costs (n,); got {rows.shape} and {costs.shape}. n is at least 1."
        )
    if rows.min() < 0:
        raise WrongUse(f"Picks must be indices from 0 on; got {rows.min()}.")
    if len(np.unique(rows, axis=0)) < len(rows):
        raise WrongUse("Each network must be listed once; some are listed twice. Leave the repetitions out.")


def _least(costs: Array) -> str:
    return "unknown, as all failed" if np.isnan(costs).all() else f"{np.nanmin(costs):.6g}"
