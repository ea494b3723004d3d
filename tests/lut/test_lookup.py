"""From a table to arrays, and sums of many architectures at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import WrongUse
from latency import Calibration, Environment, Estimate, LeaveOneOut, LogTimes, Measurement, Source, Workload, total
from lut import Lookup, Table, appending, measurable, sum_of_picks
from tests.contracts.examples import DEVICE, ENVIRONMENT, RUNTIME, block, failure, measurement, network, skip

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


SEVERAL = (((block(8), block(8), block(12)), (), skip()), ((block(12),),))
"""A candidate of several workloads, one of none, and units of different sizes."""


def test_a_candidate_of_several_workloads_costs_their_sum_and_one_of_none_costs_nothing() -> None:
    lookup = Lookup.read(table(), SEVERAL, FIXED)
    eight, twelve = (measurement(block(width), TIMES_S[block(width)]).estimate() for width in (8, 12))
    assert lookup.mean_s[0].tolist() == [2 * eight.mean_s + twelve.mean_s, 0.0, 0.0]
    # The same measurement twice is wrong by the same amount twice.
    together = math.hypot(2 * eight.standard_deviation_s, twelve.standard_deviation_s)
    assert lookup.deviation_s[0].tolist() == pytest.approx([together, 0.0, 0.0])
    assert lookup.grid[0] == ((block(8), block(8), block(12)), (), (skip(),))


def test_units_with_fewer_candidates_end_with_nan() -> None:
    lookup = Lookup.read(table(), SEVERAL, FIXED)
    upper_s, _ = lookup.upper_s(0.9)
    for values in (lookup.mean_s, lookup.deviation_s, upper_s):
        assert np.isnan(values).tolist() == [[False, False, False], [False, True, True]]
    assert upper_s[0, 0] > lookup.mean_s[0, 0]
    assert upper_s[0, 1] == 0


@pytest.mark.parametrize("picks", [(0, 1), (0, -1)])
def test_there_is_no_estimate_of_a_candidate_that_a_unit_does_not_have(picks: tuple[int, int]) -> None:
    with pytest.raises(WrongUse, match=f"Unit 1 has 1 candidates, counted from 0; got {picks[1]}"):
        Lookup.read(table(), SEVERAL, FIXED).estimate(picks)


def test_an_estimate_counts_a_workload_as_often_as_it_occurs() -> None:
    lookup = Lookup.read(table(), SEVERAL, FIXED)
    known_s = 2 * TIMES_S[block(8)] + 2 * TIMES_S[block(12)]
    assert lookup.estimate((0, 0)).mean_s == pytest.approx(known_s + lookup.fixed.mean_s)


def test_a_candidate_one_of_whose_workloads_failed_is_no_number() -> None:
    lookup = Lookup.read(table(failed=[block(12)]), SEVERAL, FIXED)
    assert np.isnan(lookup.mean_s[:, 0]).tolist() == [True, True]
    assert lookup.mean_s[0, 1] == 0


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


@pytest.mark.parametrize("picks", [(0,), (0, 0, 0)])
def test_there_is_no_estimate_of_an_architecture_of_another_space(picks: tuple[int, ...]) -> None:
    with pytest.raises(WrongUse, match=f"each of the 2 units that were looked up; got {len(picks)}"):
        Lookup.read(table(), GRID, FIXED).estimate(picks)


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


ENTRIES = tuple(TIMES_S)


def learned(*workloads: Workload, scale: float = 1.1) -> Calibration:
    """A calibration after which each block takes ``scale`` times its measurement, with errors that hang together."""
    draw = np.random.default_rng(len(workloads))
    rows = range(1, len(workloads) + 1)
    return Calibration(
        entries=tuple(workload.digest for workload in workloads),
        mean_s=tuple(scale * TIMES_S.get(workload, 1e-3) for workload in workloads),
        factor=tuple(tuple(float(number) for number in draw.uniform(1e-5, 5e-5, row)) for row in rows),
        misfit=0.02,
        networks=9,
        hyperparameters={"entry": 0.1},
        leave_one_out=LeaveOneOut(0.01, 0.9, 0.9),
    )


def calibrated_table(*calibrations: Calibration, failed: Sequence[Workload] = ()) -> Table:
    """A table that learned these, one after another."""
    filled = table(failed=failed)
    for calibration in calibrations:
        filled.add_calibration(ENVIRONMENT, calibration)
    return filled


def scale_of(lookup: Lookup) -> float:
    """What the cells take, as a multiple of their measurements."""
    (scale,) = {round(lookup.mean_s[0, 0] / TIMES_S[GRID[0][0]], 6), round(lookup.fixed.mean_s / fixed_s(), 6)}
    return float(scale)


def fixed_s() -> float:
    return sum(TIMES_S[workload] for workload in measurable(FIXED))


def test_cells_of_a_calibrated_table_are_the_entries_of_its_calibration() -> None:
    calibration = learned(*ENTRIES)
    lookup = Lookup.read(calibrated_table(calibration), GRID, FIXED)
    entries = [[calibration.entry(w) if w in TIMES_S else Estimate(0, 0) for w in unit] for unit in GRID]
    np.testing.assert_array_equal(lookup.mean_s, [[entry.mean_s for entry in unit] for unit in entries])
    np.testing.assert_array_equal(
        lookup.deviation_s, [[entry.standard_deviation_s for entry in unit] for unit in entries]
    )
    assert lookup.fixed == total(calibration.entry(workload) for workload in measurable(FIXED))
    assert lookup.calibration == calibration


@pytest.mark.parametrize("picks", [(0, 0), (1, 2), (2, 1)])
def test_a_calibrated_estimate_is_that_of_the_network_as_a_whole(picks: tuple[int, int]) -> None:
    calibration = learned(*ENTRIES)
    lookup = Lookup.read(calibrated_table(calibration), GRID, FIXED)
    chosen = [GRID[unit][pick] for unit, pick in enumerate(picks)]
    assert lookup.estimate(picks) == calibration.estimate([*FIXED, *chosen])
    assert lookup.estimate(picks).source == "calibrated"
    (by_array,) = sum_of_picks(lookup.mean_s, lookup.fixed.mean_s, np.array([picks]))
    assert lookup.estimate(picks).mean_s == pytest.approx(by_array)


def test_repeated_cells_of_a_calibrated_table_count_as_often_as_they_occur() -> None:
    calibration, cell = learned(*ENTRIES), GRID[0][0]
    lookup = Lookup.read(calibrated_table(calibration), [(cell, skip()), (cell, skip())], [cell])
    thrice, once = lookup.estimate((0, 0)), lookup.estimate((1, 1))
    assert thrice == calibration.estimate([cell] * 3)
    assert thrice.mean_s == pytest.approx(3 * once.mean_s)
    assert thrice.standard_deviation_s == pytest.approx(3 * once.standard_deviation_s), "they share one error"


def test_a_calibration_may_be_left_aside() -> None:
    lookup = Lookup.read(calibrated_table(learned(*ENTRIES)), GRID, FIXED, calibrated=False)
    plain = Lookup.read(table(), GRID, FIXED)
    np.testing.assert_array_equal(lookup.mean_s, plain.mean_s)
    np.testing.assert_array_equal(lookup.deviation_s, plain.deviation_s)
    assert (lookup.fixed, lookup.calibration) == (plain.fixed, None)
    assert lookup.estimate((0, 1)) == plain.estimate((0, 1))
    assert lookup.estimate((0, 1)).source == "measured"


@pytest.mark.parametrize("unknown", [GRID[1][2], FIXED[0]], ids=["candidate", "fixed part"])
def test_a_calibration_that_does_not_know_all_is_not_used(unknown: Workload) -> None:
    partial = learned(*(workload for workload in ENTRIES if workload != unknown))
    lookup = Lookup.read(calibrated_table(partial), GRID, FIXED)
    assert (scale_of(lookup), lookup.calibration) == (1.0, None)


def test_the_newest_calibration_that_knows_all_is_used() -> None:
    older, newer = learned(*ENTRIES, scale=1.2), learned(*ENTRIES, block(99), scale=1.3)
    newest = learned(*ENTRIES[1:], scale=1.4)
    assert scale_of(Lookup.read(calibrated_table(older, newer, newest), GRID, FIXED)) == 1.3
    assert scale_of(Lookup.read(calibrated_table(newer, older), GRID, FIXED)) == 1.2


def test_a_calibration_of_another_environment_is_not_used() -> None:
    filled = table()
    filled.add_calibration(Environment(DEVICE, replace(RUNTIME, threads=2)), learned(*ENTRIES))
    assert Lookup.read(filled, GRID, FIXED).calibration is None


@pytest.mark.parametrize("known", [ENTRIES, tuple(w for w in ENTRIES if w != GRID[1][1])], ids=["before", "after"])
def test_a_candidate_that_failed_is_no_number_whether_calibrated_before_or_after(known: Sequence[Workload]) -> None:
    lookup = Lookup.read(calibrated_table(learned(*known), failed=[GRID[1][1]]), GRID, FIXED)
    assert scale_of(lookup) == 1.1
    assert np.argwhere(np.isnan(lookup.mean_s)).tolist() == [[1, 1]]
    assert np.argwhere(np.isnan(lookup.deviation_s)).tolist() == [[1, 1]]
    with pytest.raises(WrongUse, match="Unit 1 has a candidate that failed on the device"):
        lookup.estimate((0, 1))
    assert lookup.estimate((0, 2)).source == "calibrated"


def test_a_free_candidate_costs_nothing_in_a_calibrated_table_either() -> None:
    calibration = learned(*ENTRIES)
    lookup = Lookup.read(calibrated_table(calibration), GRID, FIXED)
    assert (lookup.mean_s[0, 2], lookup.deviation_s[0, 2]) == (0.0, 0.0)
    assert lookup.estimate((2, 0)) == calibration.estimate([*FIXED, GRID[1][0]])


def test_a_calibrated_table_without_a_fixed_part_has_only_its_picks() -> None:
    calibration = learned(*ENTRIES)
    lookup = Lookup.read(calibrated_table(calibration), GRID, ())
    assert lookup.fixed.mean_s == 0
    assert lookup.estimate((0, 0)) == calibration.estimate([GRID[0][0], GRID[1][0]])


def test_networks_measured_whole_are_no_part_of_what_is_looked_up() -> None:
    filled = calibrated_table(learned(*ENTRIES))
    before = Lookup.read(filled, GRID, FIXED)
    filled.add(measurement(network(), 9.0))
    after = Lookup.read(filled, GRID, FIXED)
    np.testing.assert_array_equal(after.mean_s, before.mean_s)
    assert (after.fixed, after.calibration) == (before.fixed, before.calibration)


def test_a_calibrated_table_reads_the_same_from_its_file(tmp_path: Path) -> None:
    filled = calibrated_table(learned(*ENTRIES))
    with appending(tmp_path / "table.jsonl") as writer:
        for outcome in table().values():
            assert isinstance(outcome, Measurement)
            writer.append(outcome)
        writer.append_calibration(ENVIRONMENT, learned(*ENTRIES))
    read = Lookup.read(Table.read(tmp_path / "table.jsonl"), GRID, FIXED)
    assert read.estimate((1, 1)) == Lookup.read(filled, GRID, FIXED).estimate((1, 1))


def partly_predicted(deviation_s: float = 2e-4, source: Source = "predicted") -> Table:
    """The table with one candidate that was not measured."""
    found = table(without=[GRID[1][2]])
    found.add_estimate(GRID[1][2], ENVIRONMENT, Estimate(9e-3, deviation_s, source, is_inside=False))
    return found


def test_a_predicted_candidate_is_looked_up_and_the_network_with_it_says_so() -> None:
    lookup = Lookup.read(partly_predicted(), GRID, FIXED)
    assert (lookup.mean_s[1, 2], lookup.deviation_s[1, 2]) == (9e-3, 2e-4)
    known = lookup.estimate((0, 2))
    assert (known.source, known.is_inside) == ("predicted", False)
    assert known.mean_s == pytest.approx(
        Lookup.read(table(), GRID, FIXED).estimate((0, 0)).mean_s - TIMES_S[GRID[1][0]] + 9e-3
    )
    assert (lookup.estimate((0, 0)).source, lookup.estimate((0, 0)).is_inside) == ("measured", True)


@pytest.mark.parametrize("picks", [(0, 0), (1, 2), (2, 1)])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99])
def test_the_sum_of_upper_bounds_bounds_a_network_however_errors_hang_together(
    picks: tuple[int, int], confidence: float
) -> None:
    lookup = Lookup.read(partly_predicted(), GRID, FIXED)
    costs_s, fixed_s = lookup.upper_s(confidence)
    bound_s = costs_s[0, picks[0]] + costs_s[1, picks[1]] + fixed_s
    picked = [GRID[0][picks[0]], GRID[1][picks[1]], *FIXED]
    known = [lookup.estimates[workload] for workload in picked if workload in lookup.estimates]
    margin, deviation_s = NormalDist().inv_cdf(confidence), sum(part.standard_deviation_s for part in known)
    # Where one is predicted, a little more: its errors are normal on a logarithmic scale.
    assert bound_s == pytest.approx(sum(p.mean_s for p in known) + margin * deviation_s, rel=1e-3)
    assert bound_s >= lookup.estimate(picks).mean_s + margin * lookup.estimate(picks).standard_deviation_s - 1e-12


@pytest.mark.parametrize("spread", [0.1, 0.3, 0.5, 0.8])
def test_the_bound_of_a_predicted_time_holds_on_the_logarithmic_scale_that_it_was_predicted_on(spread: float) -> None:
    median_s, deviation_s = LogTimes(np.array([math.log(9e-3)]), np.array([spread])).in_seconds()
    found = table(without=[GRID[1][2]])
    found.add_estimate(GRID[1][2], ENVIRONMENT, Estimate(float(median_s[0]), float(deviation_s[0]), "predicted"))
    costs_s, _ = Lookup.read(found, GRID, FIXED).upper_s(0.95)
    assert costs_s[1, 2] >= 9e-3 * math.exp(1.6448 * spread)


def test_what_comes_from_peak_figures_is_bounded_by_a_factor() -> None:
    costs_s, _ = Lookup.read(partly_predicted(0.75 * 9e-3, "roofline"), GRID, FIXED).upper_s(0.95)
    assert costs_s[1, 2] == pytest.approx(9e-3 * math.exp(1.6449 * 0.75), rel=1e-3)


def test_a_calibrated_network_still_says_that_a_block_of_it_was_extrapolated() -> None:
    found = partly_predicted()
    found.add_calibration(ENVIRONMENT, learned(*ENTRIES))
    lookup = Lookup.read(found, GRID, FIXED)
    assert (lookup.estimate((0, 2)).source, lookup.estimate((0, 2)).is_inside) == ("calibrated", False)
    assert lookup.estimate((0, 0)).is_inside
    assert lookup.alone[GRID[1][2]].source == "predicted"
    costs_s, fixed_s = lookup.upper_s(0.95)
    known = lookup.estimate((0, 0))
    assert costs_s[0, 0] + costs_s[1, 0] + fixed_s >= known.mean_s + 1.64 * known.standard_deviation_s


@pytest.mark.parametrize("confidence", [0.49, 1.0, 95.0])
def test_a_confidence_that_is_none_is_refused(confidence: float) -> None:
    with pytest.raises(WrongUse, match="at least 50 %"):
        Lookup.read(table(), GRID, FIXED).upper_s(confidence)


def test_nothing_is_said_with_confidence_of_reports_that_do_not_say_how_sure_they_are() -> None:
    lookup = Lookup.read(partly_predicted(math.nan, "reported"), GRID, FIXED)
    assert math.isnan(lookup.estimate((0, 2)).standard_deviation_s)
    assert lookup.estimate((0, 0)).standard_deviation_s > 0
    with pytest.raises(WrongUse, match="1 of 7 times were reported"):
        lookup.upper_s(0.95)
