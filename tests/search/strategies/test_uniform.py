"""Random search: uniform over the networks within the limit, none twice."""

from __future__ import annotations

from collections import Counter

import numpy as np

from search.strategies import AdditiveFeasible, Strategy, Trial, UniformStrategy
from tests.contracts.strategy_contract import Costs, StrategyContract


class TestUniformStrategy(StrategyContract):
    def make(self, costs: Costs, limit: float, seed: int) -> Strategy:
        return UniformStrategy(AdditiveFeasible(costs, limit), seed)


def test_every_network_comes_first_equally_often() -> None:
    feasible = AdditiveFeasible(np.array([[1.0, 2.0, 9.0], [1.0, 2.0, 3.0]]), 4.0)
    firsts = Counter(UniformStrategy(feasible, seed).ask(1)[0] for seed in range(1000))
    assert set(firsts) == {(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)}
    # Binomial with 1000 draws of 1/5: standard deviation 12.6.
    assert all(abs(count - 200) < 63 for count in firsts.values())


def test_what_it_proposes_does_not_depend_on_scores() -> None:
    feasible = AdditiveFeasible(np.arange(12.0).reshape(3, 4), 20.0)
    asked = []
    for score in (0.1, 0.9):
        strategy = UniformStrategy(feasible, seed=0)
        strategy.tell([Trial(picks, 1.0, feasible=True, score=score) for picks in strategy.ask(5)])
        asked.append(strategy.ask(5))
    assert asked[0] == asked[1]
