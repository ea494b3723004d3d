"""NSGA-II: evolution towards a Pareto front, with the limit as a hard constraint."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import final

import numpy as np

from search.errors import WrongUse
from search.strategies.batches import BatchStrategy, Picks, as_tuples, scored
from search.strategies.feasible import Array, FeasibleSet, Indices
from search.strategies.pareto import crowding, fronts
from search.strategies.strategy import Trial

_CROSSED = 0.9
"""Share of children with two parents, as Deb et al. cross."""


@final
class Nsga2(BatchStrategy):
    """The genetic algorithm of Deb et al., with every child within the limit.

    A fast and elitist multiobjective genetic algorithm: NSGA-II, IEEE Transactions on Evolutionary Computation 6, 2002.
    Own code and not pymoo's, in which a limit is soft: a child above it is evaluated first and sorted out afterwards.

    Objectives are the score, upwards, and ``Trial.objectives``, downwards; with the score alone it is a genetic
    algorithm that keeps the best. Uniform crossover of whole units, and each unit changes with a probability of one in
    all units. A child above the limit takes back units of its first parent, in random order, until it is within: that
    ends, as its parent is.

    Args:
        feasible: the networks that may be proposed.
        seed: of the first population, tournaments, crossover and mutation.
        population: networks that survive, and children of a generation. Deb et al. use 100 for tens of thousands of
            evaluations; this is for some hundred.

    Raises:
        WrongUse: the population is below 2.
    """

    def __init__(self, feasible: FeasibleSet, seed: int, population: int = 20) -> None:
        if population < 2:
            raise WrongUse(f"A population needs at least 2 networks; got {population}.")
        super().__init__(feasible, seed, population)
        self._selected = 0
        self._alive, self._values = list[Trial](), np.empty((0, 1))

    def _propose(self, trials: Sequence[Trial], seen: Collection[Picks], rng: np.random.Generator) -> list[Picks]:
        alive, values = self._survivors(trials)
        if len(alive) < 2:
            return []
        front = fronts(values)
        # One number that orders by front, and within a front by crowding (the crowded comparison, section III-B).
        rank = np.empty(len(alive))
        rank[np.lexsort((-crowding(values, front), front))] = np.arange(len(alive))
        children = dict[Picks, None]()
        for _ in range(self._batch):
            parents = [alive[min(rng.integers(len(alive), size=2), key=lambda one: rank[one])] for _ in range(2)]
            children.update(dict.fromkeys(self._child(parents[0].picks, parents[1].picks, {*seen, *children}, rng)))
        return list(children)

    def _survivors(self, trials: Sequence[Trial]) -> tuple[list[Trial], Array]:
        """The population after the selections of all generations, and its objectives."""
        for start in range(self._selected, len(trials), self._batch):
            pool = self._alive + scored(trials[start : start + self._batch])
            if pool:
                values = _objectives(pool)
                front = fronts(values)
                kept = np.sort(np.lexsort((-crowding(values, front), front))[: self._batch])
                self._alive, self._values = [pool[index] for index in kept], values[kept]
            self._selected = start + self._batch
        return self._alive, self._values

    def _child(self, first: Picks, second: Picks, seen: Collection[Picks], rng: np.random.Generator) -> list[Picks]:
        """A child within the limit that was not evaluated; one change away from it where it was; or none."""
        own = np.array(first, dtype=np.intp)
        crossed = rng.random(len(own)) < (0.5 if rng.random() < _CROSSED else 0.0)
        child = self._mutate(np.where(crossed, second, own), rng)
        child = self._take_back(child, own, rng)
        nearby = [tuple(child.tolist()), *as_tuples(rng.permutation(self._feasible.neighbours(child.tolist())))]
        return [picks for picks in nearby if picks not in seen][:1]

    def _mutate(self, picks: Indices, rng: np.random.Generator) -> Indices:
        sizes = np.array(self._feasible.sizes)
        changed = rng.random(len(picks)) < 1 / len(picks)
        # From 1 to size - 1 further on, and so never the same; a unit of one candidate has nowhere to go.
        further = 1 + np.floor(rng.random(len(picks)) * (sizes - 1)).astype(np.intp)
        return np.where(changed, (picks + further) % sizes, picks)

    def _take_back(self, child: Indices, parent: Indices, rng: np.random.Generator) -> Indices:
        """The child after the least number of its units, in random order, is its parent's again."""
        order = rng.permutation(len(child))
        place = np.argsort(order)
        steps = np.where(place < np.arange(len(child) + 1)[:, None], parent, child)
        return np.asarray(steps[self._feasible.contains(steps).argmax()])


def _objectives(trials: Sequence[Trial]) -> Array:
    """What is minimised: the score's negative and the further objectives, shape (n, 1 + objectives)."""
    lengths = {len(trial.objectives) for trial in trials}
    if len(lengths) > 1:
        raise WrongUse(f"All trials must have equally many objectives; got {sorted(lengths)} beside the score.")
    return np.array([[-(trial.score or 0.0), *trial.objectives] for trial in trials])
