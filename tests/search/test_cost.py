"""Costs for the screen and from it, in the units of each objective; ``test_objective`` tries latency and MACs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from devices import WrongUse
from search import Objective
from search.cost import OBJECTIVES, format_cost

MakeObjective = Callable[..., Objective]


@pytest.mark.parametrize(
    ("name", "text", "limit"),
    [
        ("parameters", "2M", 2e6),
        ("parameters", "2 M parameters", 2e6),
        ("parameters", "700k", 7e5),
        ("memory", "2MB", 2e6),
        ("memory", "500 kB", 5e5),
        ("memory", "50%", 5.0),
    ],
)
def test_limits_as_they_are_typed(costing: MakeObjective, name: str, text: str, limit: float) -> None:
    assert costing(np.ones((2, 2)), 8.0, name).limit(text) == pytest.approx(limit)


@pytest.mark.parametrize(("name", "text"), [("memory", "2M"), ("memory", "2"), ("parameters", "2MB"), ("macs", "2 ms")])
def test_the_unit_of_another_objective_is_refused(costing: MakeObjective, name: str, text: str) -> None:
    with pytest.raises(WrongUse, match=f"limit on {name} is a number above 0 with its unit"):
        costing(np.ones((2, 2)), 8.0, name).limit(text)


@pytest.mark.parametrize(
    ("name", "cost", "text"),
    [("latency", 0.0123, "12.3 ms"), ("parameters", 4.08e6, "4.08 M parameters"), ("memory", 2.5e6, "2.5 MB")],
)
def test_costs_are_shown_with_their_unit(name: str, cost: float, text: str) -> None:
    assert format_cost(name, cost) == text


def test_every_objective_can_be_read_back(costing: MakeObjective) -> None:
    for name in OBJECTIVES:
        objective = costing(np.ones((2, 2)), 8.0, name)
        cost = 0.02 if name == "latency" else 2e6
        assert objective.limit(objective.format(cost)) == pytest.approx(cost)


def test_an_unknown_objective_is_refused_with_the_known_ones() -> None:
    with pytest.raises(WrongUse, match=r"no objective 'energy'.* latency"):
        format_cost("energy", 1.0)


def test_a_cost_on_a_device_says_which(costing: MakeObjective) -> None:
    plain = costing(np.ones((2, 2)), 8.0, "latency")
    assert plain.title == "latency"
    assert Objective("latency", plain.space, plain.costs, 0.0, "xavier").title == "latency on xavier"
