"""Costs by name: counted, looked up in tables, or listed by a benchmark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from devices import WrongUse
from search import KnownCosts, ListedCost, Objective, PeakMemory, TabularBenchmark, open_space
from tests.paceline.small_benchmark import small_benchmark


@pytest.fixture
def benchmark(tmp_path: Path) -> TabularBenchmark:
    return TabularBenchmark.read(small_benchmark(tmp_path / "small.npz"))


def test_what_is_counted_needs_no_table() -> None:
    costs = KnownCosts(open_space("demo"))
    assert isinstance(costs.cost("macs"), Objective)
    assert isinstance(costs.cost("memory"), PeakMemory)
    assert costs.cost("parameters").cost_of(open_space("demo").reference) > 0
    assert costs.devices == ()
    with pytest.raises(WrongUse, match="No latency is known: give --table"):
        costs.cost("latency")


def test_with_a_benchmark_every_cost_is_one_of_its_list(benchmark: TabularBenchmark) -> None:
    space = open_space("nasbench201", (32, 32), 10)
    costs = KnownCosts(space, {}, benchmark)
    for name in ("macs", "parameters", "memory"):
        listed, counted = costs.cost(name), KnownCosts(space).cost(name)
        assert isinstance(listed, ListedCost)
        assert np.array_equal(listed.costs, counted.cost(benchmark.networks.picks))
    assert costs.cost("latency", "board").title == "latency on board"


def test_a_benchmark_of_networks_that_cannot_be_built_knows_what_its_file_says(benchmark: TabularBenchmark) -> None:
    costs = KnownCosts(None, {}, benchmark)
    assert costs.cost("macs").cost_of((3,) * 6) == 220_119_680
    with pytest.raises(WrongUse, match=r"no cost in .* 'memory'"):
        costs.cost("memory")


def test_what_is_not_known_is_refused(benchmark: TabularBenchmark) -> None:
    costs = KnownCosts(None, {}, benchmark)
    with pytest.raises(WrongUse, match=r"no objective 'energy'"):
        costs.cost("energy")
    with pytest.raises(WrongUse, match=r"leave out @board"):
        costs.cost("macs", "board")
    with pytest.raises(WrongUse, match=r"Say whose latency"):
        costs.cost("latency")
    with pytest.raises(WrongUse, match=r"leave out --confidence"):
        costs.cost("latency", "board", 0.9)
    with pytest.raises(WrongUse, match=r"neither"):
        KnownCosts(None)
