"""Batches: the same whatever is asked for at once, and filled up with networks that were not seen."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pytest

from search.strategies import AdditiveFeasible, Trial
from search.strategies.batches import BatchStrategy, as_tuples, draw_unseen, scored

FEASIBLE = AdditiveFeasible(np.tile(np.arange(4.0), (4, 1)), 8.0)


class Shuffled(BatchStrategy):
    """Proposes neighbours of the best, so that a batch depends on what was told before it."""

    def _propose(self, trials: Sequence[Trial], seen: Collection[tuple[int, ...]], rng: np.random.Generator) -> object:
        if not trials:
            return []
        best = max(trials, key=lambda trial: trial.score or 0.0)
        return as_tuples(rng.permutation(self._feasible.neighbours(best.picks))[:3])


def asked(chunk: int, rounds: int) -> list[tuple[int, ...]]:
    strategy, found = Shuffled(FEASIBLE, 0, 6), list[tuple[int, ...]]()
    while len(found) < rounds:
        some = strategy.ask(chunk)
        strategy.tell([Trial(picks, 1.0, True, float(sum(picks))) for picks in some])
        found += some
    return found[:rounds]


@pytest.mark.parametrize("chunk", [2, 5, 100])
def test_how_many_are_asked_for_at_once_changes_nothing(chunk: int) -> None:
    assert asked(chunk, 30) == asked(1, 30)


def test_a_network_that_is_told_twice_counts_once() -> None:
    strategy, other = (Shuffled(FEASIBLE, 0, 6) for _ in range(2))
    trials = [Trial(picks, 1.0, True, 1.0) for picks in strategy.ask(3)]
    strategy.tell(trials + trials)
    other.tell(trials)
    assert strategy.ask(9) == other.ask(9)


def test_unseen_networks_are_different_and_within_the_limit() -> None:
    seen = {(0, 0, 0, 0), (1, 0, 0, 0)}
    found = draw_unseen(FEASIBLE, seen, 20, np.random.default_rng(0))
    assert len(set(found)) == 20
    assert not seen & set(found)
    assert FEASIBLE.contains(np.array(found)).all()


def test_the_last_unseen_networks_are_found_without_luck() -> None:
    every = as_tuples(FEASIBLE.listed(1000))
    assert draw_unseen(FEASIBLE, set(every[1:]), 5, np.random.default_rng(0)) == every[:1]
    assert draw_unseen(FEASIBLE, set(every), 5, np.random.default_rng(0)) == []


def test_only_finite_scores_of_feasible_networks_count() -> None:
    kept = Trial((0,), 1.0, True, 0.5)
    others = [Trial((1,), 1.0, True), Trial((2,), 1.0, True, float("nan")), Trial((3,), 9.0, False, 0.9)]
    assert scored([*others, kept]) == [kept]
