"""From goals to the set that strategies may propose from: which kind, and what is in it."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from devices import NoAnswer, WrongUse
from search import Objective, Space
from search.cost import Cost, Goal
from search.feasibility import feasible_set
from search.joint_feasible import JointFeasible
from search.listed import ListedCost, ListedNetworks
from search.peak_memory import PeakMemory
from search.strategies import AdditiveFeasible, ListedFeasible

EVERY = np.array(list(itertools.product(range(13), repeat=4)))
PICKS = np.array(list(itertools.product(range(2), repeat=2)))
NETWORKS = ListedNetworks("toy", {"a": ("x", "y"), "b": ("x", "y")}, PICKS, (0, 0))
FIRST = ListedCost("latency", NETWORKS, np.array([1.0, 2.0, 3.0, 4.0]), "one")
SECOND = ListedCost("latency", NETWORKS, np.array([4.0, 3.0, 2.0, np.nan]), "other")


def middle(cost: Cost) -> float:
    return float(np.median(cost.cost(EVERY)))


def test_a_single_sum_is_drawn_from_by_dynamic_programming(tiny: Space) -> None:
    macs = Objective.macs(tiny)
    feasible = feasible_set([Goal(macs, middle(macs))])
    assert isinstance(feasible, AdditiveFeasible)
    np.testing.assert_array_equal(feasible.contains(EVERY), macs.cost(EVERY) <= middle(macs))


def test_two_sums_and_a_peak_are_met_together(tiny: Space) -> None:
    costs: list[Cost] = [Objective.macs(tiny), Objective.parameters(tiny), PeakMemory.of(tiny)]
    feasible = feasible_set([Goal(cost, middle(cost)) for cost in costs])
    assert isinstance(feasible, JointFeasible)
    expected = np.all([cost.cost(EVERY) <= middle(cost) for cost in costs], axis=0)
    np.testing.assert_array_equal(feasible.contains(EVERY), expected)
    drawn = feasible.draw(100, np.random.default_rng(0))
    assert all((cost.cost(drawn) <= middle(cost)).all() for cost in costs)


def test_costs_without_a_limit_exclude_only_what_cannot_run(tiny: Space, costing: Callable[..., Objective]) -> None:
    assert feasible_set([Goal(Objective.macs(tiny)), Goal(Objective.parameters(tiny))]).contains(EVERY).all()
    failing = feasible_set([Goal(costing(np.array([[1.0, np.nan], [1.0, 2.0]])))])
    assert failing.contains(PICKS).tolist() == [True, True, False, False]


def test_a_list_is_listed_within_all_limits() -> None:
    feasible = feasible_set([Goal(FIRST, 3.0), Goal(SECOND, 3.0)])
    assert isinstance(feasible, ListedFeasible)
    assert feasible.contains(PICKS).tolist() == [False, True, True, False]


def test_what_failed_on_a_device_is_within_no_limit_there() -> None:
    assert feasible_set([Goal(FIRST), Goal(SECOND)]).contains(PICKS).tolist() == [True, True, True, False]


def test_limits_of_a_list_that_cannot_be_met_together_are_named() -> None:
    with pytest.raises(NoAnswer, match=r"within all limits at once.* latency on one 1000 ms, latency on other 2000 ms"):
        feasible_set([Goal(FIRST, 1.0), Goal(SECOND, 2.0)])


def test_a_limit_that_no_network_meets_is_said_with_the_cheapest(tiny: Space) -> None:
    with pytest.raises(NoAnswer, match=r"No network of tiny is within .* parameters: the cheapest needs"):
        feasible_set([Goal(Objective.macs(tiny)), Goal(Objective.parameters(tiny), 1.0)])


def test_candidates_that_fail_by_different_limits_may_leave_a_unit_without_any(
    costing: Callable[..., Objective],
) -> None:
    first = costing(np.array([[1.0, np.nan], [1.0, 2.0]]))
    second = Objective("latency", first.space, np.array([[np.nan, 1.0], [1.0, 2.0]]), 0.0)
    with pytest.raises(NoAnswer, match="Every candidate of unit 0 fails or is above a limit"):
        feasible_set([Goal(first), Goal(second)])


def test_limits_on_a_sum_and_a_peak_that_cannot_be_met_together_are_named(costing: Callable[..., Objective]) -> None:
    latency = costing(np.array([[1.0, 3.0], [1.0, 2.0]]))
    memory = PeakMemory(latency.space, np.array([[5e6, 1e6], [1e6, 1e6]]), 0.0)
    with pytest.raises(NoAnswer, match=r"No network of .* within all limits at once.* memory 2 MB\. Raise one"):
        feasible_set([Goal(latency, 2.5), Goal(memory, 2e6)])


def test_a_cost_that_is_neither_a_sum_nor_listed_is_refused(
    costing: Callable[..., Objective], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Objective, "additive", lambda self, limit: None)
    with pytest.raises(WrongUse, match="is no limit on a sum, and its networks are not listed"):
        feasible_set([Goal(costing(np.ones((2, 2))), 3.0)])


def test_goals_of_different_spaces_are_refused(tiny: Space) -> None:
    with pytest.raises(WrongUse, match=r"Goals must be of one space; got \['tiny', 'toy'\]"):
        feasible_set([Goal(Objective.macs(tiny)), Goal(FIRST)])
