"""Two tables, row by row: what became faster, what slower, what stayed the same, and what cannot be told.

Every workload that both tables measured is held to three questions at once (Goeman, Solari and Stijnen, Three-sided
hypothesis testing, Statistics in Medicine 29, 2010): is it faster by more than the tolerance, slower by more than the
tolerance, or within the tolerance? A change below the tolerance is nobody's concern however surely it is there, so
"slower" is not "the ratio is not 1" (McCarthy and Smyth, Testing significance relative to a fold-change threshold is a
TREAT, Bioinformatics 25, 2009). A row of which none can be said is unclear, which is no kind of "same".

Times are compared by trimmed means of their logarithms: noise is a share of the time, and the ratio of B to A is then
the inverse of that of A to B.

Of 139 unchanged rows, about 7 lie outside a 95 % interval by chance alone. Rows are called faster or slower by the
procedure of Benjamini and Hochberg (Controlling the false discovery rate, Journal of the Royal Statistical Society B
57, 1995), which keeps the expected share of false alarms among the rows that are called so to at most 5 %.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from devices import WrongUse
from latency import Environment, Measurement, Outcome, Workload, median, median_interval, nothing_measured
from lut.checking import differing_fields
from lut.doubts import process_times_s
from lut.log_ratio import COVERAGE, LogRatio, log_time
from lut.table import Table

Verdict: TypeAlias = Literal["slower", "faster", "same", "unclear"]
"""What became of a row, the second table against the first."""

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

TOLERANCE = 0.02
"""Below this, a difference between two fills of a table on one machine is its daily drift rather than the block."""

_FALSE_DISCOVERIES = 0.05
"""Expected share of false alarms among the rows called faster or slower."""

_LEAST_COMMON_ROWS = 6
"""Fewer ratios have no 95 % interval of their median."""


@dataclass(frozen=True)
class RowDifference:
    """One workload in both tables.

    Attributes:
        workload: what was measured.
        first_s: time in the first table, in seconds.
        second_s: time in the second table, in seconds.
        ratio: second over first, of trimmed geometric means over processes; without the common factor where that was
            taken out.
        interval: 95 % interval of ``ratio``, of this row alone.
        adjusted_p: smallest share of false alarms at which this row is still called faster or slower.
        verdict: what can be said. ``slower`` and ``faster`` have all of ``interval`` beyond the tolerance, ``same`` all
            of it within.
        processes: processes that took the samples, in the table with fewer of them.
    """

    workload: Workload
    first_s: float
    second_s: float
    ratio: float
    interval: tuple[float, float]
    adjusted_p: float
    verdict: Verdict
    processes: int


@dataclass(frozen=True)
class CommonFactor:
    """What all rows have in common: a machine that runs at another clock slows all blocks alike.

    Attributes:
        ratio: median over all rows of second over first. It is what did not change as long as fewer than half of
            the rows did.
        interval: 95 % interval of that median, without assuming a distribution.
    """

    ratio: float
    interval: tuple[float, float]

    def exceeds(self, tolerance: float) -> bool:
        """Whether all of the interval is beyond the tolerance."""
        low, high = self.interval
        return low > 1 + tolerance or high * (1 + tolerance) < 1


@dataclass(frozen=True)
class Difference:
    """What sets a second table apart from a first.

    Attributes:
        rows: the workloads that both measured: those called faster or slower first, the largest change first.
        common: what all rows share; None with fewer than 6 of them.
        relative: whether the common factor was taken out of the rows.
        tolerance: share by which times may differ and still be the same.
        environments: names of the fields in which the environments differ, with both values.
        only_first: workloads that only the first table knows.
        only_second: workloads that only the second knows.
        broken: workloads that the first measured and that failed in the second.
        mended: workloads that failed in the first and that the second measured.
        failed: workloads that failed in both.
    """

    rows: tuple[RowDifference, ...]
    common: CommonFactor | None
    relative: bool
    tolerance: float
    environments: Mapping[str, tuple[str, ...]]
    only_first: tuple[Workload, ...]
    only_second: tuple[Workload, ...]
    broken: tuple[Workload, ...]
    mended: tuple[Workload, ...]
    failed: tuple[Workload, ...]

    def counts(self) -> dict[Verdict, int]:
        """How many rows have each verdict."""
        return {verdict: sum(row.verdict == verdict for row in self.rows) for verdict in VERDICTS}

    @property
    def is_worse(self) -> bool:
        """Whether a row is slower, or fails that did not."""
        return bool(self.broken) or any(row.verdict == "slower" for row in self.rows)


def compare_tables(first: Table, second: Table, *, tolerance: float = TOLERANCE, relative: bool = False) -> Difference:
    """Hold every workload of two tables against each other.

    Args:
        first: what was, rows of one environment.
        second: what is now, rows of one environment, which may be another.
        tolerance: share by which times may differ and still be the same; 0 calls any certain change one.
        relative: take out what all rows have in common, and ask what became faster or slower than the rest.

    Raises:
        WrongUse: a table has no rows or mixes environments, no workload was measured in both, the tolerance is
            negative, or there are too few rows to tell what they have in common.
    """
    if not 0 <= tolerance < 1:
        raise WrongUse(f"A tolerance must be at least 0 % and below 100 %; got {tolerance:.0%}.")
    environments = [first.environment(), second.environment()]
    _refuse_estimated(environments)
    before, after = _by_workload(first), _by_workload(second)
    pairs = _measured_in_both(before, after)
    ratios = [log_time(now).minus(log_time(was)) for was, now in pairs]
    common = _common(ratios)
    if relative:
        ratios = _without(ratios, common)
    return Difference(
        rows=_rows(pairs, ratios, tolerance),
        common=common,
        relative=relative,
        tolerance=tolerance,
        environments=differing_fields(environments),
        only_first=tuple(workload for workload in before if workload not in after),
        only_second=tuple(workload for workload in after if workload not in before),
        broken=_failing(before, after, first=False, second=True),
        mended=_failing(before, after, first=True, second=False),
        failed=_failing(before, after, first=True, second=True),
    )


def _refuse_estimated(environments: Sequence[Environment]) -> None:
    for name, environment in zip(("first", "second"), environments, strict=True):
        if note := nothing_measured(environment):
            raise WrongUse(
                f"Tables are compared by the workloads that both measured, and the {name} one has none. {note} Compare "
                "tables that `profile-device` measured."
            )


def _by_workload(table: Table) -> dict[Workload, Outcome]:
    return {outcome.workload: outcome for outcome in table.values()}


def _measured_in_both(
    before: Mapping[Workload, Outcome], after: Mapping[Workload, Outcome]
) -> list[tuple[Measurement, Measurement]]:
    outcomes = ((outcome, after.get(workload)) for workload, outcome in before.items())
    pairs = [(was, now) for was, now in outcomes if isinstance(was, Measurement) and isinstance(now, Measurement)]
    if not pairs:
        raise WrongUse(
            f"Tables are compared by the workloads that both measured; of the {len(before)} rows of the first and the "
            f"{len(after)} of the second there is none. Measure both with the same --space, --input and --classes; "
            "predictions and estimates are not compared."
        )
    return pairs


def _failing(
    before: Mapping[Workload, Outcome], after: Mapping[Workload, Outcome], *, first: bool, second: bool
) -> tuple[Workload, ...]:
    """The workloads of both tables that failed in the first, or did not, and in the second, or did not."""
    failing = {
        workload: (not isinstance(before[workload], Measurement), not isinstance(after[workload], Measurement))
        for workload in before
        if workload in after
    }
    return tuple(workload for workload, failed in failing.items() if failed == (first, second))


def _common(ratios: Sequence[LogRatio]) -> CommonFactor | None:
    if len(ratios) < _LEAST_COMMON_ROWS:
        return None
    centres = [ratio.centre for ratio in ratios]
    low, high = median_interval(centres)
    return CommonFactor(math.exp(median(centres)), (math.exp(low), math.exp(high)))


def _without(ratios: Sequence[LogRatio], common: CommonFactor | None) -> list[LogRatio]:
    """The ratios without what they have in common, which is itself known only so well.

    The variance of the common factor is added to that of each row. It belongs in part to the row already, so the
    intervals are rather too wide than too narrow.
    """
    if common is None:
        raise WrongUse(
            f"What all rows have in common can be told from at least {_LEAST_COMMON_ROWS} of them; these tables share "
            f"{len(ratios)}. Compare them without taking it out."
        )
    low, high = map(math.log, common.interval)
    deviation = (high - low) / 2 / statistics.NormalDist().inv_cdf((1 + COVERAGE) / 2)
    shift = math.log(common.ratio)
    return [LogRatio(row.centre - shift, row.variance + deviation**2, row.degrees) for row in ratios]


def _rows(
    pairs: Sequence[tuple[Measurement, Measurement]], ratios: Sequence[LogRatio], tolerance: float
) -> tuple[RowDifference, ...]:
    threshold = math.log1p(tolerance)
    adjusted = adjusted_p_values([ratio.p_beyond(threshold) for ratio in ratios])
    rows = [_row(was, now, ratio, p, threshold) for (was, now), ratio, p in zip(pairs, ratios, adjusted, strict=True)]
    return tuple(sorted(rows, key=lambda row: (_RANKS[row.verdict], -abs(math.log(row.ratio)))))


_RANKS: Mapping[Verdict, int] = {"slower": 0, "faster": 0, "unclear": 1, "same": 2}
"""The order in which rows are looked at."""


def _row(was: Measurement, now: Measurement, ratio: LogRatio, adjusted_p: float, threshold: float) -> RowDifference:
    low, high = ratio.interval()
    return RowDifference(
        workload=was.workload,
        first_s=was.time_s,
        second_s=now.time_s,
        ratio=math.exp(ratio.centre),
        interval=(math.exp(low), math.exp(high)),
        adjusted_p=adjusted_p,
        verdict=_verdict(ratio, adjusted_p, threshold),
        processes=min(len(process_times_s(was)), len(process_times_s(now))),
    )


def _verdict(ratio: LogRatio, adjusted_p: float, threshold: float) -> Verdict:
    if adjusted_p <= _FALSE_DISCOVERIES:
        return "slower" if ratio.centre > 0 else "faster"
    low, high = ratio.interval()
    return "same" if -threshold <= low and high <= threshold else "unclear"


def adjusted_p_values(p_values: Sequence[float]) -> list[float]:
    """For each claim the smallest share of false alarms at which it is still made.

    Benjamini and Hochberg (1995), equation 1, turned around: the k-th smallest of n is multiplied by n / k, and none is
    larger than those that follow it. Holds for independent claims, and for those that rise and fall together
    (Benjamini and Yekutieli, The control of the false discovery rate under dependency, Annals of Statistics 29, 2001),
    as rows do that one process measured.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__, reverse=True)
    adjusted, least = [1.0] * len(p_values), 1.0
    for rank, index in zip(range(len(p_values), 0, -1), order, strict=True):
        least = min(least, p_values[index] * len(p_values) / rank)
        adjusted[index] = least
    return adjusted
