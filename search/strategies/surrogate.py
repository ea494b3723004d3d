"""Search by a surrogate: a Gaussian process says which networks are worth evaluating next."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import final

import numpy as np

from search.errors import WrongUse
from search.strategies.batches import BatchStrategy, Picks, as_tuples, draw_unseen, scored, scores_of
from search.strategies.feasible import Array, FeasibleSet, Indices
from search.strategies.strategy import Trial
from search.strategies.surrogate_model import GaussianProcess

_LISTED = 20_000
"""Networks that are all looked at before each batch; of a larger set, some are drawn and improved."""

_LEARNED = 400
"""Evaluated networks that are learned from at most: the time of a fit grows with the third power of their number."""

_DRAWN, _BEST, _PAIRS, _CLIMBS = 1000, 8, 200, 4
"""Of a larger set: networks drawn uniformly, evaluated ones to start from, random changes of two units of each, and
how often the most promising are improved by a change."""


@final
class SurrogateSearch(BatchStrategy):
    """Bayesian optimisation within the limit; the default.

    A Gaussian process learns from the ranks of the scores, as quantiles of a normal distribution, so that neither the
    scale of a score nor networks that do not train matter. It proposes networks by upper confidence bounds (Srinivas
    et al., Gaussian process optimization in the bandit setting, ICML 2010), the expected value plus some standard
    deviations: each of a batch by another number of them, drawn from an exponential distribution, so that a batch both
    uses and explores (the weights of Hutter, Hoos and Leyton-Brown, Parallel algorithm configuration, LION 2012).

    Of very many evaluated networks it learns from the best and from some of all others, so that a batch late in a long
    search takes no longer than one before. It looks at the score alone: further objectives are for ``Nsga2``.

    Args:
        feasible: the networks that may be proposed.
        seed: of the first networks and of the weights.
        initial: networks that are drawn uniformly before anything is learned.
        batch: networks that are chosen before any of them is evaluated.
        exploration: mean number of standard deviations.

    Raises:
        WrongUse: a number is below 1, or the exploration below 0.
    """

    def __init__(
        self, feasible: FeasibleSet, seed: int, initial: int = 20, batch: int = 10, exploration: float = 1.0
    ) -> None:
        if min(initial, batch) < 1 or not exploration >= 0:
            raise WrongUse(
                f"First networks and batch must be 1 or more, exploration 0 or more: {initial}, {batch}, {exploration}."
            )
        super().__init__(feasible, seed, batch)
        self._initial, self._exploration = initial, exploration

    def _propose(self, trials: Sequence[Trial], seen: Collection[Picks], rng: np.random.Generator) -> list[Picks]:
        known = scored(trials)
        if len(known) < self._initial:
            return []
        process, values = GaussianProcess(self._feasible.sizes), normal_ranks(scores_of(known))
        learned = _instructive(values, _LEARNED)
        process.fit(np.array([known[place].picks for place in learned], dtype=np.intp), values[learned])
        weights = rng.exponential(self._exploration, size=self._batch)
        if self._every is not None:
            left = [place for picks, place in self._places.items() if picks not in seen]
            rows = self._every[left]
            return _first_choices(rows, _bounds(process, rows, weights)) if left else []
        return self._climbed(process, known, seen, weights, rng)

    @cached_property
    def _every(self) -> Indices | None:
        return self._feasible.listed(_LISTED)

    @cached_property
    def _places(self) -> dict[Picks, int]:
        assert self._every is not None, "only a set that is listed has places"
        return {picks: place for place, picks in enumerate(as_tuples(self._every))}

    def _climbed(
        self,
        process: GaussianProcess,
        known: Sequence[Trial],
        seen: Collection[Picks],
        weights: Array,
        rng: np.random.Generator,
    ) -> list[Picks]:
        """The networks of highest bounds among drawn ones, changes of the best, and changes of what was highest."""
        best = [known[place].picks for place in np.argsort(-scores_of(known), kind="stable")[:_BEST]]
        new = dict.fromkeys(draw_unseen(self._feasible, seen, _DRAWN, rng))
        starts, rows, bounds = best, np.empty((0, len(self._feasible.sizes)), np.intp), np.empty((len(weights), 0))
        looked = set[Picks](seen)
        for _ in range(_CLIMBS):
            new.update(dict.fromkeys(picks for start in starts for picks in self._changes(start, rng)))
            fresh = [picks for picks in new if picks not in looked]
            if not fresh:
                break
            looked.update(fresh)
            rows = np.concatenate([rows, np.array(fresh, dtype=np.intp)])
            bounds = np.concatenate([bounds, _bounds(process, rows[-len(fresh) :], weights)], axis=1)
            starts, new = _first_choices(rows, bounds), {}
        return _first_choices(rows, bounds)

    def _changes(self, start: Picks, rng: np.random.Generator) -> list[Picks]:
        """All feasible changes of one unit and some of two: at the limit, one unit has to give what another takes."""
        sizes, units = np.array(self._feasible.sizes), len(start)
        pairs = np.tile(np.array(start, dtype=np.intp), (_PAIRS, 1))
        rows = np.arange(_PAIRS)
        for changed in (rng.integers(units, size=_PAIRS) for _ in range(2)):
            pairs[rows, changed] = np.floor(rng.random(_PAIRS) * sizes[changed]).astype(np.intp)
        return as_tuples(np.concatenate([self._feasible.neighbours(start), pairs[self._feasible.contains(pairs)]]))


def normal_ranks(scores: Array) -> Array:
    """Quantiles of the standard normal distribution by rank, the same for equal scores, shape (n,)."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    return np.asarray(ndtri((rankdata(scores) - 0.5) / len(scores)))


def _instructive(values: Array, at_most: int) -> Indices:
    """Places of all values, or of the highest and of as many others, evenly by rank; in their order, shape (n,)."""
    if len(values) <= at_most:
        return np.arange(len(values))
    order = np.argsort(-values, kind="stable")
    highest, others = order[: at_most // 2], order[at_most // 2 :]
    spread = np.linspace(0, len(others) - 1, at_most - len(highest)).round().astype(np.intp)
    return np.sort(np.concatenate([highest, others[spread]]))


def _bounds(process: GaussianProcess, rows: Indices, weights: Array) -> Array:
    """Upper confidence bound of each network by each weight, shape (weights, n)."""
    mean, deviation = process.predict(rows)
    return np.asarray(mean + weights[:, None] * deviation)


def _first_choices(rows: Indices, bounds: Array) -> list[Picks]:
    """For each weight the network of its highest bound that no weight before it chose."""
    taken = np.zeros(len(rows), dtype=np.bool_)
    chosen = []
    for row in bounds[: len(rows)]:
        place = int(np.where(taken, -np.inf, row).argmax())
        taken[place] = True
        chosen.append(place)
    return as_tuples(rows[chosen])
