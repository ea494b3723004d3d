"""The widest hand-made network within a limit."""

from __future__ import annotations

import pytest

from devices import NoAnswer, WrongUse
from latency import operator_of
from search import Architecture, Space, mobilenetv2_of_width, widest_mobilenetv2
from search.baseline import WIDTHS

SIZE = (64, 64)


def macs(space: Space, architecture: Architecture) -> float:
    workload = space.network(architecture)
    return float(operator_of(workload).macs(workload))


def macs_at(width: float) -> float:
    return macs(*mobilenetv2_of_width(width, SIZE, 3))


@pytest.mark.parametrize("width", [WIDTHS[0], 0.35, 1.0, WIDTHS[-1]])
def test_it_is_the_widest_within_the_limit_and_costs_what_it_says(width: float) -> None:
    limit = macs_at(width)
    found = widest_mobilenetv2(limit, macs, SIZE, 3, objective="macs")
    assert (found.width, found.cost) == (width, limit)
    assert found.architecture == Architecture(found.space.name, found.space.reference)
    slower = widest_mobilenetv2(limit * 1.001, macs, SIZE, 3, objective="macs")
    assert slower.width == width


def test_few_widths_are_tried() -> None:
    tried = list[str]()

    def cost(space: Space, architecture: Architecture) -> float:
        tried.append(space.name)
        return macs(space, architecture)

    widest_mobilenetv2(macs_at(0.5), cost, SIZE, 3, objective="macs")
    assert len(tried) == len(set(tried)) <= 6


def test_where_a_wider_network_costs_less_it_is_within_the_limit_all_the_same() -> None:
    def jumping(space: Space, _: Architecture) -> float:
        return 5.0 if space.name in ("mobilenetv2-0.25", "mobilenetv2-0.75", "mobilenetv2") else 1.0

    assert widest_mobilenetv2(2.0, jumping, SIZE, 3).cost <= 2.0


def test_a_limit_below_the_narrowest_has_no_answer() -> None:
    with pytest.raises(NoAnswer, match=r"within 1 M MACs: at width 0.1, the narrowest, it costs"):
        widest_mobilenetv2(1e6, macs, SIZE, 3, objective="macs")


def test_a_network_that_did_not_run_is_within_no_limit() -> None:
    with pytest.raises(NoAnswer):
        widest_mobilenetv2(1.0, lambda space, architecture: float("nan"), SIZE, 3)


def test_widths_that_round_to_one_network_are_one() -> None:
    tried = list[str]()
    widest_mobilenetv2(1e12, lambda space, _: float(tried.append(space.name) or 0), SIZE, 3, widths=(0.1, 0.101, 0.102))
    assert tried == ["mobilenetv2-0.1"]


def test_no_width_is_refused() -> None:
    with pytest.raises(WrongUse, match="at least one"):
        widest_mobilenetv2(1.0, macs, SIZE, 3, widths=())
