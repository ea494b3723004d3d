"""Regularised evolution: tournaments among the youngest, one mutation each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import final

import numpy as np

from search.errors import WrongUse
from search.strategies.batches import BatchStrategy, Picks, as_tuples, is_scored, scores_of
from search.strategies.feasible import FeasibleSet
from search.strategies.strategy import Trial


@final
class RegularizedEvolution(BatchStrategy):
    """Evolution that forgets its oldest.

    Real et al., Regularized evolution for image classifier architecture search, AAAI 2019, algorithm 1. Every child
    joins the population and the oldest leaves it, so the population is always the networks evaluated last. A mutation
    changes the candidate of one unit; it is drawn from the feasible networks one change away that were not evaluated
    yet, and so never repeated until it fits.

    Args:
        feasible: the networks that may be proposed.
        seed: of the first population, tournaments and mutations.
        population: networks that are alive. Real et al. use 100 of 20 000; this is for searches of some hundred.
        tournament: how many are drawn from the population, the best of which has a child.
        batch: children that are made before any of them is evaluated.

    Raises:
        WrongUse: a number is below 1.
    """

    def __init__(
        self, feasible: FeasibleSet, seed: int, population: int = 30, tournament: int = 10, batch: int = 1
    ) -> None:
        if min(population, tournament, batch) < 1:
            raise WrongUse(f"Population, tournament and batch must be at least 1: {population}, {tournament}, {batch}.")
        super().__init__(feasible, seed, batch)
        self._population, self._tournament = population, tournament

    def _propose(self, trials: Sequence[Trial], seen: Collection[Picks], rng: np.random.Generator) -> list[Picks]:
        alive = list(islice(filter(is_scored, reversed(trials)), self._population))[::-1]
        if len(alive) < self._population:
            return []
        children = dict[Picks, None]()
        for _ in range(self._batch):
            fresh = (child for child in self._children(alive, seen, rng) if child not in children)
            children.update(dict.fromkeys(islice(fresh, 1)))
        return list(children)

    def _children(self, alive: Sequence[Trial], seen: Collection[Picks], rng: np.random.Generator) -> Iterator[Picks]:
        """Mutants of the best of a tournament, then of the second best, and so on."""
        entered = [alive[index] for index in rng.integers(len(alive), size=self._tournament)]
        for place in np.argsort(-scores_of(entered), kind="stable"):
            yield from self._mutants(entered[place].picks, seen, rng)

    def _mutants(self, parent: Picks, seen: Collection[Picks], rng: np.random.Generator) -> Iterable[Picks]:
        fresh = [picks for picks in as_tuples(self._feasible.neighbours(parent)) if picks not in seen]
        return (fresh[index] for index in rng.permutation(len(fresh)))
