"""The best network under a limit where costs and scores both add up: a knapsack, solved exactly.

One item of each class, the sum of the scores as high as can be, the sum of the costs within a budget: the
multiple-choice knapsack problem (Kellerer, Pferschy and Pisinger, Knapsack problems, 2004, chapter 11).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from search.errors import WrongUse
from search.strategies.feasible import AdditiveFeasible, Array, Indices

_PRICES = 25
"""Lagrange multipliers kept as bounds. One suffices at the whole budget; others are tighter where less is left."""

_BEAMS = (1000, 16_000)
"""Beginnings kept per unit by one pass after the other. 22 x 13 needs the first alone, or some of the second."""

_ROUNDING = 1e-13
"""Of the sum of all magnitudes: two sums that differ by less are the same number added up in another order."""


@final
@dataclass(frozen=True)
class AdditiveOptimum:
    """The best network under a limit.

    Attributes:
        picks: one candidate per unit.
        score: its sum.
        bound: no network within the budget has a higher sum; ``score`` itself where that is proved.
    """

    picks: tuple[int, ...]
    score: float
    bound: float

    @property
    def is_proved(self) -> bool:
        """Whether nothing better exists. Otherwise ``bound - score`` is the most that is missing."""
        return self.bound <= self.score


def best_additive(scores: Array, costs: Array, budget: float, fixed: float = 0.0) -> tuple[int, ...]:
    """The picks of highest score in sum within the budget; see ``solve_additive``."""
    return solve_additive(scores, costs, budget, fixed).picks


def solve_additive(scores: Array, costs: Array, budget: float, fixed: float = 0.0) -> AdditiveOptimum:
    """Solve the knapsack by dynamic programming over beginnings, with real numbers and without bins.

    A beginning, picks of the first units, is dropped for one of two reasons: another costs no more and scores no less
    (Pareto dominance), or even the best conceivable end makes it no better than a network that is known already. That
    bound is Lagrange's: with a price on the budget, each unit picks what is worth most after paying for it. Those
    picks also end beginnings, which is how good networks are known early. A pass keeps so many beginnings at most, the
    most promising; the first that keeps all that could be better proves its best optimal. Instances that defeat it
    exist, as for every exact method (scores that equal costs to the last digit): there the best that was found comes
    back, after some seconds, with a bound on what is missing.

    Args:
        scores: of each candidate, larger is better, shape (units, candidates); ``log`` of a policy gives the most
            probable network. Minus infinity and NaN for what must not be picked.
        costs: of each candidate, same shape; NaN for one that cannot be picked.
        budget: what a network may cost in all. Sums are added unit by unit, and compared without a tolerance.
        fixed: cost of what every network has; it is added first, as in ``AdditiveFeasible``.

    Raises:
        WrongUse: shapes differ, a score or cost is infinite, or a unit has no candidate that can be picked.
        NoAnswer: the cheapest network is over the budget.
    """
    scores, costs = np.asarray(scores, dtype=np.float64), np.asarray(costs, dtype=np.float64)
    if scores.shape != costs.shape or np.isposinf(scores).any():
        raise WrongUse(f"Scores must be below infinity and of the shape of costs; got {scores.shape}, {costs.shape}.")
    costs = np.where(np.isfinite(scores), costs, np.nan)
    feasible = AdditiveFeasible(costs, budget, fixed)
    knapsack = _Knapsack(np.where(np.isnan(costs), 0.0, scores), feasible, costs, (budget, fixed))
    proved = any(knapsack.improve(beam) for beam in _BEAMS)
    return AdditiveOptimum(knapsack.picks, knapsack.score, knapsack.score if proved else knapsack.bound)


@dataclass(frozen=True, eq=False)
class _Beginnings:
    """Picks of the first units, by rising cost and rising score.

    Attributes:
        cost: shape (n,).
        score: shape (n,).
        parent: row among the beginnings one unit shorter, shape (n,).
        pick: of the last unit, shape (n,).
    """

    cost: Array
    score: Array
    parent: Indices
    pick: Indices

    def __getitem__(self, rows: Indices) -> _Beginnings:
        return _Beginnings(self.cost[rows], self.score[rows], self.parent[rows], self.pick[rows])


class _Knapsack:
    """A knapsack and the best network that is known for it."""

    def __init__(self, scores: Array, feasible: AdditiveFeasible, costs: Array, limit: tuple[float, float]) -> None:
        self._scores, self._costs, self._feasible = scores, costs, feasible
        self._budget, self._fixed = limit
        self._rounding = _ROUNDING * max(float(np.abs(scores).max(axis=1).sum()), 1e-280)
        self._least = _ends(np.nanmin(costs, axis=1)[:, None])[:, 0]
        self._prices = np.unique(np.append(self._fair_price() * np.geomspace(1 / 8, 8, _PRICES), 0.0))
        priced = scores - self._prices[:, None, None] * costs
        self._worth = _ends(np.nanmax(priced, axis=2).T)
        # What each unit picks at each price, and what it picks when nothing may be spent: shape (prices + 1, units).
        self._priced = np.concatenate([np.nanargmax(priced, axis=2), np.nanargmin(costs, axis=1)[None]])
        each = np.arange(len(costs))
        self._end_cost, self._end_score = _ends(costs[each, self._priced].T), _ends(scores[each, self._priced].T)
        self.bound = float((self._prices * (self._budget - self._fixed) + self._worth[0]).min())
        self.picks: tuple[int, ...] = ()
        self.score = -np.inf
        self._take(self._priced[-1].tolist())

    def improve(self, beam: int) -> bool:
        """One pass that keeps ``beam`` beginnings per unit; whether it kept all, and so proved the best."""
        at = _Beginnings(np.array([self._fixed]), np.zeros(1), np.zeros(1, dtype=np.intp), np.zeros(1, dtype=np.intp))
        levels, kept_all = list[_Beginnings](), True
        for unit in range(len(self._costs)):
            at = _undominated(self._extended(at, unit))
            levels.append(at)
            self._end(levels)
            possible = self._highest(at, unit + 1)
            rows = np.flatnonzero(possible > self.score + self._rounding)
            if len(rows) > beam:
                # To some digits, as the last ones would otherwise order beginnings that are equally promising.
                promise = np.floor(possible[rows] / (1e4 * self._rounding))
                rows, kept_all = np.sort(rows[_largest(promise, beam)]), False
            levels[-1] = at = at[rows]
        return kept_all

    def _end(self, levels: list[_Beginnings]) -> None:
        """End the last beginnings by what each price picks, and keep the best network that gives."""
        at, unit = levels[-1], len(levels)
        cost, score = at.cost[:, None] + self._end_cost[unit], at.score[:, None] + self._end_score[unit]
        score = np.where(cost <= self._budget, score, -np.inf)
        if score.size and score.max() > self.score:
            row, price = np.unravel_index(int(score.argmax()), score.shape)
            self._take([*_picks(levels, int(row)), *self._priced[price, unit:].tolist()])

    def _extended(self, at: _Beginnings, unit: int) -> _Beginnings:
        """All beginnings one unit longer that some end brings within the budget."""
        known = np.flatnonzero(~np.isnan(self._costs[unit]))
        cost = (at.cost[:, None] + self._costs[unit, known]).ravel()
        score = (at.score[:, None] + self._scores[unit, known]).ravel()
        # The last unit decides exactly; before it, a sum in another order may differ in the last digit.
        spare = 0.0 if unit == len(self._costs) - 1 else 1e-12 * (abs(self._budget) + float(np.abs(self._least).max()))
        rows = np.flatnonzero(cost + self._least[unit + 1] <= self._budget + spare)
        return _Beginnings(cost[rows], score[rows], rows // len(known), known[rows % len(known)])

    def _highest(self, at: _Beginnings, unit: int) -> Array:
        """What no network that begins so can exceed: the lowest of the bounds of all prices."""
        left = self._budget - at.cost
        highest = np.full(len(left), np.inf)
        for price, worth in zip(self._prices, self._worth[unit], strict=True):
            np.minimum(highest, price * left + worth, out=highest)
        return np.asarray(at.score + highest)

    def _fair_price(self) -> float:
        """The price at which units that pick what is worth most just spend the budget: where the dual is least.

        0 where they spend less than the budget when all is free.
        """
        low, high = 0.0, float(np.ptp(self._scores) / max(np.nanmax(self._costs) - np.nanmin(self._costs), 1e-300))
        if self._spent(low) <= self._budget:
            return 0.0
        while self._spent(high) > self._budget and np.isfinite(2 * high):
            low, high = high, 2 * high
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if self._spent(middle) > self._budget else (low, middle)
        return high

    def _spent(self, price: float) -> float:
        worth = self._scores - price * self._costs
        return self._fixed + float(self._costs[np.arange(len(worth)), np.nanargmax(worth, axis=1)].sum())

    def _take(self, picks: list[int]) -> None:
        """Make this the known network, if it is better and within the budget to the last digit."""
        score = 0.0
        for row, pick in zip(self._scores, picks, strict=True):
            score += float(row[pick])
        if score > self.score and self._feasible.contains(np.array([picks]))[0]:
            self.picks, self.score = tuple(picks), score


def _ends(values: Array) -> Array:
    """Sums over the units from each on: from shape (units, n) to (units + 1, n), the last row zeros."""
    sums = values[::-1].cumsum(axis=0)[::-1]
    return np.concatenate([sums, np.zeros((1, values.shape[1]))])


def _picks(levels: list[_Beginnings], row: int) -> list[int]:
    """The picks of one of the last beginnings."""
    picks = list[int]()
    for level in reversed(levels):
        picks.append(int(level.pick[row]))
        row = int(level.parent[row])
    return picks[::-1]


def _largest(values: Array, count: int) -> Indices:
    """Indices of the largest values; of equal ones, some spread evenly over all."""
    spread = np.argsort((np.arange(len(values)) * 0.6180339887498949) % 1, kind="stable")
    return np.asarray(spread[np.argsort(-values[spread], kind="stable")[:count]])


def _undominated(at: _Beginnings) -> _Beginnings:
    """Beginnings that no other beats: each costs more than the one before it and scores more."""
    order = np.lexsort((-at.score, at.cost))
    score = at.score[order]
    best_before = np.append(-np.inf, np.maximum.accumulate(score)[:-1])
    return at[order[score > best_before]]
