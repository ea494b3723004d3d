"""The surrogate search: held to the contract on listed and on large sets, and better than what it has to beat."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from search.errors import WrongUse
from search.strategies import (
    AdditiveFeasible,
    ListedFeasible,
    RegularizedEvolution,
    Strategy,
    SurrogateSearch,
    Trial,
    UniformStrategy,
    best_additive,
)
from search.strategies import surrogate as module
from search.strategies.surrogate import _instructive, normal_ranks
from search.strategies.surrogate_model import GaussianProcess
from tests.contracts.strategy_contract import Costs, StrategyContract


class TestSurrogateSearch(StrategyContract):
    def make(self, costs: Costs, limit: float, seed: int) -> Strategy:
        return SurrogateSearch(AdditiveFeasible(costs, limit), seed, initial=4, batch=3)


class TestSurrogateSearchOfASetTooLargeToList(StrategyContract):
    @pytest.fixture(autouse=True)
    def nothing_is_listed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_LISTED", 0)
        monkeypatch.setattr(module, "_DRAWN", 50)

    def make(self, costs: Costs, limit: float, seed: int) -> Strategy:
        return SurrogateSearch(AdditiveFeasible(costs, limit), seed, initial=4, batch=6)


def best_of(strategy: Strategy, table: Costs, queries: int) -> float:
    scores = list[float]()
    while len(scores) < queries:
        asked = strategy.ask(queries - len(scores))
        found = [float(table[np.arange(len(table)), list(picks)].sum()) for picks in asked]
        strategy.tell([Trial(picks, 1.0, True, score) for picks, score in zip(asked, found, strict=True)])
        scores += found
    return max(scores)


def test_it_comes_nearer_to_the_best_of_a_large_space_than_evolution_and_random_search() -> None:
    rng = np.random.default_rng(0)
    costs, table = rng.random((12, 6)), rng.normal(size=(12, 6))
    limit = float(costs.mean(axis=1).sum())
    best = table[np.arange(12), list(best_additive(table, costs, limit))].sum()
    gaps = {
        make.__name__: best
        - np.mean([best_of(make(AdditiveFeasible(costs, limit), seed), table, 80) for seed in (0, 1)])
        for make in (SurrogateSearch, RegularizedEvolution, UniformStrategy)
    }
    assert 0 <= gaps["SurrogateSearch"] < 0.8 * gaps["RegularizedEvolution"]
    assert gaps["SurrogateSearch"] < 0.8 * gaps["UniformStrategy"]


def test_it_finds_the_best_of_a_list() -> None:
    picks = np.array(list(itertools.product(range(4), repeat=4)))
    table = np.random.default_rng(1).normal(size=(4, 4))
    feasible = ListedFeasible(picks, picks.sum(axis=1).astype(float), 7.0)
    best = max(table[np.arange(4), row].sum() for row in picks if row.sum() <= 7)
    assert best_of(SurrogateSearch(feasible, 0), table, 60) == pytest.approx(best)


def test_the_scale_of_scores_does_not_matter() -> None:
    feasible, asked = AdditiveFeasible(np.ones((5, 4)), 5.0), []
    for scale in (lambda score: score, lambda score: float(np.exp(9 * score))):
        strategy = SurrogateSearch(feasible, 0, initial=10)
        for _ in range(2):
            strategy.tell([Trial(picks, 1.0, True, scale(sum(picks))) for picks in strategy.ask(10)])
        asked.append(strategy.ask(10))
    assert asked[0] == asked[1]


def test_of_many_networks_it_learns_from_the_best_and_some_of_all_others() -> None:
    values = np.random.default_rng(0).permutation(100.0 - np.arange(100))
    learned = _instructive(values, 10)
    assert sorted(values[learned])[5:] == [96, 97, 98, 99, 100]
    assert sorted(values[learned])[:5] == pytest.approx([1, 25, 48, 72, 95], abs=1)
    assert learned.tolist() == sorted(learned)
    assert _instructive(values, 100).tolist() == list(range(100))


def test_a_long_search_learns_from_no_more_networks_than_a_short_one(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, fit = list[int](), GaussianProcess.fit

    def counted(process: GaussianProcess, picks: np.ndarray, values: np.ndarray) -> None:
        sizes.append(len(picks))
        fit(process, picks, values)

    monkeypatch.setattr(GaussianProcess, "fit", counted)
    monkeypatch.setattr(module, "_LEARNED", 30)
    table = np.random.default_rng(0).normal(size=(4, 4))
    best_of(SurrogateSearch(AdditiveFeasible(np.ones((4, 4)), 4.0), 0), table, 70)
    assert sizes == [20, 30, 30, 30, 30]


def test_ranks_are_normal_quantiles_and_equal_for_equal_scores() -> None:
    assert normal_ranks(np.array([5.0, 1.0, 9.0])) == pytest.approx([0.0, -0.9674216, 0.9674216])
    assert normal_ranks(np.array([2.0, 2.0, 2.0])).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("options", [{"initial": 0}, {"batch": 0}, {"exploration": -1.0}])
def test_numbers_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(WrongUse, match="1 or more"):
        SurrogateSearch(AdditiveFeasible(np.ones((2, 2)), 2.0), 0, **options)
