"""Whether a table can be trusted: what speaks against its rows, how many of them, and what to do about it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from latency import Z95, Environment, Failure, Measurement, Outcome, Source, is_network
from lut.doubts import DOUBTS, Doubt
from lut.lookup import misfit
from lut.rows import Unmeasured
from lut.table import Table

_Row = TypeVar("_Row", bound=Outcome)

_MOST_EXAMPLES = 3

_TOLERATED = 0.05
"""Share of doubtful rows that a table may have: a network is a sum of dozens of rows, and outlives a bad one."""

_TOLERATED_FAILURES = 0.5
"""Share of failures: that a runtime refuses a kind of block is an answer; that it refuses most of them is not."""

_LONG_AGO = timedelta(days=180)
"""Kernel, firmware and dust change within half a year without any version saying so."""

_LONG_TIME = timedelta(days=14)
"""Rows that lie further apart saw the machine in different states."""

_NO_CAUSE_OF_DIFFERENCE = ("memory_bytes",)
"""Fields that are no part of an environment's digest."""


@dataclass(frozen=True)
class Example:
    """A row that a concern is about, or a field when it is about the whole table.

    Attributes:
        subject: description of the workload, or name of the field.
        detail: what is wrong with it, in words.
    """

    subject: str
    detail: str


@dataclass(frozen=True)
class Concern:
    """One kind of thing that speaks against a table.

    Attributes:
        kind: a few words, the same for every table.
        meaning: what follows from it, in words.
        count: rows it is true of.
        of: rows it could be true of.
        is_serious: whether the table should not be trusted because of it.
        examples: the worst cases, the worst first.
        advice: what to do about it, in sentences; before ``command`` where there is one.
        command: what to run then; empty when no command mends it.
    """

    kind: str
    meaning: str
    count: int
    of: int
    is_serious: bool
    examples: tuple[Example, ...]
    advice: str
    command: str = ""


@dataclass(frozen=True)
class Findings:
    """What a check found.

    Attributes:
        measured: rows with a time.
        failed: rows without.
        unmeasured: rows with a time that was predicted, reported, or estimated from peak figures.
        concerns: what speaks against the table, serious ones first, then by the number of rows.
    """

    measured: int
    failed: int
    unmeasured: int
    concerns: tuple[Concern, ...]

    @property
    def is_trusted(self) -> bool:
        """Whether nothing serious was found."""
        return not any(concern.is_serious for concern in self.concerns)


class _Group(NamedTuple):
    """Rows that one command measures: those of blocks, or those of whole networks."""

    suffix: str
    networks: bool
    failures_mean: str
    command: str

    def of(self, outcomes: Iterable[_Row]) -> list[_Row]:
        """Those of the outcomes that belong to it."""
        return [outcome for outcome in outcomes if is_network(outcome.workload) is self.networks]


def _groups(command: str, calibrate_command: str) -> tuple[_Group, _Group]:
    return (
        _Group("", False, "blocks that could not be timed are in no network that a search proposes", command),
        _Group(
            " (whole networks)",
            True,
            "networks that could not be timed teach nothing of their blocks",
            calibrate_command,
        ),
    )


def check(
    table: Table,
    *,
    now: datetime,
    installed: Mapping[str, str] = {},
    command: str = "profile-device",
    calibrate_command: str = "paceline table calibrate",
) -> Findings:
    """Look for everything that speaks against a table.

    A doubt is serious when more than one measurement in twenty has it, failures when they are more than half of the
    rows; age is never, because what to make of it depends on the machine.

    Args:
        table: what to check.
        now: time of the check, with its zone.
        installed: version of each package as it is now where the rows come from; what is not known is left out.
        command: the command that filled the table, without ``--again``.
        calibrate_command: the command that measures whole networks for it, without ``--again``.
    """
    outcomes = tuple(table.values())
    measurements = tuple(outcome for outcome in outcomes if isinstance(outcome, Measurement))
    groups = _groups(command, calibrate_command)
    concerns = [
        *_emptiness(table, command),
        *_mixture([row.environment for row in (*outcomes, *table.unmeasured())]),
        *_staleness([row.environment for row in (*outcomes, *table.unmeasured())], installed),
        *_failures(outcomes, len(outcomes) + _reported(table), groups),
        *(concern for doubt in DOUBTS for concern in _doubtful(doubt, measurements, groups)),
        *_governors(measurements, command),
        *_ages(outcomes, now),
        *_time_span(outcomes, command),
        *_unknown_operators(table),
        *_unmeasured(table, command),
    ]
    concerns.sort(key=lambda concern: (not concern.is_serious, -concern.count))
    failed = len(outcomes) - len(measurements)
    return Findings(len(measurements), failed, len(table.unmeasured()), tuple(concerns))


def differing_fields(environments: Sequence[Environment]) -> dict[str, tuple[str, ...]]:
    """The fields that not all environments agree on, each with its value in every one of them, in words."""
    flat = [dict(_leaves(environment.to_json())) for environment in environments]
    names = sorted({name for fields in flat for name in fields}.difference(_NO_CAUSE_OF_DIFFERENCE))
    values = {name: tuple(str(fields.get(name, "none")) for fields in flat) for name in names}
    return {name: seen for name, seen in values.items() if len(set(seen)) > 1}


def _leaves(values: Mapping[str, Any], group: str = "") -> Iterator[tuple[str, Any]]:
    """Names and values of a nested mapping. A name that says nothing on its own gets its group's."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, name)
        else:
            yield (f"{group} {name}" if name in {"name", "kind"} else name), "unknown" if value is None else value


def _emptiness(table: Table, command: str) -> Iterator[Concern]:
    if not table and not table.unmeasured():
        yield Concern("no rows", "there is nothing to look up", 0, 0, True, (), "Fill the table.", command)


def _reported(table: Table) -> int:
    """Rows that were not tried here because somebody else did; predictions rest on what was tried and add nothing."""
    return sum(row.estimate.source == "reported" for row in table.unmeasured())


def _mixture(found: Sequence[Environment]) -> Iterator[Concern]:
    rows = Counter(environment.digest for environment in found)
    environments = list({environment.digest: environment for environment in found}.values())
    if len(environments) > 1:
        counts = [rows[environment.digest] for environment in environments]
        fields = differing_fields(environments)
        yield Concern(
            kind="mixed environments",
            meaning="times of different devices and runtimes do not add up, so nothing looks them up together",
            count=len(found) - max(counts),
            of=len(found),
            is_serious=True,
            examples=tuple(Example(name, _values_in_words(values, counts)) for name, values in fields.items()),
            advice="Fill one table for each, with `profile-device --out`.",
        )


def _values_in_words(values: Sequence[str], counts: Sequence[int]) -> str:
    """``1.20 in 130 rows, 1.23 in 9 rows``."""
    rows = Counter[str]()
    for value, count in zip(values, counts, strict=True):
        rows[value] += count
    return ", ".join(f"{value} in {count} row{'s' * (count != 1)}" for value, count in rows.most_common())


def _staleness(found: Sequence[Environment], installed: Mapping[str, str]) -> Iterator[Concern]:
    versions = [environment.runtime.versions.items() for environment in found]
    changed = [[(name, was) for name, was in row if installed.get(name, was) != was] for row in versions]
    if any(changed):
        rows = Counter(pair for row in changed for pair in row)
        yield Concern(
            kind="other versions",
            meaning="with what is installed now, blocks may take another time, and no row can be added",
            count=sum(map(bool, changed)),
            of=len(found),
            is_serious=True,
            examples=tuple(
                Example(name, f"measured with {was}, installed is {installed[name]}")
                for (name, was), _ in rows.most_common()
            ),
            advice="Fill another table with `profile-device --out`, or install what these were measured with.",
        )


def _failures(outcomes: Sequence[Outcome], rows: int, groups: Iterable[_Group]) -> Iterator[Concern]:
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    for group in groups:
        if found := group.of(failures):
            reasons = Counter((failure.stage, failure.reason) for failure in found)
            first = {(failure.stage, failure.reason): failure.workload for failure in reversed(found)}
            yield Concern(
                kind=f"failures{group.suffix}",
                meaning=group.failures_mean,
                count=len(found),
                of=rows,
                is_serious=len(failures) > _TOLERATED_FAILURES * rows,
                examples=tuple(
                    Example(first[stage, reason].describe(), f"{count} failed at {stage}: {reason}")
                    for (stage, reason), count in reasons.most_common(_MOST_EXAMPLES)
                ),
                advice="Mend the cause, then try these again.",
                command=f"{group.command} --again failed",
            )


def _doubtful(doubt: Doubt, measurements: Sequence[Measurement], groups: Iterable[_Group]) -> Iterator[Concern]:
    rows = sorted((m for m in measurements if doubt.strength(m) > 0), key=doubt.strength, reverse=True)
    for group in groups:
        if found := group.of(rows):
            # Only when it is asked for does the command for networks go on with those that it would not choose itself.
            option = " --again doubtful" if group.networks else doubt.option
            yield Concern(
                kind=doubt.kind + group.suffix,
                meaning=doubt.meaning,
                count=len(found),
                of=len(measurements),
                is_serious=len(rows) > _TOLERATED * len(measurements),
                examples=tuple(Example(m.workload.describe(), doubt.detail(m)) for m in found[:_MOST_EXAMPLES]),
                advice=doubt.advice,
                command=group.command + option,
            )


def _governors(measurements: Sequence[Measurement], command: str) -> Iterator[Concern]:
    seen = [{burst.before.governor for burst in m.bursts if burst.before.governor} for m in measurements]
    rows = Counter(governor for governors in seen for governor in governors)
    if len(rows) > 1:
        usual, _ = rows.most_common(1)[0]
        others = sum(bool(governors - {usual}) for governors in seen)
        yield Concern(
            kind="frequency governors",
            meaning="a processor runs at other clocks under another governor",
            count=others,
            of=len(measurements),
            is_serious=others > _TOLERATED * len(measurements),
            examples=tuple(Example(governor, f"{count} rows") for governor, count in rows.most_common(_MOST_EXAMPLES)),
            advice="Choose one of them, then measure all again.",
            command=f"{command} --again all",
        )


def _ages(outcomes: Sequence[Outcome], now: datetime) -> Iterator[Concern]:
    old = [(when, outcome) for when, outcome in _dated(outcomes) if now - when > _LONG_AGO]
    if old:
        yield Concern(
            kind="measured long ago",
            meaning=f"in {_LONG_AGO.days} days a machine changes without any version saying so",
            count=len(old),
            of=len(outcomes),
            is_serious=False,
            examples=(Example(old[0][1].workload.describe(), f"the oldest, on {old[0][0]:%Y-%m-%d}"),),
            advice="Fill another table, and `paceline table diff` says what changed.",
        )


def _time_span(outcomes: Sequence[Outcome], command: str) -> Iterator[Concern]:
    dates = [when for when, _ in _dated(outcomes)]
    if dates and dates[-1] - dates[0] > _LONG_TIME:
        yield Concern(
            kind="measured over a long time",
            meaning="rows saw the machine in different states, and what changed is in no interval",
            count=len(dates),
            of=len(outcomes),
            is_serious=False,
            examples=(Example("all rows", f"from {dates[0]:%Y-%m-%d} to {dates[-1]:%Y-%m-%d}"),),
            advice="Where some per cent matter, measure all again in one go.",
            command=f"{command} --again all",
        )


def _dated(outcomes: Sequence[Outcome]) -> list[tuple[datetime, Outcome]]:
    """The rows with the times they were measured at, oldest first; without those that tell no time."""
    dated = [(when, outcome) for outcome in outcomes if (when := _when(outcome.measured_at)) is not None]
    return sorted(dated, key=lambda row: row[0])


def _when(text: str) -> datetime | None:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _unknown_operators(table: Table) -> Iterator[Concern]:
    rows = [row.workload for row in (*table.values(), *table.unmeasured())]
    unknown = [(workload, why) for workload in rows if (why := misfit(workload))]
    if unknown:
        yield Concern(
            kind="unknown operators",
            meaning="no search space asks for these rows, so they are never looked up",
            count=len(unknown),
            of=len(rows),
            is_serious=False,
            examples=tuple(Example(workload.describe(), why) for workload, why in unknown[:_MOST_EXAMPLES]),
            advice="They do no harm. A paceline that knows the operator can still use them.",
        )


_NOT_MEASURED: Mapping[Source, tuple[str, str]] = {
    "predicted": (
        "a model that learned from the measured rows says so, and may be wrong by its interval",
        "Measure them where the difference matters.",
    ),
    "reported": (
        "somebody else measured them, on a device that may differ from yours in ways that nobody wrote down",
        "Measure your own device with `profile-device` before you build on them.",
    ),
    "roofline": (
        "nothing was measured: the times come from peak figures of the device, and may all be off by the same factor",
        "Measure the device, into another table: `paceline targets add`, then `profile-device` without --estimate.",
    ),
}
"""What it means that a time was not measured here, and what to do about it."""

_KINDS: Mapping[Source, str] = {"roofline": "estimated from peak figures"}


def _unmeasured(table: Table, command: str) -> Iterator[Concern]:
    """Times that were predicted or reported: no fault, but to be known of. From peak figures, none is trusted."""
    rows = table.unmeasured()
    for source, (meaning, advice) in _NOT_MEASURED.items():
        found = sorted((row for row in rows if row.estimate.source == source), key=_unsureness, reverse=True)
        if found:
            examples = [Example(row.workload.describe(), _doubt_in_words(row)) for row in found[:_MOST_EXAMPLES]]
            yield Concern(
                kind=_KINDS.get(source, source),
                meaning=meaning,
                count=len(found),
                of=len(table) + len(rows),
                is_serious=source == "roofline",
                examples=tuple(examples),
                advice=advice,
                command=command if source == "predicted" else "",
            )


def _unsureness(row: Unmeasured) -> tuple[bool, float]:
    """Extrapolations first, then by the share of the time that is in doubt; not known is most."""
    share = row.estimate.standard_deviation_s / row.estimate.mean_s if row.estimate.mean_s else 0.0
    return not row.estimate.is_inside, math.inf if math.isnan(share) else share


def _doubt_in_words(row: Unmeasured) -> str:
    if row.estimate.source == "roofline" and not math.isnan(row.estimate.standard_deviation_s):
        low_s, high_s = row.estimate.interval_s
        return f"its 95 % interval is {low_s * 1e3:.2g} to {high_s * 1e3:.2g} ms"
    outside, share = _unsureness(row)
    words = "how sure it is, is not known" if math.isinf(share) else f"its 95 % interval is +-{Z95 * share:.0%}"
    return f"{words}, and it is unlike everything that was measured" if outside else words
