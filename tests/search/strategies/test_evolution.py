"""Regularised evolution: the oldest leave, parents win tournaments, children differ in one unit."""

from __future__ import annotations

import numpy as np
import pytest

from search.errors import WrongUse
from search.strategies import AdditiveFeasible, RegularizedEvolution, Strategy, Trial, UniformStrategy
from tests.contracts.strategy_contract import Costs, StrategyContract


class TestRegularizedEvolution(StrategyContract):
    def make(self, costs: Costs, limit: float, seed: int) -> Strategy:
        return RegularizedEvolution(AdditiveFeasible(costs, limit), seed, population=6, tournament=3)


class TestRegularizedEvolutionInBatches(StrategyContract):
    def make(self, costs: Costs, limit: float, seed: int) -> Strategy:
        return RegularizedEvolution(AdditiveFeasible(costs, limit), seed, population=5, tournament=2, batch=4)


FEASIBLE = AdditiveFeasible(np.ones((8, 5)), 8.0)


def told(strategy: Strategy, networks: list[tuple[int, ...]], scores: list[float]) -> None:
    strategy.tell(
        [Trial(picks, 8.0, feasible=True, score=score) for picks, score in zip(networks, scores, strict=True)]
    )


def changes(first: tuple[int, ...], second: tuple[int, ...]) -> int:
    return sum(one != other for one, other in zip(first, second, strict=True))


def test_a_child_differs_from_the_best_of_a_tournament_in_one_unit() -> None:
    networks = [(n,) * 8 for n in range(4)]
    for seed in range(10):
        strategy = RegularizedEvolution(FEASIBLE, seed, population=4, tournament=64)
        told(strategy, networks, [0.1, 0.9, 0.2, 0.3])
        assert changes(strategy.ask(1)[0], (1,) * 8) == 1


def test_the_oldest_leaves_however_good_it_is() -> None:
    networks = [(n,) * 8 for n in range(5)]
    strategy = RegularizedEvolution(FEASIBLE, 0, population=4, tournament=64)
    told(strategy, networks, [0.99, 0.1, 0.8, 0.2, 0.3])
    assert changes(strategy.ask(1)[0], (2,) * 8) == 1


def test_until_the_population_is_full_networks_are_drawn() -> None:
    strategy = RegularizedEvolution(FEASIBLE, 0, population=20, tournament=5)
    told(strategy, [(0,) * 8], [1.0])
    assert changes(strategy.ask(1)[0], (0,) * 8) > 2


def test_it_finds_better_networks_than_random_search() -> None:
    found = {}
    for name, make in (("evolution", RegularizedEvolution), ("random", UniformStrategy)):
        best = []
        for seed in range(3):
            strategy = make(AdditiveFeasible(np.tile(np.arange(5.0), (8, 1)), 24.0), seed)
            scores = []
            while len(scores) < 150:
                asked = strategy.ask(1)
                scores += [float(sum(picks)) for picks in asked]
                told(strategy, asked, scores[-len(asked) :])
            best.append(max(scores))
        found[name] = np.mean(best)
    assert found["evolution"] == 24.0
    assert found["random"] <= found["evolution"]


def test_numbers_below_one_are_refused() -> None:
    with pytest.raises(WrongUse, match="at least 1: 0, 10, 1"):
        RegularizedEvolution(FEASIBLE, 0, population=0)
