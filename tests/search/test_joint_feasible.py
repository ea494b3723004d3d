"""Several limits at once, against all networks of spaces that are small enough to list."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import NoAnswer, WrongUse
from search.cost import Additive
from search.joint_feasible import JointFeasible


def limits_of(seed: int, count: int, shape: tuple[int, int], share: float) -> list[Additive]:
    """Costs with candidates that failed here and there, and limits at a share of the way from least to most."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        costs = rng.random(shape) * 10.0 ** rng.integers(-6, 6)
        costs[0, 1] = np.nan
        fixed = float(rng.random() * np.nanmean(costs))
        low, high = (fixed + reach(costs, axis=1).sum() for reach in (np.nanmin, np.nanmax))
        found.append(Additive(costs, fixed, float(low + share * (high - low))))
    return found


def within(limits: list[Additive], rows: np.ndarray) -> np.ndarray:
    sums = [limit.fixed + limit.costs[np.arange(rows.shape[1]), rows].sum(axis=1) for limit in limits]
    return np.all([total <= limit.budget for total, limit in zip(sums, limits, strict=True)], axis=0)


@given(st.integers(0, 2**32 - 1), st.integers(2, 3), st.floats(0.2, 0.9))
@settings(max_examples=60)
def test_it_holds_exactly_the_networks_within_all_limits(seed: int, count: int, share: float) -> None:
    limits = limits_of(seed, count, (4, 3), share)
    every = np.array(list(itertools.product(range(3), repeat=4)))
    expected = every[within(limits, every)]
    try:
        feasible = JointFeasible(limits)
    except NoAnswer:
        assert len(expected) == 0
        return
    np.testing.assert_array_equal(every[feasible.contains(every)], expected)
    np.testing.assert_array_equal(feasible.listed(100), expected)
    assert feasible.number() == len(expected)


@pytest.mark.parametrize("count", [2, 3])
def test_draws_are_uniform(count: int) -> None:
    limits = limits_of(7, count, (4, 3), 0.45)
    feasible = JointFeasible(limits)
    drawn = Counter(map(tuple, feasible.draw(20_000, np.random.default_rng(0)).tolist()))
    number = feasible.number()
    assert number is not None
    assert len(drawn) == number
    expected = 20_000 / number
    chi_square = sum((times - expected) ** 2 / expected for times in drawn.values())
    assert chi_square < number + 5 * np.sqrt(2 * number)


def test_limits_that_leave_few_networks_of_many_are_drawn_from_all_the_same() -> None:
    rng = np.random.default_rng(1)
    first = rng.random((12, 4))
    least = np.nanmin(first, axis=1).sum()
    # What is cheap by one is dear by the other.
    limits = [Additive(first, 0.0, 1.9 * least + 2), Additive(1 - first, 0.0, 12 - 1.9 * least - 1.5)]
    feasible = JointFeasible(limits)
    drawn = feasible.draw(50, np.random.default_rng(0))
    assert drawn.shape == (50, 12)
    assert within(limits, drawn).all()


@pytest.mark.parametrize("count", [2, 3])
def test_a_space_of_the_usual_size_is_no_burden(count: int) -> None:
    limits = limits_of(3, count, (22, 13), 0.4)
    feasible = JointFeasible(limits)
    drawn = feasible.draw(200, np.random.default_rng(0))
    assert within(limits, drawn).all()
    beginning = drawn[:, :9]
    ahead = feasible.continuations(beginning)
    assert ahead[np.arange(200), drawn[:, 9]].mean() > 0.95, "a beginning of a network leads to that network"
    assert feasible.number() is None


def test_limits_that_can_be_met_but_not_together_are_refused_with_how_near_it_comes() -> None:
    costs = np.array([[1.0, 0.0]] * 4)
    with pytest.raises(NoAnswer, match=r"There is no network that is within all limits at once: .* 200\.0% of one"):
        JointFeasible([Additive(costs, 0.0, 1.0), Additive(1 - costs, 0.0, 1.0)])


def test_one_limit_is_no_business_of_this_set() -> None:
    limit = limits_of(0, 1, (2, 2), 0.5)
    with pytest.raises(WrongUse, match="Two or more limits"):
        JointFeasible(limit)


def test_the_same_seed_draws_the_same() -> None:
    limits = limits_of(5, 2, (6, 4), 0.5)
    first, second = (JointFeasible(limits).draw(20, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
