"""The most probable network within the limit comes first, against all networks of a small space."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from search.exact_finish import ExactFinish
from search.strategies import Strategy
from tests.contracts.strategy_contract import Costs, StrategyContract


class TestExactFinish(StrategyContract):
    def make(self, costs: Costs, limit: float, seed: int) -> Strategy:
        policy = np.where(np.isnan(costs), 0.0, 1.0)
        return ExactFinish(policy / policy.sum(axis=1, keepdims=True), costs, limit, seed)


@pytest.mark.parametrize("seed", range(5))
def test_the_first_network_is_the_most_probable_of_all_within_the_limit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    costs, policy = rng.random((4, 5)), rng.dirichlet(np.ones(5), size=4)
    costs[1, 2] = np.nan
    every = np.array(list(itertools.product(range(5), repeat=4)))
    within = costs[np.arange(4), every].sum(axis=1) <= 1.2
    probability = policy[np.arange(4), every].prod(axis=1)
    best = every[np.where(within, probability, -1).argmax()]
    assert ExactFinish(policy, costs, 1.2, 0).ask(1) == [tuple(best.tolist())]


def test_a_candidate_of_probability_0_is_picked_where_nothing_else_is_within_the_limit() -> None:
    policy, costs = np.array([[0.0, 1.0], [0.3, 0.7]]), np.array([[1.0, 9.0], [1.0, 2.0]])
    assert ExactFinish(policy, costs, 3.0, 0).ask(1) == [(0, 1)]


def test_a_network_that_costs_exactly_the_limit_with_what_all_share_is_found() -> None:
    fixed, costs = 0.1, np.array([[0.2, 0.7], [0.3, 0.9]])
    limit = (fixed + 0.7) + 0.3
    assert limit - fixed < 0.7 + 0.3, "the difference would hide it"
    policy = np.array([[0.1, 0.9], [0.5, 0.5]])
    assert ExactFinish(policy, costs, limit, 0, fixed).ask(1) == [(1, 0)]


def test_a_candidate_of_probability_0_is_not_picked() -> None:
    policy = np.array([[0.0, 1.0], [0.5, 0.5]])
    assert all(picks[0] == 1 for picks in ExactFinish(policy, np.ones((2, 2)), 2.0, 0).ask(5))


def test_networks_cost_what_they_are_to_cost_at_least() -> None:
    """A cheap network is by far the most probable, and all that is proposed is dear, as the policy has it."""
    costs = np.tile(np.arange(1.0, 6.0), (6, 1))
    policy = np.tile([0.6, 0.2, 0.1, 0.06, 0.04], (6, 1))
    networks = ExactFinish(policy, costs, 20.0, 0, fixed=2.0, least=18.0).ask(12)
    assert len(networks) == 12
    assert all(18 <= 2 + sum(costs[0, list(picks)]) <= 20 for picks in networks)


def test_a_least_cost_that_no_network_has_is_no_hindrance() -> None:
    policy = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    networks = ExactFinish(policy, np.ones((3, 2)), 10.0, 0, least=9.0).ask(4)
    assert (len(networks), networks[0]) == (4, (0, 1, 0))
