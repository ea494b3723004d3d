"""From a table to arrays, and sums of many architectures at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices import WrongUse
from latency import Environment, Estimate, Workload, total
from lut import Lookup, Table, measurable, sum_of_picks
from tests.contracts.examples import DEVICE, ENVIRONMENT, RUNTIME, block, failure, measurement, skip

STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""No verdict hangs on how busy the machine is."""

GRID = ((block(8), block(8, expansion=6), skip()), (block(12), block(12, expansion=6), block(12, kernel=5)))
FIXED = (block(16), skip(), block(20))
TIMES_S = {workload: (index + 1) * 1e-3 for index, workload in enumerate(measurable([*FIXED, *GRID[0], *GRID[1]]))}


def table(*, without: Sequence[Workload] = (), failed: Sequence[Workload] = ()) -> Table:
    known = [workload for workload in TIMES_S if workload not in {*without, *failed}]
    return Table([*(measurement(w, TIMES_S[w]) for w in known), *(failure(w) for w in failed)])


@st.composite
def problems(draw: st.DrawFn) -> tuple[npt.NDArray[np.float64], float, npt.NDArray[np.integer]]:
    """Costs, a fixed part and architectures of matching shapes."""
    units, candidates, count = draw(st.integers(1, 8)), draw(st.integers(1, 6)), draw(st.integers(0, 12))
    numbers = st.floats(-1e3, 1e3) | st.just(float("nan"))
    costs = draw(st.lists(numbers, min_size=units * candidates, max_size=units * candidates))
    picks = draw(st.lists(st.integers(0, candidates - 1), min_size=units * count, max_size=units * count))
    dtype = draw(st.sampled_from([np.int8, np.uint8, np.int32, np.int64]))
    architectures = np.array(picks, dtype=dtype).reshape(count, units)
    return np.array(costs).reshape(units, candidates), draw(st.floats(-10, 10)), architectures


@STEADY
@given(problems())
def test_the_sums_are_those_of_the_obvious_loop(
    problem: tuple[npt.NDArray[np.float64], float, npt.NDArray[np.integer]],
) -> None:
    costs, fixed, architectures = problem
    expected = []
    for picks in architectures:
        cost = fixed
        for unit, pick in enumerate(picks):
            cost += costs[unit, pick]
        expected.append(cost)
    np.testing.assert_array_equal(sum_of_picks(costs, fixed, architectures), np.array(expected, dtype=np.float64))


def test_the_sums_of_more_architectures_than_a_chunk_are_right() -> None:
    draw = np.random.default_rng(0)
    costs, architectures = draw.random((5, 7)), draw.integers(7, size=(20_001, 5))
    expected = 1.5 + costs[np.arange(5), architectures].sum(axis=1)
    np.testing.assert_allclose(sum_of_picks(costs, 1.5, architectures), expected, rtol=1e-12)


def test_summing_changes_neither_costs_nor_architectures() -> None:
    costs, architectures = np.ones((2, 3)), np.zeros((4, 2), dtype=np.int64)
    sum_of_picks(costs, 0.0, architectures)
    assert (costs == 1).all()
    assert (architectures == 0).all()


@pytest.mark.parametrize("picks", [[[0]], [[0, 1, 2]]])
def test_an_architecture_of_another_space_is_refused(picks: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="zip"):
        sum_of_picks(np.ones((2, 3)), 0.0, np.array(picks))


def test_a_candidate_that_does_not_exist_is_refused() -> None:
    with pytest.raises(IndexError):
        sum_of_picks(np.ones((2, 3)), 0.0, np.array([[0, 3]]))


def test_every_candidate_is_looked_up_in_its_place() -> None:
    lookup = Lookup.read(table(), GRID, FIXED)
    expected = [[TIMES_S.get(workload, 0.0) for workload in unit] for unit in GRID]
    np.testing.assert_array_equal(lookup.mean_s, expected)
    deviations = [
        [measurement(w, TIMES_S[w]).estimate().standard_deviation_s if w in TIMES_S else 0.0 for w in unit]
        for unit in GRID
    ]
    np.testing.assert_array_equal(lookup.deviation_s, deviations)
    assert lookup.environment == ENVIRONMENT


def test_the_fixed_part_is_the_sum_of_its_measurements() -> None:
    lookup = Lookup.read(table(), GRID, FIXED)
    assert lookup.fixed == total(measurement(w, TIMES_S[w]).estimate() for w in measurable(FIXED))


def test_without_a_fixed_part_nothing_is_added() -> None:
    assert Lookup.read(table(), GRID, ()).fixed == Estimate(0.0, 0.0, "measured")


@pytest.mark.parametrize("picks", [(0, 0), (1, 2), (2, 1)])
def test_an_estimate_is_the_fixed_part_and_the_picks(picks: tuple[int, int]) -> None:
    lookup = Lookup.read(table(), GRID, FIXED)
    estimate = lookup.estimate(picks)
    (by_array,) = sum_of_picks(lookup.mean_s, lookup.fixed.mean_s, np.array([picks]))
    assert estimate.mean_s == pytest.approx(by_array)
    chosen = [GRID[unit][pick] for unit, pick in enumerate(picks)]
    spread = [measurement(w, TIMES_S[w]).estimate().standard_deviation_s for w in measurable([*FIXED, *chosen])]
    assert estimate.standard_deviation_s == pytest.approx(sum(deviation**2 for deviation in spread) ** 0.5)
    assert estimate.source == "measured"


def test_a_candidate_that_failed_is_no_number_and_its_networks_are_within_no_limit() -> None:
    lookup = Lookup.read(table(failed=[GRID[1][1]]), GRID, FIXED)
    assert np.argwhere(np.isnan(lookup.mean_s)).tolist() == [[1, 1]]
    assert np.argwhere(np.isnan(lookup.deviation_s)).tolist() == [[1, 1]]
    sums = sum_of_picks(lookup.mean_s, lookup.fixed.mean_s, np.array([[0, 0], [0, 1]]))
    assert (sums <= 1e9).tolist() == [True, False]


def test_there_is_no_estimate_with_a_candidate_that_failed() -> None:
    lookup = Lookup.read(table(failed=[GRID[1][1]]), GRID, FIXED)
    with pytest.raises(WrongUse, match="Unit 1 has a candidate that failed on the device"):
        lookup.estimate((0, 1))
    assert lookup.estimate((0, 2)).mean_s > 0


def test_missing_entries_are_counted_and_come_with_the_command_that_fills_them() -> None:
    missing = [GRID[0][1], FIXED[2]]
    with pytest.raises(WrongUse, match="The table lacks 2 of 7 entries") as caught:
        Lookup.read(table(without=missing), GRID, FIXED, fill_command="profile-device --space demo")
    assert str(caught.value).endswith("This command fills them: profile-device --space demo")
    assert missing[1].describe() in str(caught.value)


def test_a_free_candidate_needs_no_entry_and_costs_nothing() -> None:
    assert skip() not in TIMES_S
    lookup = Lookup.read(table(), GRID, FIXED)
    assert (lookup.mean_s[0, 2], lookup.deviation_s[0, 2]) == (0.0, 0.0)


def test_a_fixed_part_that_failed_is_refused_with_the_reason() -> None:
    with pytest.raises(WrongUse, match="is part of every network and failed: not implemented") as caught:
        Lookup.read(table(failed=[FIXED[0]]), GRID, FIXED)
    assert FIXED[0].describe() in str(caught.value)


def test_times_of_two_environments_are_not_mixed() -> None:
    other = Environment(DEVICE, replace(RUNTIME, threads=2))
    mixed = Table([*table().values(), measurement(block(), environment=other)])
    with pytest.raises(WrongUse, match="this one has 2"):
        Lookup.read(mixed, GRID, FIXED)


def test_an_empty_table_is_refused() -> None:
    with pytest.raises(WrongUse, match="no rows yet"):
        Lookup.read(Table(), GRID, FIXED)


def test_measurable_leaves_out_what_is_free_and_what_is_repeated() -> None:
    assert measurable([block(12), skip(), block(8), block(12)]) == (block(12), block(8))
    assert measurable([]) == ()
