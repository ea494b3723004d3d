"""The best network under a limit where scores add up: as good as trying all, and never above the limit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.errors import NoAnswer, WrongUse
from search.strategies import best_additive
from search.strategies import exact as exact_module
from search.strategies.exact import _largest, solve_additive


def total(values: np.ndarray, picks: tuple[int, ...]) -> float:
    """Added up unit by unit, as the limit is compared."""
    return sum(float(row[pick]) for row, pick in zip(values, picks, strict=True))


def best_of_all(scores: np.ndarray, costs: np.ndarray, budget: float) -> float:
    """By definition."""
    every = itertools.product(*(np.flatnonzero(~np.isnan(row)).tolist() for row in costs))
    return max(total(scores, picks) for picks in every if total(costs, picks) <= budget)


@st.composite
def knapsacks(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, float]:
    """Few units; costs of whole numbers, which tie, or of real ones; some barred; scores of any scale and sign."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    costs = rng.integers(0, 6, shape) * 1.0 if draw(st.booleans()) else rng.lognormal(0, 2, shape)
    scores = rng.standard_normal(shape) * draw(st.sampled_from([1e-9, 1.0, 1e6])) if draw(st.booleans()) else costs + 0
    barred = rng.random(shape) < draw(st.sampled_from([0.0, 0.4]))
    barred[:, 0] = False
    costs = np.where(barred, np.nan, costs)
    least, most = np.nanmin(costs, axis=1), np.nanmax(costs, axis=1)
    share = draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))
    budget = total(costs, tuple(np.nanargmin(costs, axis=1))) + share * (most.sum() - least.sum())
    return scores, costs, budget


@given(knapsacks())
@settings(max_examples=120)
def test_nothing_better_is_within_the_limit(knapsack: tuple[np.ndarray, np.ndarray, float]) -> None:
    scores, costs, budget = knapsack
    found = solve_additive(scores, costs, budget)
    assert total(costs, found.picks) <= budget
    assert found.score == total(scores, found.picks)
    assert found.score == pytest.approx(best_of_all(scores, costs, budget), rel=1e-9, abs=1e-12 * np.abs(scores).max())
    assert found.is_proved


@pytest.mark.parametrize("correlation", [0.0, 0.9, 0.999])
def test_a_real_size_is_solved_and_proved(correlation: float) -> None:
    from scipy.optimize import Bounds, LinearConstraint, milp

    rng = np.random.default_rng(0)
    logs = rng.standard_normal((22, 13))
    costs, scores = np.exp(logs), correlation * logs + np.sqrt(1 - correlation**2) * rng.standard_normal((22, 13))
    budget = float(costs.min(axis=1).sum() * 0.8 + costs.max(axis=1).sum() * 0.2)
    found = solve_additive(scores, costs, budget)
    one_each = LinearConstraint(np.kron(np.eye(22), np.ones(13)), 1, 1)
    within = LinearConstraint(costs.ravel()[None], -np.inf, budget)
    other = milp(
        -scores.ravel(),
        integrality=np.ones(scores.size),
        bounds=Bounds(0, 1),
        constraints=[one_each, within],
        options={"mip_rel_gap": 0.0},
    )
    assert found.is_proved
    assert found.score == pytest.approx(-other.fun, rel=1e-6)
    assert total(costs, found.picks) <= budget


def test_a_network_that_costs_exactly_the_limit_is_within_it() -> None:
    costs = np.array([[0.1, 0.7], [0.2, 0.9], [0.3, 0.4]])
    assert best_additive(costs, costs, 0.7 + 0.9 + 0.3) == (1, 1, 0)


def test_what_every_network_has_is_paid_first() -> None:
    costs = np.array([[0.1, 0.7], [0.2, 0.9]])
    limit = 0.3 + 0.1 + 0.9
    assert best_additive(costs, costs, limit, fixed=0.3) == (0, 1)
    assert solve_additive(costs, costs, limit, fixed=0.3).is_proved


def test_what_must_not_be_picked_is_not() -> None:
    scores, costs = np.array([[1.0, -np.inf, 9.0], [2.0, 3.0, np.nan]]), np.array([[1.0, 0.0, np.nan], [1.0, 1.0, 0.0]])
    assert best_additive(scores, costs, 9.0) == (0, 1)


def test_the_logarithm_of_a_policy_gives_the_most_probable_network() -> None:
    policy = np.array([[0.1, 0.2, 0.7], [0.1, 0.3, 0.6]])
    costs = np.array([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]])
    # (2, 2) costs 8; of what costs at most 6, (2, 1) has 0.21 and (1, 2) has 0.12.
    assert best_additive(np.log(policy), costs, 6.1) == (2, 1)


def test_what_cannot_be_proved_comes_with_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    # Scores that are costs: no beginning beats another, and the limit is met by more networks than can be looked at.
    monkeypatch.setattr(exact_module, "_BEAMS", (50,))
    costs = np.random.default_rng(0).lognormal(0, 1, (20, 13))
    budget = float(costs.min(axis=1).sum() + costs.max(axis=1).sum()) / 2
    found = solve_additive(costs, costs, budget)
    assert not found.is_proved
    assert budget - 0.01 < found.score <= budget == pytest.approx(found.bound)


def test_of_equally_promising_beginnings_all_parts_are_kept() -> None:
    kept = _largest(np.ones(1000), 50)
    assert len(set(kept.tolist())) == 50
    assert np.diff(np.sort(kept)).max() < 40
    assert _largest(np.array([1.0, 5.0, 3.0]), 2).tolist() == [1, 2]


def test_a_limit_below_the_cheapest_network_has_no_answer() -> None:
    with pytest.raises(NoAnswer, match="cheapest network must be within the limit 1; it costs 2"):
        best_additive(np.ones((2, 2)), np.ones((2, 2)), 1.0)


@pytest.mark.parametrize(
    ("scores", "costs"),
    [
        (np.ones((2, 3)), np.ones((2, 2))),
        (np.array([[np.inf]]), np.array([[1.0]])),
        (np.array([[-np.inf]]), np.array([[1.0]])),
    ],
)
def test_numbers_that_make_no_knapsack_are_refused(scores: np.ndarray, costs: np.ndarray) -> None:
    with pytest.raises(WrongUse, match="must"):
        best_additive(scores, costs, 1.0)
