"""NSGA-II: better with generations, spread along a front, and never above the limit."""

from __future__ import annotations

import numpy as np
import pytest

from search.errors import WrongUse
from search.strategies import AdditiveFeasible, Nsga2, Strategy, Trial
from search.strategies.pareto import fronts
from tests.contracts.strategy_contract import Costs, StrategyContract


class TestNsga2(StrategyContract):
    def make(self, costs: Costs, limit: float, seed: int) -> Strategy:
        return Nsga2(AdditiveFeasible(costs, limit), seed, population=5)


COSTS = np.tile(np.arange(5.0), (8, 1))


def searched(strategy: Strategy, count: int, two: bool) -> list[Trial]:
    """Score is the sum of the picks; the second objective, where there is one, their largest."""
    trials = list[Trial]()
    while len(trials) < count:
        asked = strategy.ask(7)
        tell = [Trial(picks, 1.0, True, float(sum(picks)), (float(max(picks) ** 2),) if two else ()) for picks in asked]
        strategy.tell(tell)
        trials += tell
    return trials


def test_generations_get_better() -> None:
    trials = searched(Nsga2(AdditiveFeasible(COSTS, 24.0), seed=0, population=20), 160, two=False)
    scores = np.array([trial.score for trial in trials], dtype=float)
    assert scores[-40:].mean() > scores[:20].mean() + 2
    assert scores.max() == 24.0


def test_of_two_objectives_a_whole_front_survives() -> None:
    strategy = Nsga2(AdditiveFeasible(COSTS, 32.0), seed=0, population=20)
    trials = searched(strategy, 400, two=True)
    values = np.array([[-(trial.score or 0.0), *trial.objectives] for trial in trials])
    front = values[fronts(values) == 0]
    assert len(np.unique(front[:, 1])) >= 3, "networks of several largest picks, and not of one"
    assert (front[:, 0].min(), front[:, 1].max()) == (-32.0, 16.0)


def test_a_tight_limit_leaves_children_within_it() -> None:
    # Every network of the set has one unit of 1 at most.
    feasible = AdditiveFeasible(COSTS, 1.0)
    strategy = Nsga2(feasible, seed=0, population=4)
    found = set[tuple[int, ...]]()
    while asked := strategy.ask(4):
        strategy.tell([Trial(picks, 1.0, True, 1.0) for picks in asked])
        found.update(asked)
    assert len(found) == 9


def test_objectives_of_different_numbers_are_refused() -> None:
    strategy = Nsga2(AdditiveFeasible(COSTS, 9.0), seed=0, population=2)
    strategy.tell([Trial((0,) * 8, 1.0, True, 1.0), Trial((1,) * 8, 1.0, True, 1.0, (2.0,))])
    with pytest.raises(WrongUse, match=r"equally many objectives; got \[0, 1\]"):
        strategy.ask(2)


def test_a_population_of_one_is_refused() -> None:
    with pytest.raises(WrongUse, match="at least 2 networks; got 1"):
        Nsga2(AdditiveFeasible(COSTS, 9.0), seed=0, population=1)
