"""What every search strategy must do. Inherit the suite, say how your strategy is made, and run it.

::

    from tests.contracts.strategy_contract import StrategyContract

    class TestMyStrategy(StrategyContract):
        def make(self, costs, limit, seed):
            return MyStrategy(costs, limit, seed)
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from search import Strategy, Trial

Costs = npt.NDArray[np.float64]
Picks = tuple[int, ...]

SHAPES = ((1, 1), (1, 13), (3, 4), (22, 13))
"""Units and candidates: a single network, one choice, few enough to list, and the size of a real space."""


def made_up_costs(shape: tuple[int, int]) -> Costs:
    """Costs between 1 and 2.

    Of units that have a choice, a candidate of every second one failed, and the others have one less.
    """
    costs = 1 + np.random.default_rng(0).random(shape)
    if shape[1] > 1:
        costs[::2, 1] = np.nan
        costs[1::2, -1] = np.nan
    return costs


def tried(picks: Picks, costs: Costs, limit: float) -> Trial:
    """What a search would tell of a network: over the limit it has no score, with a failed candidate no cost."""
    cost = float(costs[np.arange(len(picks)), picks].sum())
    feasible = cost <= limit
    return Trial(picks, None if np.isnan(cost) else cost, feasible, 1 / (1 + sum(picks)) if feasible else None)


class StrategyContract(ABC):
    """The suite. Each test makes strategies anew, so nothing leaks from one into the next.

    Attributes:
        finds_all: whether the strategy goes on until every network within the limit was proposed.
    """

    finds_all = True

    @abstractmethod
    def make(self, costs: Costs, limit: float, seed: int) -> Strategy:
        """The strategy under test.

        Args:
            costs: cost of each candidate, shape (units, candidates); NaN for one that cannot be picked.
            limit: what a network may cost in all; the cheapest is within it.
            seed: of everything that is drawn.
        """

    @pytest.fixture(params=SHAPES, ids=str)
    def costs(self, request: pytest.FixtureRequest) -> Costs:
        return made_up_costs(request.param)

    @pytest.fixture
    def limit(self, costs: Costs) -> float:
        """Half-way between the cheapest network and the dearest."""
        return float((np.nanmin(costs, axis=1).sum() + np.nanmax(costs, axis=1).sum()) / 2)

    @pytest.mark.parametrize("count", [1, 2, 7])
    def test_it_proposes_at_most_what_was_asked_for(self, costs: Costs, limit: float, count: int) -> None:
        assert 1 <= len(self.make(costs, limit, 0).ask(count)) <= count

    def test_it_proposes_networks_of_the_space(self, costs: Costs, limit: float) -> None:
        for picks in self.make(costs, limit, 0).ask(20):
            assert isinstance(picks, tuple)
            assert all(type(pick) is int for pick in picks), "indices are plain numbers, which JSON can hold"
            assert len(picks) == len(costs)
            assert all(0 <= pick < costs.shape[1] for pick in picks)

    def test_proposals_are_different_from_each_other(self, costs: Costs, limit: float) -> None:
        asked = self.make(costs, limit, 0).ask(50)
        assert len(set(asked)) == len(asked)

    def test_the_same_calls_give_the_same_answers(self, costs: Costs, limit: float) -> None:
        first, second = ([self._search(costs, limit, seed=3, rounds=3)] for _ in range(2))
        assert first == second

    def test_the_seed_decides(self) -> None:
        costs = made_up_costs((22, 13))
        searches = {tuple(self._search(costs, 33.0, seed, rounds=2)) for seed in range(4)}
        assert len(searches) > 1

    def test_what_was_told_is_not_proposed_again(self, costs: Costs, limit: float) -> None:
        proposed = self._search(costs, limit, seed=0, rounds=6)
        assert len(set(proposed)) == len(proposed)

    def test_what_an_earlier_run_told_is_not_proposed_again(self, costs: Costs, limit: float) -> None:
        earlier = self._search(costs, limit, seed=0, rounds=2)
        resumed = self.make(costs, limit, 0)
        resumed.tell([tried(picks, costs, limit) for picks in earlier])
        assert not set(earlier) & set(resumed.ask(10))

    def test_networks_over_the_limit_and_failed_ones_may_be_told(self) -> None:
        costs = made_up_costs((3, 4))
        strategy = self.make(costs, float(np.nanmin(costs, axis=1).sum()) + 0.1, 0)
        strategy.tell([Trial((3, 3, 3), 99.0, feasible=False), Trial((1, 0, 1), None, feasible=False)])
        strategy.tell([])
        assert not {(3, 3, 3), (1, 0, 1)} & set(strategy.ask(10))

    def test_a_space_that_is_used_up_ends_the_search(self) -> None:
        costs = made_up_costs((2, 2))
        assert len(self._search(costs, 99.0, seed=0, rounds=20)) <= 4

    @pytest.mark.parametrize("room", [1e-9, 0.05, 1.0])
    @pytest.mark.parametrize("shape", SHAPES[1:], ids=str)
    def test_nothing_is_proposed_that_is_over_the_limit_or_failed(self, shape: tuple[int, int], room: float) -> None:
        costs = made_up_costs(shape)
        limit = float(np.nanmin(costs, axis=1).sum()) + room
        proposed = self._search(costs, limit, seed=1, rounds=6)
        assert proposed
        assert all(tried(picks, costs, limit).feasible for picks in proposed)

    def test_every_network_within_the_limit_is_found_before_the_end(self) -> None:
        costs = made_up_costs((3, 4))
        limit = float(np.nanmin(costs, axis=1).sum()) + 0.6
        within = {picks for picks in itertools.product(range(4), repeat=3) if tried(picks, costs, limit).feasible}
        proposed = self._search(costs, limit, seed=0, rounds=40)
        assert 1 < len(within) < 64
        assert set(proposed) == within if self.finds_all else set(proposed) <= within

    @pytest.mark.parametrize("shape", SHAPES[2:], ids=str)
    def test_a_search_that_was_cut_off_goes_on_as_it_would_have_gone(self, shape: tuple[int, int]) -> None:
        costs = made_up_costs(shape)
        limit = float(np.nanmin(costs, axis=1).sum() + np.nanmax(costs, axis=1).sum()) / 2
        strategy, resumed, told = self.make(costs, limit, 0), self.make(costs, limit, 0), list[Trial]()
        for _ in range(3):
            trials = [tried(picks, costs, limit) for picks in strategy.ask(3)]
            strategy.tell(trials)
            told += trials
        resumed.tell(told)
        assert resumed.ask(3) == strategy.ask(3) != []

    def test_scores_that_are_missing_end_nothing(self) -> None:
        costs = made_up_costs((3, 4))
        strategy = self.make(costs, 5.0, 0)
        for _ in range(3):
            asked = strategy.ask(4)
            assert asked
            strategy.tell([replace(tried(picks, costs, 5.0), score=None) for picks in asked])

    def _search(self, costs: Costs, limit: float, seed: int, rounds: int) -> list[Picks]:
        """Ask for four and tell of them, again and again; everything that was proposed."""
        strategy, proposed = self.make(costs, limit, seed), list[Picks]()
        for _ in range(rounds):
            asked = strategy.ask(4)
            if not asked:
                break
            strategy.tell([tried(picks, costs, limit) for picks in asked])
            proposed += asked
        return proposed
