"""Objectives: limits as they are typed, costs as they add up, and what no limit allows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import Device, DeviceState, NoAnswer, WrongUse
from latency import DummyProfiler, SamplingPlan, operator_of
from lut import Lookup, Table, measurable
from search import Architecture, Objective, Space

MakeObjective = Callable[..., Objective]

COSTS = np.array([[1.0, 4.0], [2.0, 8.0]])
FAILING = np.array([[1.0, 4.0, np.nan], [np.nan, 2.0, 8.0]])
SCALES = {"latency": {"s": 1.0, "ms": 1e-3, "us": 1e-6}, "macs": {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}}
UNITS = [(name, unit, scale) for name, units in SCALES.items() for unit, scale in units.items()]


@pytest.mark.parametrize(
    ("name", "text", "limit"),
    [
        ("latency", "30ms", 0.03),
        ("latency", " 30 ms ", 0.03),
        ("latency", "900us", 900e-6),
        ("latency", "0.03s", 0.03),
        ("latency", ".5s", 0.5),
        ("latency", "100%", 13.0),
        ("macs", "45M", 45e6),
        ("macs", "45MMACs", 45e6),
        ("macs", "45 M MACs", 45e6),
        ("macs", "4.4G", 4.4e9),
        ("macs", "7k", 7e3),
        ("macs", "123", 123.0),
        ("macs", "123 MACs", 123.0),
        ("macs", "1 MAC", 1.0),
        ("macs", "60%", 0.6 * 13),
        ("macs", "250 %", 2.5 * 13),
    ],
)
def test_limits_as_they_are_typed(costing: MakeObjective, name: str, text: str, limit: float) -> None:
    assert costing(COSTS, 10.0, name).limit(text) == pytest.approx(limit)


@given(st.sampled_from(UNITS), st.floats(1e-3, 1e6), st.text(" \t", max_size=2), st.text(" \t", max_size=2))
def test_any_quantity_is_read_in_any_unit(
    costing: MakeObjective, unit: tuple[str, str, float], number: float, before: str, after: str
) -> None:
    name, symbol, scale = unit
    text = f"{number:.6f}"
    read = costing(COSTS, 10.0, name).limit(f"{before}{text}{before}{symbol}{after}")
    assert read == pytest.approx(float(text) * scale)


@given(st.sampled_from(list(SCALES)), st.floats(1e-3, 1e3))
def test_a_cost_is_read_back_as_it_is_printed(costing: MakeObjective, name: str, cost: float) -> None:
    objective = costing(COSTS, 10.0, name)
    cost = cost * 1e-3 if name == "latency" else cost * 10**6
    printed = objective.format(cost)
    if "e" not in printed:
        assert objective.limit(printed) == pytest.approx(cost, rel=6e-3)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ms",
        "0ms",
        "0.0ms",
        "-3ms",
        "30",
        "30m",
        "45M",
        "30msec",
        "3O ms",
        "30ms 2",
        "nan ms",
        "infs",
        "1e3ms",
        "0%",
        "-5%",
        "ten",
    ],
)
def test_what_is_no_latency_is_refused(costing: MakeObjective, text: str) -> None:
    with pytest.raises(WrongUse, match=r"limit on latency is a number above 0 with its unit \(12s, 12ms, 12us, 12%\)"):
        costing(COSTS, 10.0, "latency").limit(text)


@pytest.mark.parametrize("text", ["", "0", "0M", "-1M", "30ms", "45m", "45T", "45 MAC 2", "many", "M", "%"])
def test_what_is_no_number_of_macs_is_refused(costing: MakeObjective, text: str) -> None:
    with pytest.raises(WrongUse, match=r"limit on macs is a number above 0 .* got"):
        costing(COSTS, 10.0, "macs").limit(text)


def test_a_share_of_a_reference_that_failed_is_refused(costing: MakeObjective) -> None:
    objective = costing(FAILING, 10.0, "latency")
    with pytest.raises(WrongUse, match="reference network that 60% is a share of did not run"):
        objective.limit("60%")
    assert objective.limit("60ms") == pytest.approx(0.06)


def test_a_percentage_is_of_the_reference_network(tiny: Space) -> None:
    objective = Objective.macs(tiny)
    network = Architecture("tiny", tiny.reference)
    assert objective.limit("50%") == pytest.approx(objective.cost_of(network.picks) / 2)


@given(st.integers(1, 22), st.integers(1, 13), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_costs_are_the_plain_sum(costing: MakeObjective, units: int, candidates: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    costs = rng.random((units, candidates))
    costs[rng.random(costs.shape) < 0.05] = np.nan
    picks = rng.integers(0, candidates, (count, units))
    objective = costing(costs, 0.5)
    expected = [0.5 + sum(costs[unit, pick] for unit, pick in enumerate(row)) for row in picks]
    np.testing.assert_allclose(objective.cost(picks), expected, rtol=1e-12)
    np.testing.assert_array_equal(objective.cost_of(tuple(picks[0])), objective.cost(picks)[0])


def test_more_networks_than_fit_in_one_go_are_summed_all_the_same(costing: MakeObjective) -> None:
    picks = np.random.default_rng(0).integers(0, 2, (20_000, 2))
    expected = 10 + COSTS[0][picks[:, 0]] + COSTS[1][picks[:, 1]]
    np.testing.assert_allclose(costing(COSTS, 10.0).cost(picks), expected)


def test_the_cheapest_leaves_out_what_failed(costing: MakeObjective) -> None:
    assert costing(FAILING).cheapest() == (0, 1)


def test_a_unit_without_a_candidate_that_ran_has_no_cheapest(costing: MakeObjective) -> None:
    objective = costing(np.array([[1.0, 2.0], [np.nan, np.nan]]))
    for use in (objective.cheapest, lambda: objective.refuse_impossible(1e9)):
        with pytest.raises(NoAnswer, match="No candidate of unit 1 ran on the device"):
            use()


def test_an_impossible_limit_is_refused_with_the_fastest_network_and_what_it_needs(costing: MakeObjective) -> None:
    objective = costing(FAILING * 1e-3, 0.010, "latency")
    with pytest.raises(NoAnswer, match=r"within 12 ms: the cheapest needs 13 ms \(c0 c1\)\. Raise --limit"):
        objective.refuse_impossible(0.012)


def test_a_limit_the_cheapest_just_meets_is_possible(costing: MakeObjective) -> None:
    objective = costing(FAILING, 10.0)
    objective.refuse_impossible(objective.cost_of((0, 1)))


@pytest.mark.parametrize(
    ("name", "cost", "text"),
    [
        ("latency", 0.0123456, "12.35 ms"),
        ("latency", 5e-6, "0.005 ms"),
        ("macs", 45e6, "45 M MACs"),
        ("macs", 4.465e9, "4465 M MACs"),
    ],
)
def test_costs_are_printed_with_their_unit(costing: MakeObjective, name: str, cost: float, text: str) -> None:
    assert costing(COSTS, 0.0, name).format(cost) == text


def test_macs_of_a_space_are_its_costs(tiny: Space) -> None:
    objective = Objective.macs(tiny)
    np.testing.assert_array_equal(objective.costs, tiny.macs)
    assert (objective.name, objective.fixed, objective.costs.dtype) == ("macs", tiny.fixed_macs, np.float64)


def test_latencies_of_a_space_come_from_the_table(tiny: Space) -> None:
    (broken,) = tiny.grid[1][3]
    profiler = DummyProfiler(Device("cpu", "test", "x86_64"), DeviceState, broken=frozenset({broken.digest}))
    plan = SamplingPlan(warm_up_s=0, sample_s=1e-6)
    table = Table(profiler.measure(workload, plan) for workload in measurable(tiny.workloads()))
    objective = Objective.latency(tiny, Lookup.read(table, tiny.grid, tiny.fixed))
    assert np.argwhere(np.isnan(objective.costs)).tolist() == [[1, 3]]
    assert objective.costs[3, -1] == 0
    # The dummy takes a microsecond and 0.1 ns for each MAC, give or take.
    np.testing.assert_allclose(objective.costs[0], 1e-6 + 1e-10 * tiny.macs[0], rtol=0.05)
    assert objective.fixed == pytest.approx(3e-6 + 1e-10 * tiny.fixed_macs, rel=0.05)


def test_with_a_confidence_networks_cost_their_upper_bounds(tiny: Space) -> None:
    profiler = DummyProfiler(Device("cpu", "test", "x86_64"), DeviceState)
    plan = SamplingPlan(warm_up_s=0, sample_s=1e-6)
    table = Table(profiler.measure(workload, plan) for workload in measurable(tiny.workloads()))
    lookup = Lookup.read(table, tiny.grid, tiny.fixed)
    costs = [Objective.latency(tiny, lookup, confidence).cost_of(tiny.reference) for confidence in (None, 0.9, 0.99)]
    known = lookup.estimate(tiny.reference)
    assert costs[0] == pytest.approx(known.mean_s)
    assert costs[0] < known.mean_s + 1.28 * known.standard_deviation_s < costs[1] < costs[2]


def test_parameters_are_those_of_the_network(tiny: Space) -> None:
    objective = Objective.parameters(tiny)
    for picks in [(0, 0, 0, 0), (3, 7, 12, 1)]:
        blocks = [*tiny.fixed, *(w for unit, pick in zip(tiny.grid, picks, strict=True) for w in unit[pick])]
        assert objective.cost_of(picks) == sum(operator_of(block).parameters(block) for block in blocks)


def test_only_networks_of_the_space_are_held(costing: MakeObjective) -> None:
    objective = costing(COSTS)
    assert [objective.holds(picks) for picks in [(0, 1), (0, 2), (-1, 0), (0,)]] == [True, False, False, False]
