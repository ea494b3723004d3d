"""The controller trained by REINFORCE: held to the contract, learns, stays undecided where that is paid for."""

from __future__ import annotations

import itertools
import random
import sys

import numpy as np
import pytest

from search.errors import WrongUse
from search.strategies import AdditiveFeasible, ListedFeasible, ReinforceController, Strategy, Trial
from search.strategies.controller_network import Walks
from tests.contracts.strategy_contract import Costs, StrategyContract


class TestReinforceController(StrategyContract):
    def make(self, costs: Costs, limit: float, seed: int) -> Strategy:
        return ReinforceController(AdditiveFeasible(costs, limit), seed, batch=3)


class TestReinforceControllerWithoutImitation(StrategyContract):
    def make(self, costs: Costs, limit: float, seed: int) -> Strategy:
        return ReinforceController(AdditiveFeasible(costs, limit), seed, batch=4, imitation=0.0)


TABLE = np.random.default_rng(7).standard_normal((8, 5))
COSTS = np.random.default_rng(8).random((8, 5))


def searched(strategy: Strategy, queries: int, ask: int = 100) -> list[Trial]:
    """Networks with the sum of their scores in a table, as many as were asked for."""
    trials = list[Trial]()
    while len(trials) < queries:
        asked = strategy.ask(min(ask, queries - len(trials)))
        scores = [float(TABLE[np.arange(8), list(picks)].sum()) for picks in asked]
        strategy.tell([Trial(picks, 1.0, True, score) for picks, score in zip(asked, scores, strict=True)])
        trials += [Trial(picks, 1.0, True, score) for picks, score in zip(asked, scores, strict=True)]
    return trials


def scores_of(trials: list[Trial]) -> np.ndarray:
    return np.array([trial.score for trial in trials])


@pytest.mark.parametrize(("imitation", "rate"), [(0.0, 0.05), (0.5, 0.1)], ids=["rewards alone", "as it comes"])
def test_what_it_proposes_gets_better(imitation: float, rate: float) -> None:
    feasible = AdditiveFeasible(COSTS, 4.0)
    runs = [searched(ReinforceController(feasible, seed, rate=rate, imitation=imitation), 120) for seed in range(3)]
    scores = np.stack([scores_of(run) for run in runs])
    assert scores[:, -30:].mean() > scores[:, :30].mean() + scores[:, :30].std() / 2


def test_it_learns_on_a_list_of_networks() -> None:
    picks = np.array([row for row in itertools.product(range(3), repeat=7) if sum(row) != 5])
    feasible, found = ListedFeasible(picks, picks.sum(axis=1).astype(float), 9.0), list[float]()
    strategy = ReinforceController(feasible, 0)
    while len(found) < 100:
        asked = strategy.ask(5)
        strategy.tell([Trial(picks, 1.0, True, float(sum(picks[:3]))) for picks in asked])
        found += [float(sum(picks[:3])) for picks in asked]
    usual = feasible.draw(1000, np.random.default_rng(0))[:, :3].sum(axis=1)
    assert np.mean(found[50:]) > usual.mean() + usual.std() / 2


def entropy_after(weight: float, queries: int = 100) -> float:
    feasible = AdditiveFeasible(COSTS, 4.0)
    strategy = ReinforceController(feasible, 0, entropy=weight, imitation=0.0, rate=0.05)
    searched(strategy, queries)
    drawn = Walks.to(feasible.draw(50, np.random.default_rng(0)), feasible)
    return float(strategy._network.log_probability(drawn)[1].mean())


def test_the_entropy_bonus_keeps_it_undecided() -> None:
    assert entropy_after(2.0) > entropy_after(0.0) + 1.0


def test_neither_scale_nor_offset_of_scores_matters() -> None:
    asked = []
    for scale in (lambda score: score, lambda score: float(np.exp(9 * score)) - 4):
        strategy = ReinforceController(AdditiveFeasible(np.ones((5, 4)), 5.0), 0)
        for _ in range(4):
            strategy.tell([Trial(picks, 1.0, True, scale(sum(picks) / 9)) for picks in strategy.ask(5)])
        asked.append(strategy.ask(5))
    assert asked[0] == asked[1]


@pytest.mark.parametrize("told", [40, 43])
def test_a_search_that_is_resumed_takes_the_same_steps(told: int) -> None:
    feasible = AdditiveFeasible(COSTS, 4.0)
    whole = searched(ReinforceController(feasible, 3), 80, ask=3)
    resumed = ReinforceController(feasible, 3)
    resumed.tell(whole[:told])
    assert whole[:told] + searched(resumed, 80 - told) == whole


def test_what_others_found_is_imitated_and_not_rewarded() -> None:
    feasible = AdditiveFeasible(COSTS, 4.0)
    others = [Trial(tuple(row), 1.0, True, 0.0) for row in feasible.draw(10, np.random.default_rng(0)).tolist()]
    others[3] = Trial(others[3].picks, 1.0, True, 9.0)
    walks = Walks.to(np.array([others[3].picks]), feasible)
    chances = {}
    for imitation in (0.0, 1.0):
        strategy = ReinforceController(feasible, 0, imitation=imitation, entropy=0.0)
        before = strategy._network.log_probability(walks)[0][0]
        strategy.tell(others)
        strategy.ask(1)
        chances[imitation] = strategy._network.log_probability(walks)[0][0] - before
    assert chances[0.0] == 0.0
    assert chances[1.0] > 0.01


def test_what_is_said_to_be_feasible_and_is_not_is_passed_over() -> None:
    strategy = ReinforceController(AdditiveFeasible(COSTS, 2.0), 0)
    strategy.tell([Trial((pick,) * 8, 1.0, True, float(pick)) for pick in range(5)])
    asked = strategy.ask(5)
    assert len(asked) == 5
    assert AdditiveFeasible(COSTS, 2.0).contains(np.array(asked)).all()


def test_global_random_numbers_are_left_alone_and_torch_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # An import would fail.
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002  It is the one to be left alone.
    searched(ReinforceController(AdditiveFeasible(COSTS, 4.0), 0), 15)
    assert before == (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002


@pytest.mark.parametrize(
    "options",
    [{"batch": 0}, {"rate": 0.0}, {"entropy": -1.0}, {"baseline": 1.0}, {"best": 0}, {"imitation": float("nan")}],
)
def test_numbers_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(WrongUse, match="batch and the best that are imitated must be 1 or more"):
        ReinforceController(AdditiveFeasible(np.ones((2, 2)), 2.0), 0, **options)
