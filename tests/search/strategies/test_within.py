"""Draws and choices within a limit: never above it, and otherwise what the policy says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from search import WithinLimit
from search.strategies.within import Array, Picks, _draw_rows

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def problems(draw: st.DrawFn, units: int = 22, candidates: int = 13) -> tuple[Array, Array, float]:
    """Costs (some zero, some failed, over many orders of magnitude), a policy, and a limit the cheapest is within."""
    shape = draw(st.integers(1, units)), draw(st.integers(1, candidates))
    rng = np.random.default_rng(draw(SEEDS))
    costs = 10 ** rng.uniform(-draw(st.sampled_from([0.1, 1.0, 9.0])), 0, shape) * draw(
        st.sampled_from([1e-6, 1, 1e11])
    )
    costs[rng.random(shape) < draw(st.sampled_from([0.0, 0.3, 0.9]))] = 0.0
    failed = rng.random(shape) < draw(st.sampled_from([0.0, 0.2, 0.8]))
    failed[np.arange(shape[0]), rng.integers(0, shape[1], shape[0])] = False
    costs[failed] = np.nan
    policy = rng.dirichlet(np.full(shape[1], draw(st.sampled_from([0.05, 1.0, 50.0]))), size=shape[0])
    policy[rng.random(shape) < draw(st.sampled_from([0.0, 0.3]))] = 0.0
    least, most = np.nanmin(costs, axis=1).sum(), np.nanmax(costs, axis=1).sum()
    limit = least + draw(st.sampled_from([0.0, 1e-6, 0.03, 0.3, 0.8, 1.0, 2.0])) * (most - least)
    return costs, policy, float(limit)


def cost_of(costs: Array, picks: Picks) -> Array:
    return costs[np.arange(len(costs)), picks].sum(axis=-1)


def probability_of(policy: Array, picks: Picks) -> Array:
    return policy[np.arange(len(policy)), picks].prod(axis=-1)


def networks(units: int, candidates: int) -> Picks:
    return np.array(list(itertools.product(range(candidates), repeat=units)))


def falls_back(problem: tuple[Array, Array, float], picks: Picks) -> bool:
    """Whether all are the cheapest network, which stands in when there is nothing else."""
    return bool((picks == np.nanargmin(problem[0], axis=1)).all())


@given(problems(), SEEDS)
@settings(max_examples=80)
def test_nothing_above_the_limit_is_ever_drawn(problem: tuple[Array, Array, float], seed: int) -> None:
    costs, policy, limit = problem
    picks = WithinLimit(costs, limit).draw(policy, 20, np.random.default_rng(seed))
    assert picks.shape == (20, len(costs))
    # A NaN would fail here too: no candidate that failed is ever drawn.
    assert (cost_of(costs, picks) <= limit * (1 + 1e-9)).all()
    assert (probability_of(policy > 0, picks) == 1).all() or falls_back(problem, picks)


@given(problems())
@settings(max_examples=80)
def test_nothing_above_the_limit_is_ever_chosen(problem: tuple[Array, Array, float]) -> None:
    costs, policy, limit = problem
    picks = WithinLimit(costs, limit).most_probable(policy)
    assert picks.shape == (len(costs),)
    assert cost_of(costs, picks) <= limit * (1 + 1e-9)
    assert (policy[np.arange(len(costs)), picks] > 0).all() or falls_back(problem, picks)


@given(st.integers(1, 5), st.integers(1, 4), SEEDS, st.integers(0, 16))
@settings(max_examples=150)
def test_the_choice_is_the_most_probable_of_all_networks_within(
    units: int, candidates: int, seed: int, by: int
) -> None:
    rng = np.random.default_rng(seed)
    # Whole numbers out of a budget of 16: each is 256 bins, so that nothing is rounded.
    costs, policy = rng.integers(0, 9, (units, candidates)) * 1.0, rng.dirichlet(np.ones(candidates), size=units)
    every = networks(units, candidates)
    within = cost_of(costs, every) <= 16
    assume(within.any())
    best = probability_of(policy, every)[within].max()
    picks = WithinLimit(costs * 2.0**-by, 16 * 2.0**-by).most_probable(policy)
    assert probability_of(policy, picks) == pytest.approx(best, rel=1e-9)


@given(st.integers(2, 5), st.integers(2, 4), SEEDS)
@settings(max_examples=8)
def test_draws_follow_the_policy_given_the_limit(units: int, candidates: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    costs, policy = rng.integers(1, 9, (units, candidates)) * 1.0, rng.dirichlet(np.ones(candidates), size=units)
    every = networks(units, candidates)
    expected = probability_of(policy, every) * (cost_of(costs, every) <= 16)
    assume(expected.sum() > 0)
    expected /= expected.sum()
    count = 40_000
    picks = WithinLimit(costs, 16.0).draw(policy, count, rng)
    drawn = np.ravel_multi_index(tuple(picks.T), (candidates,) * units)
    observed = np.bincount(drawn, minlength=len(every)) / count
    assert observed[expected == 0].sum() == 0
    # The total variation of n draws has mean at most sqrt(k / n) / 2 and strays from it by 6 / sqrt(4 n) once in 1e31.
    distance = np.abs(observed - expected).sum() / 2
    assert distance < 0.5 * np.sqrt((expected > 0).sum() / count) + 6 / np.sqrt(4 * count)


def test_without_a_limit_that_binds_draws_follow_the_policy() -> None:
    policy = np.array([[0.7, 0.2, 0.1], [0.05, 0.05, 0.9]])
    picks = WithinLimit(np.ones((2, 3)), 100.0).draw(policy, 100_000, np.random.default_rng(0))
    for unit, row in enumerate(policy):
        np.testing.assert_allclose(np.bincount(picks[:, unit], minlength=3) / 100_000, row, atol=0.006)


@pytest.mark.parametrize("limit", [3.0, 3.0 + 1e-9])
def test_where_only_the_cheapest_is_within_it_is_what_comes(limit: float) -> None:
    costs = np.array([[1.0, 2.0], [3.0, 1.0], [np.nan, 1.0]])
    policy = np.array([[0.0, 1.0], [0.9, 0.1], [0.5, 0.5]])
    within = WithinLimit(costs, limit)
    assert within.draw(policy, 3, np.random.default_rng(0)).tolist() == [[0, 1, 1]] * 3
    assert within.most_probable(policy).tolist() == [0, 1, 1]


@pytest.mark.parametrize("limit", [0.0, -1.0])
def test_no_budget_leaves_what_costs_nothing(limit: float) -> None:
    costs = np.array([[0.0, 0.0, 1.0], [1.0, np.nan, 0.0]])
    policy = np.full((2, 3), 1 / 3)
    within = WithinLimit(costs, limit)
    assert {tuple(row) for row in within.draw(policy, 50, np.random.default_rng(0)).tolist()} == {(0, 2), (1, 2)}


def test_not_even_a_draw_of_0_reaches_a_candidate_of_weight_0() -> None:
    weights = np.array([[0.0, 0.0, 0.3, 0.0, 0.7, 0.0]] * 3)
    assert _draw_rows(weights, np.array([0.0, 0.3, np.nextafter(1.0, 0.0)])).tolist() == [2, 4, 4]


def test_the_first_draws_are_the_same_however_many_are_made() -> None:
    policy, costs = np.full((4, 3), 1 / 3), np.arange(12.0).reshape(4, 3)
    few, many = (WithinLimit(costs, 25.0).draw(policy, count, np.random.default_rng(1)) for count in (5, 500))
    np.testing.assert_array_equal(few, many[:5])


def test_small_probabilities_over_many_units_do_not_vanish() -> None:
    # 0.1 to the power of 400 is below the smallest number there is.
    policy = np.full((400, 12), 0.9 / 11)
    policy[:, 5] = 0.1
    within = WithinLimit(np.tile(np.arange(12.0), (400, 1)), 12 * 400.0)
    assert (within.most_probable(policy) == 5).all()
    drawn = within.draw(policy, 20, np.random.default_rng(0))
    assert np.mean(drawn == 5) == pytest.approx(0.1, abs=0.02)
