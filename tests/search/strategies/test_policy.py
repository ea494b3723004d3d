"""The policy strategy: most probable first, then draws; never above the limit; resumable."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from search import PolicyStrategy, Strategy, Trial
from tests.contracts.strategy_contract import Costs, StrategyContract


def flat(costs: Costs) -> Costs:
    return np.full(costs.shape, 1 / costs.shape[1])


class TestPolicyStrategy(StrategyContract):
    def make(self, costs: Costs, limit: float, seed: int) -> Strategy:
        return PolicyStrategy(flat(costs), costs, limit, seed)


class TestPolicyStrategyOfASharpPolicy(StrategyContract):
    finds_all = False  # What the policy gives hardly any probability is not drawn.

    def make(self, costs: Costs, limit: float, seed: int) -> Strategy:
        policy = np.exp(3 * np.random.default_rng(1).standard_normal(costs.shape))
        return PolicyStrategy(policy / policy.sum(axis=1, keepdims=True), costs, limit, seed)


COSTS = np.array([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]])
POLICY = np.array([[0.1, 0.2, 0.7], [0.1, 0.3, 0.6]])


def trials(networks: list[tuple[int, ...]]) -> list[Trial]:
    return [Trial(network, 1.0, feasible=True, score=0.5) for network in networks]


def test_the_most_probable_network_within_the_limit_comes_first() -> None:
    # (2, 2) costs 8; of what costs at most 6, (2, 1) has 0.21 and (1, 2) has 0.12.
    assert PolicyStrategy(POLICY, COSTS, 6.1, seed=0).ask(1) == [(2, 1)]


def test_all_networks_within_the_limit_are_found_and_none_above() -> None:
    asked = PolicyStrategy(POLICY, COSTS, 4.0, seed=0).ask(9)
    assert set(asked) == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_after_everything_was_told_nothing_is_left() -> None:
    strategy = PolicyStrategy(POLICY, COSTS, 4.0, seed=0)
    strategy.tell(trials(strategy.ask(9)))
    assert strategy.ask(9) == []


def test_with_the_cheapest_alone_within_the_limit_only_it_is_proposed() -> None:
    assert PolicyStrategy(POLICY, COSTS, 2.0, seed=0).ask(5) == [(0, 0)]


def test_candidates_of_probability_0_are_not_proposed() -> None:
    policy = np.array([[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]])
    assert set(PolicyStrategy(policy, COSTS, 9.0, seed=0).ask(9)) == {(0, 1), (2, 1)}


def test_failed_candidates_are_not_proposed() -> None:
    costs = np.array([[np.nan, 2.0, 4.0], [1.0, np.nan, 4.0]])
    assert set(PolicyStrategy(flat(costs), costs, 9.0, seed=0).ask(9)) == set(itertools.product((1, 2), (0, 2)))


@pytest.mark.parametrize("done", [1, 5, 11])
def test_a_search_that_was_cut_off_goes_on_with_what_it_would_have_proposed(done: int) -> None:
    rng = np.random.default_rng(5)
    policy, costs = rng.dirichlet(np.ones(6), size=8), rng.random((8, 6))
    whole = PolicyStrategy(policy, costs, 3.0, seed=2).ask(12)
    resumed = PolicyStrategy(policy, costs, 3.0, seed=2)
    resumed.tell(trials(whole[:done]))
    assert resumed.ask(12 - done) == whole[done:]
