"""From somebody else's file to rows of a table. Nothing dirty gets in, and nothing is left out without a word."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from devices import WrongUse
from latency import Environment, Estimate, Failure, Source
from lut.foreign.contract import UNTAKEN, ForeignRow, Format, Problem, Tell
from lut.foreign.judging import NoTimeError, estimate_of, is_failure_mark
from lut.foreign.origins import Origin, Statement
from lut.rows import Key, Unmeasured
from lut.table import IMPORTED, Table
from lut.table_file import TableWriter

_LEAST_WHOLE = 3
"""So many times that are all whole are no chance."""

_WHOLE_TOLERANCE = 1e-9
"""Seconds are not exact: a time is whole when it is within this of a whole number of units."""

_UNIFORM = math.sqrt(12)
"""A clock of step r is off by a standard deviation of r / sqrt(12), because its error is uniform over one step."""

_SAME = 1e-9
"""Times within this of each other, relatively, are the same: milliseconds and variances are rounded when written."""

_EXAMPLES = 3

_MARK = "its time is -1, the mark of a failed profiling"


@dataclass(frozen=True)
class Imported:
    """What a file gave.

    Attributes:
        format: name of its format.
        rows: the good times.
        failures: rows that say that there is no time.
        problems: rows that were refused, or kept as a failure because of a mark, each with the reason.
        origins: where the times come from, one for each environment.
        resolution_s: the step of the clock, where all times are whole multiples of it; it is in their deviations.
    """

    format: str
    rows: tuple[Unmeasured, ...]
    failures: tuple[Failure, ...]
    problems: tuple[Problem, ...]
    origins: tuple[Origin, ...]
    resolution_s: float | None = None

    def unknown(self) -> tuple[str, ...]:
        """What is not known of the origin of some row, in words."""
        return tuple(dict.fromkeys(word for origin in self.origins for word in origin.unknown()))


class Stored(NamedTuple):
    """What became of the rows of a file.

    Attributes:
        written: how many are new, and were written.
        known: how many the table has already.
        refused: how many say otherwise than the table, which knows better: what was tried here goes before what others
            report, a reported time before one that nobody took, and any time before a failure that others report.
    """

    written: int
    known: int
    refused: int


_Standing: TypeAlias = Literal["new", "known", "refused"]


_Kept: TypeAlias = Unmeasured | Failure

_Environments: TypeAlias = Mapping[int, Environment]
"""The environment of each origin, by the origin's identity: rows share theirs, and digests take time."""


def read_foreign(
    path: Path,
    form: Format,
    statement: Statement,
    tell: Tell = lambda done, of: None,
    others: Collection[Format] = (),
) -> Imported:
    """Read a file of times that somebody else measured.

    Args:
        path: the file.
        form: its format.
        statement: what the user says of its origin.
        tell: is told how far the reading is.
        others: formats whose keys may have strayed into the file.

    Returns:
        Good rows, failures, and what is wrong with the others. Of repeated keys none is taken where their times
        differ, because nothing tells which is right.

    Raises:
        WrongUse: it cannot be read, or no row of it is good.
    """
    found = list(form.read(path, statement, tell))
    read = [row for row in found if isinstance(row, ForeignRow)]
    origins = {id(row.origin): row.origin for row in read}
    environments = {number: origin.environment() for number, origin in origins.items()}
    repeats = _repeats(read, environments)
    problems, kept = list[Problem](), list[_Kept]()
    for row in found:
        problem = _explained(row, others) if isinstance(row, Problem) else _problem(row, repeats, form.per_s)
        if problem is not None:
            problems.append(problem)
        if isinstance(row, ForeignRow) and (problem is None or problem.reason == _MARK):
            kept.append(_kept(row, environments[id(row.origin)], form.per_s))
    rows = [row for row in kept if isinstance(row, Unmeasured)]
    if not rows:
        raise WrongUse(_nothing_good(path, form, problems))
    resolution_s = _resolution_s(rows, form.per_s)
    return Imported(
        form.name,
        tuple(_coarse(row, resolution_s) for row in rows),
        tuple(row for row in kept if isinstance(row, Failure)),
        tuple(problems),
        tuple({environments[number].digest: origin for number, origin in origins.items()}.values()),
        resolution_s,
    )


def store(imported: Imported, writer: TableWriter, tell: Tell = lambda done, of: None) -> Stored:
    """Write what a file gave to a table. What the table knows better keeps its row, and no row is written twice.

    Args:
        imported: what a file gave.
        writer: the open table.
        tell: is told how far the writing is.

    Raises:
        OSError: the disk is full or gone.
    """
    table = writer.table
    times = [(row, _standing_of_time(table, row)) for row in imported.rows]
    failures = [(failure, _standing_of_failure(table, failure)) for failure in imported.failures]
    writer.add_estimates(row for row, standing in times if standing == "new")
    new = [failure for failure, standing in failures if standing == "new"]
    for number, failure in enumerate(new, 1):
        writer.append(failure)  # Waits for the disk, each time.
        tell(number, len(new))
    counts = Counter(standing for _, standing in (*times, *failures))
    return Stored(counts["new"], counts["known"], counts["refused"])


def _explained(problem: Problem, others: Collection[Format]) -> Problem:
    """The problem with the format that an unknown key belongs to, if any."""
    owner = next((form.name for form in others if problem.key and form.has_key(problem.key)), None)
    return problem if owner is None else replace(problem, reason=f"{problem.reason}; it looks like a key of {owner}")


def _problem(row: ForeignRow, repeats: Mapping[int, str], per_s: int) -> Problem | None:
    """What is wrong with a row; None when nothing is."""
    if id(row) in repeats:
        return Problem(row.where, repeats[id(row)])
    if row.failed is not None:
        return None
    if is_failure_mark(row):
        return Problem(row.where, _MARK)
    try:
        estimate_of(row, per_s)
    except NoTimeError as error:
        return Problem(row.where, str(error))
    return None


def _kept(row: ForeignRow, environment: Environment, per_s: int) -> _Kept:
    failed = row.failed or ((IMPORTED, _MARK) if is_failure_mark(row) else None)
    if failed is not None:
        return Failure(row.workload, environment, *failed, datetime.now(UTC).isoformat(timespec="seconds"))
    return Unmeasured(row.workload, environment, estimate_of(row, per_s))


def _repeats(rows: Sequence[ForeignRow], environments: _Environments) -> dict[int, str]:
    """Why rows are refused whose workload occurs more than once in its environment, by the row's identity."""
    groups: dict[Key, list[ForeignRow]] = {}
    for row in rows:
        key = Key(row.workload.digest, environments[id(row.origin)].digest)
        groups.setdefault(key, []).append(row)
    return {number: why for group in groups.values() if len(group) > 1 for number, why in _why(group).items()}


def _why(group: Sequence[ForeignRow]) -> dict[int, str]:
    if len({(str(row.time), str(row.deviation)) for row in group}) == 1:
        return {id(row): f"it repeats {group[0].where}, with the same time" for row in group[1:]}
    times = " and ".join(str(row.time) for row in group[:_EXAMPLES])
    return {id(row): f"it is there {len(group)} times, with different times ({times}); none is taken" for row in group}


def _resolution_s(rows: Sequence[Unmeasured], per_s: int) -> float | None:
    """The step of the clock, where all reported times are whole units; None where they are not."""
    times = [row.estimate.mean_s * per_s for row in rows]
    is_whole = all(abs(time - round(time)) < _WHOLE_TOLERANCE * max(1.0, time) for time in times)
    return 1 / per_s if is_whole and len(times) >= _LEAST_WHOLE else None


def _coarse(row: Unmeasured, resolution_s: float | None) -> Unmeasured:
    """The row with the clock's resolution in its deviation, which is all of it where the file tells none."""
    if resolution_s is None:
        return row
    known_s = row.estimate.standard_deviation_s
    deviation_s = math.hypot(0.0 if math.isnan(known_s) else known_s, resolution_s / _UNIFORM)
    return row._replace(estimate=replace(row.estimate, standard_deviation_s=deviation_s))


def _standing_of_time(table: Table, row: Unmeasured) -> _Standing:
    known = table.estimate(row.workload, row.environment)
    if known is not None and _is_same(known, row.estimate):
        return "known"
    is_less = known is not None and known.source == "reported" and row.estimate.source in UNTAKEN
    return "refused" if is_less or not table.takes(row) else "new"


def _standing_of_failure(table: Table, failure: Failure) -> _Standing:
    if not table.is_known(failure.workload, failure.environment):
        return "new"
    return "known" if isinstance(table.outcome(failure.workload, failure.environment), Failure) else "refused"


def _is_same(one: Estimate, other: Estimate) -> bool:
    """Whether two say the same, whoever took the time; one that nobody took is another than one that was."""
    return (
        _who(one) == _who(other)
        and math.isclose(one.mean_s, other.mean_s, rel_tol=_SAME)
        and _is_same_deviation(one.standard_deviation_s, other.standard_deviation_s)
    )


def _who(known: Estimate) -> tuple[Source | None, bool]:
    """What tells a time that nobody took from others."""
    return known.source if known.source in UNTAKEN else None, known.is_inside


def _is_same_deviation(one_s: float, other_s: float) -> bool:
    """Unlike NaN, what nobody knows is the same as what nobody knows."""
    return (math.isnan(one_s) and math.isnan(other_s)) or math.isclose(one_s, other_s, rel_tol=_SAME)


def _nothing_good(path: Path, form: Format, problems: Sequence[Problem]) -> str:
    listed = "".join(f"\n  {problem.where}: {problem.reason}" for problem in problems[:_EXAMPLES])
    more = f"\n  and {len(problems) - _EXAMPLES} more" if len(problems) > _EXAMPLES else ""
    return f"{path} has no row with a time, read as {form.name}.{listed}{more}\nMend it, or name another --format."
