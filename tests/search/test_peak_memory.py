"""Peak memory: what the neediest block needs, and limits that bar single candidates."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from devices import NoAnswer
from latency import operator_of
from search import Space
from search.cost import Goal
from search.feasibility import feasible_set
from search.peak_memory import PeakMemory


def test_the_peak_is_that_of_the_neediest_block(tiny: Space) -> None:
    memory = PeakMemory.of(tiny)
    for picks in [(0, 0, 0, 0), (12, 12, 12, 12), (3, 7, 1, 2)]:
        blocks = [*tiny.fixed, *(w for unit, pick in zip(tiny.grid, picks, strict=True) for w in unit[pick])]
        assert memory.cost_of(picks) == max(operator_of(block).activation_bytes(block) for block in blocks)


def test_a_network_with_a_candidate_that_failed_has_no_peak(tiny: Space) -> None:
    memory = PeakMemory.of(tiny)
    memory.bytes_[1, 2] = np.nan
    assert np.isnan(memory.cost_of((0, 2, 0, 0)))
    assert memory.cheapest()[1] != 2


def test_the_cheapest_is_no_dearer_than_any_other(tiny: Space) -> None:
    memory = PeakMemory.of(tiny)
    every = np.array(list(itertools.product(range(0, 13, 3), repeat=4)))
    assert memory.cost_of(memory.cheapest()) <= memory.cost(every).min()


def test_networks_within_a_limit_are_those_without_a_block_above_it(tiny: Space) -> None:
    memory = PeakMemory.of(tiny)
    every = np.array(list(itertools.product(range(13), repeat=4)))
    limit = float(np.median(memory.cost(every)))
    feasible = feasible_set([Goal(memory, limit)])
    np.testing.assert_array_equal(feasible.contains(every), memory.cost(every) <= limit)


def test_an_impossible_limit_is_refused_with_the_least_there_is(tiny: Space) -> None:
    memory = PeakMemory.of(tiny)
    with pytest.raises(NoAnswer, match=r"No network of tiny is within 1e-06 MB: the cheapest needs .* MB"):
        memory.refuse_impossible(1.0)


def test_a_unit_without_a_candidate_that_ran_has_no_cheapest(tiny: Space) -> None:
    memory = PeakMemory.of(tiny)
    memory.bytes_[2] = np.nan
    with pytest.raises(NoAnswer, match=f"No candidate of {tiny.units[2].name} ran"):
        memory.cheapest()
