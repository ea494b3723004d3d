from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from devices import WrongUse
from latency import Environment, Measurement, Outcome, Workload
from latency.sampling import robust_interval
from lut.difference import Difference, RowDifference, adjusted_p_values, compare_tables
from lut.table import Table
from tests.contracts.examples import DEVICE, ENVIRONMENT, OTHER_DEVICE, RUNTIME, block, burst, failure, measurement

WORKLOADS = tuple(block(channels) for channels in range(8, 48))
SAMPLE = burst()

Noise = Callable[[random.Random], float]


def quiet(draw: random.Random) -> float:
    """Times of processes that differ by about one per cent."""
    return draw.lognormvariate(0, 0.01)


def disturbed(draw: random.Random) -> float:
    """The same where one process in ten is much slower."""
    return quiet(draw) * (1 + (draw.random() < 0.1) * draw.expovariate(1 / 0.15))


def row(workload: Workload, times_s: Sequence[float], environment: Environment = ENVIRONMENT) -> Measurement:
    """A measurement of one burst of one sample of each process: all that a comparison sees, made fast."""
    bursts = tuple(replace(SAMPLE, samples_s=(time_s,), process=str(n)) for n, time_s in enumerate(times_s))
    return replace(measurement(workload, environment=environment), bursts=bursts)


def table(
    draw: random.Random, *, factors: Mapping[int, float] = {}, noise: Noise = quiet, rows: int = 40, processes: int = 6
) -> Table:
    """Rows of 1 ms, 2 ms, ...; those named in ``factors`` take that many times as long."""
    return Table(
        row(workload, [(n + 1) * 1e-3 * factors.get(n, 1.0) * noise(draw) for _ in range(processes)])
        for n, workload in enumerate(WORKLOADS[:rows])
    )


def one(was_s: Sequence[float], now_s: Sequence[float], tolerance: float = 0.02) -> RowDifference:
    """What becomes of a single row."""
    difference = compare_tables(Table([row(block(), was_s)]), Table([row(block(), now_s)]), tolerance=tolerance)
    return difference.rows[0]


STEADY = [0.998, 1.002, 0.999, 1.001, 1.0, 1.0]


@pytest.mark.parametrize(
    ("factor", "spread", "verdict"),
    [
        (1.1, 1, "slower"),
        (0.9, 1, "faster"),
        (1.001, 1, "same"),
        (1.1, 100, "unclear"),
        (1.001, 100, "unclear"),
        (1.02, 1, "unclear"),
    ],
)
def test_a_row_is_slower_faster_or_the_same_only_beyond_doubt(factor: float, spread: float, verdict: str) -> None:
    now = [factor * (1 + (time - 1) * spread) for time in STEADY]
    found = one(STEADY, now)
    assert found.verdict == verdict
    assert found.interval[0] <= factor <= found.interval[1]


def test_what_is_beyond_the_tolerance_depends_on_the_tolerance() -> None:
    slower = [1.05 * time for time in STEADY]
    assert one(STEADY, slower, tolerance=0.0).verdict == "slower"
    assert one(STEADY, slower, tolerance=0.02).verdict == "slower"
    assert one(STEADY, slower, tolerance=0.1).verdict == "same"


def test_tables_the_other_way_round_give_the_inverse() -> None:
    draw = random.Random(1)
    first, second = table(draw), table(draw, factors={3: 1.2, 7: 0.8})
    there = {found.workload: found for found in compare_tables(first, second).rows}
    back = compare_tables(second, first)
    turned = {"slower": "faster", "faster": "slower", "same": "same", "unclear": "unclear"}
    for found in back.rows:
        other = there[found.workload]
        assert found.ratio == pytest.approx(1 / other.ratio)
        assert found.interval == pytest.approx((1 / other.interval[1], 1 / other.interval[0]))
        assert found.verdict == turned[other.verdict]


@pytest.mark.parametrize(("processes", "trim"), [(4, 0.0), (5, 0.0), (6, 0.2), (10, 0.2)])
def test_ratio_and_p_value_are_those_of_scipys_trimmed_test(processes: int, trim: float) -> None:
    draw = random.Random(processes)
    was, now = ([draw.lognormvariate(shift, 0.02) for _ in range(processes)] for shift in (0, 0.05))
    logarithms = [[math.log(time) for time in times] for times in (now, was)]
    expected = stats.ttest_ind(*logarithms, equal_var=False, trim=trim)
    found = one(was, now, tolerance=0.0)
    assert found.adjusted_p == pytest.approx(float(expected.pvalue))
    assert math.log(found.ratio) == pytest.approx(
        stats.trim_mean(logarithms[0], trim) - stats.trim_mean(logarithms[1], trim)
    )
    if not trim:
        low, high = expected.confidence_interval(0.95)
        assert found.interval == pytest.approx((math.exp(low), math.exp(high)))


def test_p_values_are_adjusted_as_scipy_does() -> None:
    draw = random.Random(4)
    p_values = [draw.random() ** 3 for _ in range(50)] + [0.0, 1.0, 0.01, 0.01]
    assert adjusted_p_values(p_values) == pytest.approx(list(stats.false_discovery_control(p_values)))


def test_one_disturbed_process_hides_no_change() -> None:
    slower = [1.1 * time for time in STEADY]
    assert one(STEADY, [*slower[:-1], slower[-1] * 1.5]).verdict == "slower"


def test_times_that_never_vary_are_the_same_or_surely_different() -> None:
    assert one([1.0] * 3, [1.0] * 3).verdict == "same"
    assert one([1.0] * 3, [1.1] * 3).verdict == "slower"


def test_a_process_counts_once_however_many_bursts_it_took() -> None:
    processes = [1.0, 1.02, 1.05]
    repeated = row(block(), [time for time in processes for _ in range(4)])
    named = tuple(replace(b, process=str(n // 4)) for n, b in enumerate(repeated.bursts))
    now = Table([row(block(), [1.1, 1.12, 1.13])])
    found = compare_tables(Table([replace(repeated, bursts=named)]), now).rows[0]
    expected = compare_tables(Table([row(block(), processes)]), now).rows[0]
    assert found.processes == 3
    assert found.interval == pytest.approx(expected.interval)


def test_rows_of_a_single_process_are_compared_by_their_samples_and_say_so() -> None:
    found = compare_tables(Table([measurement(mean_s=1.0)]), Table([measurement(mean_s=1.1)])).rows[0]
    assert (found.verdict, found.processes) == ("slower", 1)
    assert found.ratio == pytest.approx(1.1)


def test_rows_that_differ_most_come_first_and_unclear_ones_before_the_same() -> None:
    draw = random.Random(2)
    difference = compare_tables(table(draw), table(draw, factors={5: 1.3, 6: 0.5, 7: 1.1}))
    assert [found.workload for found in difference.rows[:3]] == [WORKLOADS[6], WORKLOADS[5], WORKLOADS[7]]
    later = [found.verdict for found in difference.rows[3:]]
    assert later == sorted(later, reverse=True)
    assert difference.counts() == {
        "slower": 2,
        "faster": 1,
        "same": later.count("same"),
        "unclear": later.count("unclear"),
    }


def test_a_clock_that_slows_all_rows_is_told_apart_from_the_rows_it_leaves() -> None:
    draw = random.Random(3)
    factors = dict.fromkeys(range(40), 1.08) | {4: 1.08 * 1.2}
    first, second = table(draw), table(draw, factors=factors)
    plain, relative = compare_tables(first, second), compare_tables(first, second, relative=True)
    assert plain.common is not None
    assert plain.common == relative.common
    assert plain.common.interval[0] < 1.08 < plain.common.interval[1]
    assert plain.common.exceeds(0.02)
    assert not plain.common.exceeds(0.1)
    assert plain.counts()["slower"] > 35
    assert [found.workload for found in relative.rows if found.verdict == "slower"] == [WORKLOADS[4]]
    assert relative.counts()["faster"] == 0


def test_taking_out_the_common_factor_makes_no_interval_narrower() -> None:
    draw = random.Random(5)
    first, second = table(draw), table(draw)
    plain = {found.workload: found for found in compare_tables(first, second).rows}
    for found in compare_tables(first, second, relative=True).rows:
        other = plain[found.workload]
        assert found.interval[1] / found.interval[0] >= other.interval[1] / other.interval[0]


def test_few_rows_have_no_common_factor() -> None:
    draw = random.Random(6)
    first, second = table(draw, rows=5), table(draw, rows=5)
    assert compare_tables(first, second).common is None
    with pytest.raises(WrongUse, match="at least 6"):
        compare_tables(first, second, relative=True)


def test_rows_that_only_one_table_has_or_that_failed_are_named() -> None:
    shared, gone, new, broken, mended, hopeless = WORKLOADS[:6]
    first: list[Outcome] = [*map(measurement, (shared, gone, broken)), failure(mended), failure(hopeless)]
    second: list[Outcome] = [*map(measurement, (shared, new, mended)), failure(broken), failure(hopeless)]
    difference = compare_tables(Table(first), Table(second))
    assert [found.workload for found in difference.rows] == [shared]
    assert (difference.only_first, difference.only_second) == ((gone,), (new,))
    assert (difference.broken, difference.mended, difference.failed) == ((broken,), (mended,), (hopeless,))


def test_it_is_worse_with_a_slower_row_or_a_new_failure_and_not_with_a_faster_one() -> None:
    def worse(*second: Outcome) -> bool:
        first = Table([row(WORKLOADS[0], STEADY), row(WORKLOADS[1], STEADY)])
        return compare_tables(first, Table(second)).is_worse

    steady = row(WORKLOADS[0], STEADY)
    assert not worse(steady, row(WORKLOADS[1], [0.8 * time for time in STEADY]))
    assert worse(steady, row(WORKLOADS[1], [1.2 * time for time in STEADY]))
    assert worse(steady, failure(WORKLOADS[1]))


def test_environments_may_differ_and_the_fields_are_named() -> None:
    there = Environment(OTHER_DEVICE, replace(RUNTIME, versions={"examplert": "1.3"}))
    difference = compare_tables(Table([measurement()]), Table([measurement(environment=there)]))
    assert difference.environments == {
        "device name": (DEVICE.name, OTHER_DEVICE.name),
        "examplert": ("1.2", "1.3"),
    }


def test_a_table_of_two_environments_is_refused() -> None:
    mixed = Table([measurement(), measurement(environment=Environment(OTHER_DEVICE, RUNTIME))])
    with pytest.raises(WrongUse, match="one device and runtime"):
        compare_tables(mixed, Table([measurement()]))


def test_tables_without_a_common_measurement_are_refused() -> None:
    with pytest.raises(WrongUse, match="there is none"):
        compare_tables(Table([measurement(WORKLOADS[0])]), Table([failure(WORKLOADS[0]), measurement(WORKLOADS[1])]))


@pytest.mark.parametrize("tolerance", [-0.01, 1.0, math.nan])
def test_a_tolerance_that_is_no_share_is_refused(tolerance: float) -> None:
    with pytest.raises(WrongUse, match="tolerance"):
        compare_tables(Table([measurement()]), Table([measurement()]), tolerance=tolerance)


# Known truth. Every bound is what theory promises, and the number of simulated tables says how far chance may go: a
# right implementation fails a bound once in 10 000 seeds.

TABLES = 200
ROWS = 20
CHANGED = dict.fromkeys(range(4), 1.1)


def most(count: int, share: float) -> float:
    """How many of ``count`` things chance lets happen of which each happens with probability ``share``."""
    return float(stats.binom.ppf(0.9999, count, share))


def simulated(
    seed: int, *, tolerance: float = 0.0, tables: int = TABLES, noise: Noise = quiet, factors: Mapping[int, float] = {}
) -> list[Difference]:
    """Comparisons of tables with as many others that differ by ``factors``."""
    draw = random.Random(seed)
    first = (table(draw, noise=noise, rows=ROWS) for _ in range(tables))
    second = (table(draw, noise=noise, rows=ROWS, factors=factors) for _ in range(tables))
    return [compare_tables(was, now, tolerance=tolerance) for was, now in zip(first, second, strict=True)]


@pytest.fixture(scope="module")
def equal() -> list[Difference]:
    """Comparisons of tables that differ by noise alone."""
    return simulated(10)


def alarms(difference: Difference, unchanged: frozenset[Workload] = frozenset(WORKLOADS)) -> int:
    """Rows that are called slower or faster and are not."""
    return sum(found.verdict in {"slower", "faster"} for found in difference.rows if found.workload in unchanged)


def test_equal_tables_raise_a_false_alarm_one_time_in_twenty_at_most(equal: list[Difference]) -> None:
    assert sum(alarms(difference) > 0 for difference in equal) <= most(TABLES, 0.05)


def test_nor_do_equal_tables_where_one_process_in_ten_is_disturbed() -> None:
    differences = simulated(11, noise=disturbed)
    assert sum(alarms(difference) > 0 for difference in differences) <= most(TABLES, 0.05)


def test_the_interval_of_a_row_covers_the_truth_nineteen_times_in_twenty(equal: list[Difference]) -> None:
    intervals = [found.interval for difference in equal for found in difference.rows]
    missed = sum(not low <= 1 <= high for low, high in intervals)
    # The degrees of freedom are an approximation, which errs to the safe side by less than one per cent.
    assert stats.binom.ppf(0.0001, len(intervals), 0.04) <= missed <= most(len(intervals), 0.05)


def test_among_changed_rows_all_changes_are_found_and_one_alarm_in_twenty_is_false_at_most() -> None:
    unchanged = frozenset(WORKLOADS[len(CHANGED) : ROWS])
    shares, found = [], 0
    for difference in simulated(12, factors=CHANGED):
        called, false = alarms(difference), alarms(difference, unchanged)
        shares.append(false / max(1, called))
        found += called - false
    # 10 % are 16 standard errors of the ratio of two times that 6 processes each tell to 1 %.
    assert found >= 0.99 * TABLES * len(CHANGED)
    # Benjamini and Hochberg, theorem 1: the expected share is at most 5 % of the share of unchanged rows.
    assert sum(shares) / TABLES <= 0.05 * len(unchanged) / ROWS + 4 * float(stats.sem(shares))


def test_changes_are_found_where_one_process_in_ten_is_disturbed() -> None:
    differences = simulated(13, tolerance=0.02, tables=50, factors=CHANGED, noise=disturbed)
    found = sum(f.verdict == "slower" for d in differences for f in d.rows if f.workload in WORKLOADS[: len(CHANGED)])
    # With probability 0.886 ** 2, both have at most one disturbed process of 6, which is trimmed off.
    assert 50 * len(CHANGED) - found <= most(50 * len(CHANGED), 1 - 0.886**2)


def test_rows_at_the_edge_of_the_tolerance_are_called_neither_slower_nor_the_same() -> None:
    differences = simulated(14, tolerance=0.02, tables=100, factors=dict.fromkeys(range(ROWS), 1.02))
    assert sum(alarms(difference) > 0 for difference in differences) <= most(100, 0.05)
    assert sum(difference.counts()["same"] for difference in differences) <= most(100 * ROWS, 0.025)


def test_a_median_absolute_deviation_would_raise_more_false_alarms_than_promised() -> None:
    draw = random.Random(15)
    quantile = float(stats.t.ppf(0.975, 4))

    def distance() -> float:
        """How far apart two equal times are, in deviations."""
        (a, b), (c, d) = (robust_interval([quiet(draw) for _ in range(5)]) for _ in range(2))
        return abs(a + b - c - d) / math.hypot(b - a, d - c) * quantile

    tables = [[distance() for _ in range(139)] for _ in range(100)]
    with_alarm = sum(
        min(adjusted_p_values([2 * float(p) for p in stats.t.sf(np.array(distances), 8)])) <= 0.05
        for distances in tables
    )
    assert with_alarm > most(100, 0.05)
