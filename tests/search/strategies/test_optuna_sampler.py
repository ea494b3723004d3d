"""Optuna's samplers behind the contract: held to the limit, resumable, refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from search.errors import WrongUse
from search.strategies import AdditiveFeasible, OptunaStrategy, Strategy, Trial
from tests.contracts.strategy_contract import Costs, StrategyContract

pytest.importorskip("optuna", reason="Optuna is not installed")


class TestTpe(StrategyContract):
    def make(self, costs: Costs, limit: float, seed: int) -> Strategy:
        return OptunaStrategy(AdditiveFeasible(costs, limit), seed, "TPE", {"n_startup_trials": 5})


class TestNsga2OfOptuna(StrategyContract):
    def make(self, costs: Costs, limit: float, seed: int) -> Strategy:
        return OptunaStrategy(AdditiveFeasible(costs, limit), seed, "nsgaii", {"population_size": 4})


class TestASamplerThatKnowsNoConstraints(StrategyContract):
    def make(self, costs: Costs, limit: float, seed: int) -> Strategy:
        return OptunaStrategy(AdditiveFeasible(costs, limit), seed, "RandomSampler")


FEASIBLE = AdditiveFeasible(np.tile(np.arange(5.0), (5, 1)), 12.0)


def test_the_sampler_learns() -> None:
    scores = np.zeros((3, 60))
    for seed, of_seed in enumerate(scores):
        strategy = OptunaStrategy(FEASIBLE, seed, "TPE")
        for trial in range(60):
            (picks,) = strategy.ask(1)
            of_seed[trial] = sum(picks) - 3 * picks[0]
            strategy.tell([Trial(picks, 1.0, feasible=True, score=of_seed[trial])])
    assert scores[:, -20:].mean() > scores[:, :10].mean() + 1


def test_networks_of_another_search_are_learned_from() -> None:
    strategy = OptunaStrategy(FEASIBLE, 0, "TPE", {"n_startup_trials": 5})
    others = [Trial((4, 4, 4, 0, 0), 12.0, True, 1.0), Trial((0, 0, 4, 4, 4), 12.0, True, 2.0)]
    strategy.tell(others)
    asked = strategy.ask(3)
    assert len(asked) == 1
    assert asked[0] not in [trial.picks for trial in others]


def test_an_unknown_sampler_is_refused_with_the_nearest() -> None:
    with pytest.raises(WrongUse, match="TPE"):
        OptunaStrategy(FEASIBLE, 0, "TPEE")


def test_options_that_a_sampler_has_not_are_refused() -> None:
    with pytest.raises(WrongUse, match=r"TPE sampler cannot be made with \{'wings': 2\}"):
        OptunaStrategy(FEASIBLE, 0, "TPE", {"wings": 2})
