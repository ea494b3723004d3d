"""The networks within a limit: drawn exactly uniformly, counted, continued, never one above."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.errors import NoAnswer, WrongUse
from search.strategies import AdditiveFeasible, FeasibleSet, ListedFeasible

NAN = np.nan
UNEQUAL = np.array([[1.0, 2.0, 4.0, NAN], [0.5, NAN, 3.0, 1.0], [2.0, NAN, NAN, NAN], [1.0, 1.5, NAN, NAN]])
"""Units of three, four, one and two candidates, the second with one that is barred."""


def every_network(costs: np.ndarray, budget: float) -> list[tuple[int, ...]]:
    """By definition."""
    known = [np.flatnonzero(~np.isnan(row)).tolist() for row in costs]
    return [
        p for p in itertools.product(*known) if sum(row[pick] for row, pick in zip(costs, p, strict=True)) <= budget
    ]


def chi_square_share(feasible: FeasibleSet, networks: list[tuple[int, ...]], draws: int) -> float:
    """How often uniform draws would look less uniform than these."""
    from scipy.stats import chisquare

    drawn = feasible.draw(draws, np.random.default_rng(0)).tolist()
    counts = [sum(row == list(picks) for row in drawn) for picks in networks]
    assert sum(counts) == draws, "nothing else is drawn"
    return float(chisquare(counts).pvalue)


@pytest.mark.parametrize("budget", [4.5, 6.0, 7.3, 99.0])
def test_draws_are_uniform_over_units_of_unequal_size(budget: float) -> None:
    networks = every_network(UNEQUAL, budget)
    feasible = AdditiveFeasible(UNEQUAL, budget)
    assert feasible.sizes == (3, 4, 1, 2)
    assert feasible.number() == len(networks)
    assert len(networks) == 1 or chi_square_share(feasible, networks, 2000) > 1e-3


def test_draws_are_uniform_where_nearly_all_cost_is_in_one_unit() -> None:
    # Differences far below a bin of the limit: rounded costs could not tell these networks apart.
    costs = np.array([[0.0, 1.0], [0.0, 1e-7], [0.0, 1e-7], [0.0, 1e-7]])
    budget = 1 + 1.5e-7
    networks = every_network(costs, budget)
    assert len(networks) == 12
    assert chi_square_share(AdditiveFeasible(costs, budget), networks, 3000) > 1e-3


@given(
    st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=4), min_size=1, max_size=5),
    st.integers(0, 30),
    st.integers(0, 5),
)
def test_the_set_is_the_networks_within_the_budget(rows: list[list[int]], budget: int, fixed: int) -> None:
    costs = np.array([row + [NAN] * (4 - len(row)) for row in rows], dtype=float)
    networks = every_network(costs, budget - fixed)
    if not networks:
        with pytest.raises(NoAnswer, match="cheapest network must be within"):
            AdditiveFeasible(costs, budget, fixed)
        return
    feasible = AdditiveFeasible(costs, budget, fixed)
    assert [tuple(row) for row in feasible.listed(10_000).tolist()] == networks
    drawn = feasible.draw(20, np.random.default_rng(0))
    assert {tuple(row) for row in drawn.tolist()} <= set(networks)
    assert feasible.contains(drawn).all()
    assert (feasible.cost(drawn) <= budget).all()


@given(st.integers(0, 2**32 - 1))
def test_a_network_that_costs_exactly_the_limit_is_within_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    costs = rng.random((6, 3))
    picks = rng.integers(3, size=(1, 6))
    feasible = AdditiveFeasible(costs, AdditiveFeasible(costs, 99.0, 0.1).cost(picks)[0], 0.1)
    assert feasible.contains(picks)[0]
    assert tuple(picks[0].tolist()) in map(tuple, feasible.listed(729).tolist())


def test_a_real_size_is_drawn_from_near_the_cheapest_and_near_the_dearest() -> None:
    costs = 1 + np.random.default_rng(0).random((22, 13))
    least, most = costs.min(axis=1).sum(), costs.max(axis=1).sum()
    for share in (1e-9, 0.01, 0.5, 0.99, 1.0):
        feasible = AdditiveFeasible(costs, least + share * (most - least) + 1e-9)
        assert feasible.contains(feasible.draw(500, np.random.default_rng(1))).all()


def test_the_mean_cost_of_draws_from_a_real_size_is_that_of_an_exact_count() -> None:
    # Whole numbers, so that ways can be counted without any rounding: sum over all costs of ways times cost.
    costs = np.random.default_rng(3).integers(0, 50, size=(22, 13))
    budget = int(costs.min(axis=1).sum() + 120)
    ways = [1] + [0] * budget
    for row in costs:
        ways = [sum(ways[cost - one] for one in row.tolist() if one <= cost) for cost in range(budget + 1)]
    mean = float(Fraction(sum(cost * count for cost, count in enumerate(ways)), sum(ways)))
    feasible = AdditiveFeasible(costs.astype(float), budget)
    drawn = feasible.cost(feasible.draw(4000, np.random.default_rng(0)))
    assert abs(drawn.mean() - mean) < 4 * drawn.std() / 4000**0.5


def test_more_networks_than_are_counted_have_no_number() -> None:
    feasible = AdditiveFeasible(np.zeros((22, 13)), 1.0)
    assert feasible.number() is None
    assert feasible.listed(1000) is None


def test_neighbours_differ_in_one_unit_and_are_within() -> None:
    feasible = AdditiveFeasible(UNEQUAL, 6.0)
    found = [tuple(row) for row in feasible.neighbours((0, 0, 0, 0)).tolist()]
    assert found == [(1, 0, 0, 0), (0, 3, 0, 0), (0, 0, 0, 1)]


def test_a_continuation_is_promised_where_a_network_goes_on_with_it() -> None:
    networks = every_network(UNEQUAL, 6.5)
    for feasible in (AdditiveFeasible(UNEQUAL, 6.5), ListedFeasible(np.array(networks), np.ones(len(networks)))):
        for begun in range(4):
            beginnings = sorted({picks[:begun] for picks in networks})
            promised = feasible.continuations(np.array(beginnings, dtype=np.intp).reshape(len(beginnings), begun))
            going_on = {picks[: begun + 1] for picks in networks}
            expected = [[(*start, pick) in going_on for pick in range(promised.shape[1])] for start in beginnings]
            assert promised.tolist() == expected


def test_a_fixed_cost_counts() -> None:
    assert AdditiveFeasible(np.array([[1.0, 2.0]]), 5.0, fixed=3.5).number() == 1


@pytest.mark.parametrize(
    ("costs", "words"),
    [
        (np.ones(3), "shape"),
        (np.array([[1.0, np.inf]]), "finite or NaN"),
        (np.array([[1.0], [NAN]]), "unit 1 has none"),
    ],
)
def test_costs_that_are_none_are_refused(costs: np.ndarray, words: str) -> None:
    with pytest.raises(WrongUse, match=words):
        AdditiveFeasible(costs, 9.0)


LISTED = np.array([[2, 1], [0, 0], [1, 1], [0, 3]])


def test_a_list_holds_what_is_within_the_budget_and_nothing_else() -> None:
    feasible = ListedFeasible(LISTED, np.array([1.0, 5.0, NAN, 2.0]), 4.0)
    assert feasible.number() == 2
    assert feasible.sizes == (3, 4)
    assert feasible.contains(np.array([[2, 1], [0, 3], [0, 0], [1, 1], [1, 0], [9, 9], [-1, 3]])).tolist() == (
        [True, True] + [False] * 5
    )
    assert feasible.cost(np.array([[0, 3], [2, 1]])).tolist() == [2.0, 1.0]
    assert np.isnan(feasible.cost(np.array([[0, 0]]))[0])
    assert feasible.listed(2).tolist() == [[0, 3], [2, 1]]
    assert feasible.listed(1) is None


def test_draws_from_a_list_are_uniform() -> None:
    feasible = ListedFeasible(LISTED, np.arange(4.0), 2.0)
    assert chi_square_share(feasible, [(2, 1), (0, 0), (1, 1)], 1500) > 1e-3


@pytest.mark.parametrize(
    ("picks", "costs", "words"),
    [
        (LISTED, np.ones(3), r"costs \(n,\)"),
        (np.array([[0, -1]]), np.ones(1), "from 0 on; got -1"),
        (np.array([[0, 1], [0, 1]]), np.ones(2), "listed twice"),
    ],
)
def test_lists_that_are_none_are_refused(picks: np.ndarray, costs: np.ndarray, words: str) -> None:
    with pytest.raises(WrongUse, match=words):
        ListedFeasible(picks, costs)


@pytest.mark.parametrize(("costs", "words"), [(np.full(4, 7.0), "costs is 7"), (np.full(4, NAN), "all failed")])
def test_a_budget_below_the_whole_list_is_no_answer(costs: np.ndarray, words: str) -> None:
    with pytest.raises(NoAnswer, match=words):
        ListedFeasible(LISTED, costs, 6.0)
