"""Networks within several additive limits at once, such as latency on two devices."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt

from devices import NoAnswer, WrongUse
from search.cost import Additive, Array
from search.pareto import non_dominated
from search.strategies.feasible import AdditiveFeasible, FeasibleSet

Flags: TypeAlias = npt.NDArray[np.bool_]
Indices: TypeAlias = npt.NDArray[np.intp]

_POINTS_OF_TWO, _POINTS_OF_MORE = 4096, 64
"""Ways to finish a network that are kept for each unit. Of two limits that is all there are of 22 units x 13 but for
differences in the fourth digit; of more, comparing all with all is what takes the time."""

_TRIED = 512
"""Draws by which the set to draw from is chosen."""

_DRAWN_AT_ONCE, _ROUNDS, _LISTED = 4096, 64, 100_000
_MARGIN = 1e-12
"""Of a limit: sums in another order differ in the last digit."""


@final
class JointFeasible(FeasibleSet):
    """Networks within several limits on sums.

    A network is in the set exactly when each of its sums is within its limit. Draws are uniform: from the set of one
    limit, or of the sum of all costs in shares of their limits, whichever holds fewest others, and drawn again until
    all limits are met. Which candidates lead to a network of the set is answered from the ways to finish it that no
    other way beats in every cost. Of very many a selection is kept, so that a way out may be overlooked where limits
    leave hardly any, but none is promised that is not there.

    Args:
        limits: two or more, over the same units and candidates.

    Raises:
        WrongUse: there are fewer than two, or their shapes differ.
        NoAnswer: no network within all of them was found.
    """

    def __init__(self, limits: Sequence[Additive]) -> None:
        super().__init__()
        if len(limits) < 2 or len({limit.costs.shape for limit in limits}) > 1:
            shapes = [limit.costs.shape for limit in limits]
            raise WrongUse(f"Two or more limits over the same units and candidates are met together; got {shapes}.")
        costs = np.array([limit.costs for limit in limits])
        self._costs = np.where(np.isnan(costs).any(axis=0), np.nan, costs)
        self._fixed = np.array([limit.fixed for limit in limits])
        self._budget = np.array([limit.budget for limit in limits])
        self._sizes = tuple(int(np.flatnonzero(~np.isnan(row))[-1]) + 1 for row in self._costs[0])
        self._thinned = False
        self._finishes = self._ways_to_finish()
        self._refuse_impossible()

    @property
    def sizes(self) -> tuple[int, ...]:
        """Candidates of each unit, without those at the end that cannot be picked."""
        return self._sizes

    def cost(self, picks: Indices) -> Array:
        """The first of the costs, shape (n,)."""
        return self._sums(picks)[:, 0]

    def contains(self, picks: Indices) -> Flags:
        """Whether every sum is within its limit."""
        return np.asarray((self._sums(picks) <= self._budget).all(axis=1))

    def continuations(self, beginnings: Indices) -> Flags:
        """Candidates after which some way to finish stays within all limits."""
        begun, units = beginnings.shape[1], self._costs.shape[1]
        options = self._costs[:, begun, : self._sizes[begun]].T
        spent = self._sums(beginnings)[:, None, :] + options
        # The last unit decides exactly. Before it, each unit leaves a little more room to the next than it uses itself,
        # so that no way that was promised is lost to the last digit.
        margin = _MARGIN * (units - 1 - begun) * np.abs(self._budget)
        room = (self._budget - margin - spent).reshape(-1, len(self._budget))
        return self._can_finish(begun + 1, room).reshape(spent.shape[:2])

    def draw(self, count: int, rng: np.random.Generator) -> Indices:
        """Uniform over the set.

        Raises:
            NoAnswer: the set is too small a part of what it is drawn from, and too large to be listed.
        """
        parts, missing = [np.empty((0, self._costs.shape[1]), dtype=np.intp)], count
        for _ in range(_ROUNDS):
            if missing <= 0:
                break
            drawn = self._wider.draw(min(_DRAWN_AT_ONCE, 4 * missing + 64), rng)
            parts.append(drawn[self.contains(drawn)][:missing])
            missing -= len(parts[-1])
        if missing > 0:
            parts.append(self._drawn_from_list(missing, rng))
        return np.concatenate(parts)

    def _drawn_from_list(self, count: int, rng: np.random.Generator) -> Indices:
        known = self.listed(_LISTED)
        if known is None:
            raise NoAnswer(
                "Networks within all limits are too rare among those within any one of them to be drawn. "
                "Loosen a limit, or leave one out."
            )
        return np.asarray(known[rng.integers(len(known), size=count)])

    @cached_property
    def _wider(self) -> AdditiveFeasible:
        """The set that holds this one and fewest others, of those that can be drawn from."""
        # A limit of 0 is on costs that bar and add nothing.
        scale = np.where(self._budget > 0, self._budget, 1.0)
        together = (self._costs / scale[:, None, None]).sum(axis=0)
        shares = float((self._budget / scale).sum()) * (1 + 1e-9), float((self._fixed / scale).sum())
        sets = [AdditiveFeasible(together, *shares)]
        sets += [AdditiveFeasible(*of) for of in zip(self._costs, self._budget, self._fixed, strict=True)]
        rng = np.random.default_rng(0)
        return max(sets, key=lambda wider: int(self.contains(wider.draw(_TRIED, rng)).sum()))

    def _sums(self, picks: Indices) -> Array:
        sums = np.tile(self._fixed, (len(picks), 1))
        for unit in range(picks.shape[1]):
            sums = sums + self._costs[:, unit].T[picks[:, unit]]
        return np.asarray(sums)

    def _ways_to_finish(self) -> list[Array]:
        """By unit, the sums over the units from there on that no other sum beats: each of shape (ways, limits)."""
        most = _POINTS_OF_TWO if len(self._budget) == 2 else _POINTS_OF_MORE
        ways = [np.zeros((1, len(self._budget)))]
        for unit in range(self._costs.shape[1] - 1, -1, -1):
            row = self._costs[:, unit].T
            sums = (row[~np.isnan(row).any(axis=1), None] + ways[0]).reshape(-1, len(self._budget))
            kept = sums[non_dominated(sums)]
            kept = kept[np.lexsort(kept.T[::-1])]
            if len(kept) > most:
                self._thinned = True
                kept = kept[np.linspace(0, len(kept) - 1, most).round().astype(np.intp)]
            ways.insert(0, kept)
        return ways

    def _can_finish(self, unit: int, room: Array) -> Flags:
        """Whether the units from ``unit`` on can be picked within each row of ``room``, shape (n,)."""
        ways = self._finishes[unit]
        room = np.where(np.isnan(room), -np.inf, room)
        if ways.shape[1] == 2:
            # Sorted by the first cost, so that the second falls: the dearest by the first that fits decides.
            place = np.searchsorted(ways[:, 0], room[:, 0], side="right") - 1
            return np.asarray((place >= 0) & (ways[np.maximum(place, 0), 1] <= room[:, 1]))
        fits = np.zeros(len(room), dtype=np.bool_)
        for way in ways:
            fits |= (way <= room).all(axis=1)
        return fits

    def _refuse_impossible(self) -> None:
        if self.continuations(np.empty((1, 0), dtype=np.intp)).any():
            return
        scale = np.where(self._budget > 0, self._budget, 1.0)
        nearest = float(((self._finishes[0] + self._fixed) / scale).max(axis=1).min())
        raise NoAnswer(
            f"{'No network was found' if self._thinned else 'There is no network'} that is within all limits at once: "
            f"the nearest needs {nearest:.1%} of one of them. Raise that --limit."
        )
