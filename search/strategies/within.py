"""Networks within a limit, drawn or chosen exactly by dynamic programming over additive costs.

A policy gives each unit a distribution over its candidates. Drawing from it and throwing away what is over the limit
can take forever; here the draw is from the policy conditioned on being within the limit. Costs are rounded up to
whole bins, so that what is drawn is within the limit for certain; the rounding can hide networks whose cost is within
``units / bins`` of the limit, and where it hides all there are, the cheapest network is returned.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]
Picks: TypeAlias = npt.NDArray[np.intp]

_BINS = 4096
"""Resolution of the limit: 22 units round away at most half a percent of it."""


class WithinLimit:
    """The networks of a space that cost at most a limit, and at least so much where that is asked for.

    The cheapest network is taken to be within it: a caller says so before anything is searched.

    Args:
        costs: cost of each candidate, shape (units, candidates); NaN for one that cannot be picked.
        budget: limit minus the cost of what all networks share, in the same unit.
        least: what they cost at least, in the same unit; a network that costs up to a bin less for each unit may be
            among them.
    """

    def __init__(self, costs: Array, budget: float, least: float = 0.0) -> None:
        self._cheapest: Picks = np.nanargmin(costs, axis=1)
        self._bins = _to_bins(costs, budget)
        spent = min(1.0, max(0.0, least / budget)) if budget > 0 else 0.0
        self._most_left = int(_BINS * (1 - spent))

    def has_any(self, policy: Array) -> bool:
        """Whether ``policy`` gives any of these networks a probability above 0."""
        return bool(self._tables(policy, np.maximum)[0][_BINS] > 0)

    def draw(self, policy: Array, count: int, rng: np.random.Generator) -> Picks:
        """Draw networks from ``policy`` conditioned on being within the limit.

        Args:
            policy: probability of each candidate, shape (units, candidates), rows sum to 1.
            count: how many to draw, independently.
            rng: source of randomness.

        Returns:
            Candidate indices, shape (count, units).
        """
        mass = self._tables(policy, np.add)
        if mass[0][_BINS] <= 0:
            return np.tile(self._cheapest, (count, 1))
        # One row of numbers for each network: the first networks are the same however many are drawn.
        uniform = rng.random((count, len(policy)))
        left = np.full(count, _BINS)
        picks = np.empty((count, len(policy)), dtype=np.intp)
        for unit, row in enumerate(policy):
            weights = row * _after(mass[unit + 1], left, self._bins[unit])
            picks[:, unit] = _draw_rows(weights, uniform[:, unit])
            left -= self._bins[unit][picks[:, unit]]
        return picks

    def most_probable(self, policy: Array) -> Picks:
        """The network of highest probability under ``policy`` within the limit: shape (units,)."""
        best = self._tables(policy, np.maximum)
        if best[0][_BINS] <= 0:
            return self._cheapest
        left, picks = np.array([_BINS]), np.empty(len(policy), dtype=np.intp)
        for unit, row in enumerate(policy):
            picks[unit] = np.argmax(row * _after(best[unit + 1], left, self._bins[unit]))
            left = left - self._bins[unit][picks[unit]]
        return picks

    def _tables(self, policy: Array, combine: np.ufunc) -> list[Array]:
        """For each unit and number of bins left, the combined probability of all ways to finish within them.

        Entry [unit][bins] covers the units from ``unit`` on. Each table is scaled to a maximum of 1, since only ratios
        within a table are used and products of many small numbers would vanish.
        """
        left = np.arange(_BINS + 1)
        tables = [(left <= self._most_left).astype(np.float64)]
        for row, bins in zip(policy[::-1], self._bins[::-1], strict=True):
            table = combine.reduce(row * _after(tables[0], left, bins), axis=1)
            tables.insert(0, table / table.max() if table.max() > 0 else table)
        return tables


def _after(table: Array, left: npt.NDArray[np.intp], bins: npt.NDArray[np.intp]) -> Array:
    """``table`` at what is left after paying ``bins``: shape (len(left), candidates), 0 where it cannot be paid."""
    remaining = left[:, None] - bins[None, :]
    return np.where(remaining >= 0, table[np.maximum(remaining, 0)], 0.0)


def _to_bins(costs: Array, budget: float) -> npt.NDArray[np.intp]:
    """Costs in whole bins, rounded up; what cannot be picked or paid is more than all bins."""
    share = np.where(np.isnan(costs), np.inf, costs) / budget if budget > 0 else np.where(costs == 0, 0.0, np.inf)
    return np.minimum(np.ceil(share * _BINS), _BINS + 1).astype(np.intp)


def _draw_rows(weights: Array, uniform: Array) -> npt.NDArray[np.intp]:
    """One index for each row, with probability proportional to the row's weights, from a number in [0, 1) for each."""
    steps = weights.cumsum(axis=1)
    target = uniform * steps[:, -1]
    # Strictly above the target, so that a candidate of weight 0 is never reached, not even by a draw of 0.
    return np.asarray((steps > target[:, None]).argmax(axis=1), dtype=np.intp)
