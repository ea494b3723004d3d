"""Strategies that decide batch by batch, from whole batches: what makes them resumable to the pick."""

from __future__ import annotations

import abc
import math
from collections.abc import Collection, Iterable, Sequence
from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt

from search.strategies.feasible import FeasibleSet, Indices
from search.strategies.strategy import Strategy, Trial

Picks: TypeAlias = tuple[int, ...]

_ROUNDS = 64
"""Each round finds a new network with a probability of 1/2 or more: all fail once in 2 to the power of 64."""


class BatchStrategy(Strategy):
    """Proposes networks within the limit, none twice, and decides from batches of trials.

    A batch depends on the seed and on the trials of the batches before it, however many networks are asked for at once
    and whether they were told by this process or by an earlier one: a search that was cut off goes on as it would have
    gone. A batch of one learns from every trial; a larger one can be evaluated side by side.

    Args:
        feasible: the networks that may be proposed.
        seed: of everything that is drawn.
        batch: how many networks are decided at once.
    """

    def __init__(self, feasible: FeasibleSet, seed: int, batch: int) -> None:
        self._feasible, self._seed, self._batch = feasible, seed, batch
        self._trials: list[Trial] = []
        self._told = set[Picks]()
        self._seen = set[Picks]()  # Those of whole batches, of which there are only ever more.
        self._decided: tuple[int, list[Picks]] | None = None

    @final
    def ask(self, count: int) -> list[Picks]:
        """What is left of the current batch, ``count`` at most; none when all networks have been told."""
        whole = len(self._trials) - len(self._trials) % self._batch
        if self._decided is None or self._decided[0] != whole:
            rng = np.random.default_rng([self._seed, whole])
            self._decided = whole, self._decide(self._trials[:whole], rng)
        return [picks for picks in self._decided[1] if picks not in self._told][:count]

    @final
    def tell(self, trials: Sequence[Trial]) -> None:
        """Remember how networks did; one that is told twice counts once."""
        for trial in trials:
            if trial.picks not in self._told:
                self._told.add(trial.picks)
                self._trials.append(trial)

    def _decide(self, trials: Sequence[Trial], rng: np.random.Generator) -> list[Picks]:
        seen = self._seen
        seen.update(trial.picks for trial in trials[len(seen) :])
        wanted = dict.fromkeys(self._propose(trials, seen, rng))
        batch = [picks for picks in wanted if picks not in seen][: self._batch]
        return batch + draw_unseen(self._feasible, seen | set(batch), self._batch - len(batch), rng)

    @abc.abstractmethod
    def _propose(self, trials: Sequence[Trial], seen: Collection[Picks], rng: np.random.Generator) -> Iterable[Picks]:
        """The next batch, best first.

        Networks that were seen are dropped and what is missing is drawn uniformly, so that a strategy that finds
        nothing more by its own means comes to an end only when the set does.

        Args:
            trials: those of all batches before, in order, infeasible ones that somebody told included; each call has
                those of the call before it, and more.
            seen: their picks.
            rng: random numbers of this batch.
        """


def draw_unseen(feasible: FeasibleSet, seen: Collection[Picks], count: int, rng: np.random.Generator) -> list[Picks]:
    """Up to ``count`` different networks, uniform over those that were not seen; fewer when no more are left.

    A set that is not much larger than what was seen is listed, so that the last networks are not waited for; of a
    larger one, every draw is new with a probability of at least 1/2.
    """
    if count < 1:
        return []
    known = feasible.listed(2 * (len(seen) + count))
    if known is not None:
        left = [picks for picks in as_tuples(known) if picks not in seen]
        return [left[index] for index in rng.permutation(len(left))[:count]]
    found = dict[Picks, None]()
    for _ in range(_ROUNDS):
        for picks in as_tuples(feasible.draw(count, rng)):
            if picks not in seen and len(found) < count:
                found[picks] = None
        if len(found) == count:
            break
    return list(found)


def as_tuples(rows: Indices) -> list[Picks]:
    """Rows of picks as what trials hold."""
    return [tuple(row) for row in rows.tolist()]


def is_scored(trial: Trial) -> bool:
    """Whether it was evaluated: within the limit, with a score that is a number."""
    return trial.feasible and trial.score is not None and math.isfinite(trial.score)


def scored(trials: Iterable[Trial]) -> list[Trial]:
    """Trials that were evaluated."""
    return [trial for trial in trials if is_scored(trial)]


def scores_of(trials: Sequence[Trial]) -> npt.NDArray[np.float64]:
    """The scores of trials that were evaluated, shape (n,)."""
    return np.array([math.nan if trial.score is None else trial.score for trial in trials])
