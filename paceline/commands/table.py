"""``paceline table``: look at tables, question them, compare and mend them."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from devices import NotAvailable, read_timed_device
from latency import Environment, Workload, known_profilers, nothing_measured
from lut import TOLERANCE, CommonFactor, Concern, Difference, RowDifference, Table, check, compare_tables, repair
from paceline.commands.doctor import installed_versions
from paceline.commands.foreign import export_table, import_table
from paceline.commands.table_rows import row_json, show_rows, sorted_rows
from paceline.commands.transfer import transfer
from paceline.options import Json, place_words
from paceline.screen import share, show_json, show_table
from paceline.short_names import short_names

table = typer.Typer(help="Look at latency tables, question, compare and mend them.", no_args_is_help=True)
table.command("import")(import_table)
table.command("export")(export_table)
table.command()(transfer)

TableFile = Annotated[Path, typer.Argument(help="A table, as profile-device fills it.")]

_MOST_ROWS = 20
"""Rows of a difference that are printed unless all are asked for."""


@table.command()
def show(
    path: TableFile,
    sort: Annotated[str, typer.Option("--sort", help="name, or time: the slowest first.")] = "name",
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Print that many rows. (default: all)")] = None,
    as_json: Json = False,
) -> None:
    """List the rows of a table: what was measured where, how fast, how sure, and what speaks against the numbers.

    A time is the median over bursts, and its interval the spread between them: the larger side, as a share of the time.
    MiB and mJ are memory and energy of one call, where the runtime tells. Times that were predicted, reported by
    somebody else, or estimated from peak figures of the device (roofline), where nothing was measured, say so, and
    predictions of blocks unlike all that was measured say that, too. What all rows of an
    operator have in common is said once, below the table, and so is what speaks against the rows.

    Example, the ten slowest blocks: paceline table show tables/local.jsonl --sort time --limit 10
    """
    read = Table.read(path)
    everything = sorted_rows(read, sort)
    rows = everything[:limit]
    if as_json:
        show_json([row_json(row) for row in rows])
        return
    _show_environments(read)
    show_rows(str(path), rows)
    if len(rows) < len(everything):
        print(f"{len(everything) - len(rows)} more rows: leave out --limit {limit}")
    _show_remarks(read, path)


@table.command("check")
def check_table(path: TableFile, as_json: Json = False) -> None:
    """Say whether a table should be trusted, what speaks against it, and the command that mends it.

    Looks for wide intervals, samples thrown away, rows of a single process, load and throttling while measuring,
    unfinished rows, failures, mixed devices and runtimes, versions other than those installed now, old rows, and
    operators that nothing knows any more. A few doubtful rows are noted; more than one in twenty are serious.

    Ends with 0 when nothing is serious and with 1 when the table should not be trusted, so that a script can ask.

    Example: paceline table check tables/local.jsonl && paceline search --table tables/local.jsonl --limit 30ms
    """
    read = Table.read(path)
    command = _fill_command(path, read.environments())
    findings = check(
        read,
        now=datetime.now(UTC),
        installed=_installed(read.environments()),
        command=command,
        calibrate_command=_calibrate_command(path, read.environments()),
    )
    if as_json:
        show_json({"table": str(path), "trusted": findings.is_trusted, **asdict(findings)})
    else:
        print(f"{path}: {findings.measured} measured, {findings.failed} failed{_unmeasured_in_words(read)}")
        _show_environments(read)
        for concern in findings.concerns:
            _show_concern(concern)
        if any(concern.command for concern in findings.concerns):
            print(
                "\nTo each command belong the --space, --input and --classes that the table was filled with, "
                "and --interval and --rounds where it was: with more rounds, all rows that profit get them."
            )
        serious = sum(concern.is_serious for concern in findings.concerns)
        print(f"\nThe table should not be trusted ({serious} serious)." if serious else "\nNothing serious.")
    raise typer.Exit(0 if findings.is_trusted else 1)


@table.command("diff")
def diff_tables(
    first: Annotated[Path, typer.Argument(metavar="A", help="What was.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="What is now.")],
    tolerance: Annotated[
        float,
        typer.Option("--tolerance", parser=share, metavar="PERCENT", help="Times that differ by less are the same."),
    ] = f"{TOLERANCE:.0%}",  # type: ignore[assignment]  # typer parses a default as it parses what is typed
    relative: Annotated[
        bool, typer.Option("--relative", help="Take out what all rows have in common, such as another clock.")
    ] = False,
    show_all: Annotated[bool, typer.Option("--all", help="Print every row, not only those that differ most.")] = False,
    as_json: Json = False,
) -> None:
    """Compare two tables row by row: which blocks are faster or slower in B than in A?

    A row is slower (or faster) when its 95 % interval of B / A lies beyond the tolerance, the same when the interval
    lies within, and unclear otherwise: then measure it longer. Among many rows some differ by chance, so rows are
    called slower or faster such that at most 5 % of them are expected to be false alarms (Benjamini and Hochberg).

    What all rows have in common is said apart: a machine at another clock slows all blocks alike.

    Ends with 1 when a row is slower, or fails in B and did not in A, and with 0 otherwise; unclear rows do not count.

    Example, after an upgrade: paceline table diff tables/before.jsonl tables/after.jsonl --tolerance 5%
    """
    difference = compare_tables(Table.read(first), Table.read(second), tolerance=tolerance, relative=relative)
    if as_json:
        show_json(_difference_json(difference))
    else:
        print(f"A: {first}\nB: {second}")
        _show_difference(difference)
        _show_changed_rows(difference, show_all=show_all)
    raise typer.Exit(1 if difference.is_worse else 0)


@table.command("repair")
def repair_table(path: TableFile) -> None:
    """Move lines that are no rows to FILE.rejected and keep the rest."""
    kept, moved = repair(path)
    where = f" to {path}.rejected; run profile-device again to measure what they held" if moved else ""
    print(f"{path}: {kept} rows kept, {moved} lines moved{where}")


def _show_environments(read: Table) -> None:
    """Where the rows come from, and which of them nobody measured."""
    for environment in read.environments():
        print(environment.describe())
        if note := nothing_measured(environment):
            print(note)


def _unmeasured_in_words(read: Table) -> str:
    counts = Counter(row.estimate.source for row in read.unmeasured())
    return "".join(f", {count} {_UNMEASURED.get(source, source)}" for source, count in sorted(counts.items()))


_UNMEASURED: Mapping[str, str] = {"roofline": "estimated from peak figures"}
"""Sources whose names are no words for what was done."""

_LOOKS = {"failed": "red", "slower": "red", "faster": "green", "unclear": "yellow"}


def _show_remarks(read: Table, path: Path) -> None:
    """What speaks against the rows, a line for each kind."""
    findings = check(read, now=datetime.now(UTC))
    for concern in findings.concerns:
        worst = f": {concern.examples[0].detail}" if concern.examples else ""
        print(f"{concern.count} of {concern.of} {concern.kind}{worst}")
    if findings.concerns:
        print(f"`paceline table check {shlex.quote(str(path))}` says which, and what to do about it.")


def _show_concern(concern: Concern) -> None:
    label = "SERIOUS" if concern.is_serious else "note"
    print(f"\n{label}: {concern.kind}, {concern.count} of {concern.of} rows")
    print(f"  {concern.meaning[0].upper()}{concern.meaning[1:]}.")
    for example in concern.examples:
        print(f"  - {example.subject}: {example.detail}")
    print(f"  {concern.advice}")
    if concern.command:
        print(f"    {concern.command}")


def _fill_command(path: Path, environments: Sequence[Environment]) -> str:
    """The command that filled a table, as far as its rows tell."""
    words = place_words(environments[0], path) if len(environments) == 1 else []
    return shlex.join(["profile-device", *words, "--out", str(path)])


def _calibrate_command(path: Path, environments: Sequence[Environment]) -> str:
    """The command that measured whole networks for a table, as far as its rows tell."""
    words = place_words(environments[0], path) if len(environments) == 1 else []
    return shlex.join(["paceline", "table", "calibrate", str(path), *words])


def _is_here(environment: Environment) -> bool:
    """Whether an environment's device is in this machine."""
    try:
        here = read_timed_device("cuda" if environment.device.kind == "cuda" else "cpu")
    except NotAvailable:
        return False
    return here.fingerprint == environment.device.fingerprint


def _installed(environments: Iterable[Environment]) -> dict[str, str]:
    """Versions that the runtimes would record now, where the rows come from this machine.

    The runtimes are asked themselves: what they name need not be a package (a driver, a CUDA). One that cannot be
    opened tells none.
    """
    kinds = known_profilers()
    found = dict[str, str]()
    for environment in environments:
        kind = kinds.get(environment.runtime.name)
        if kind is not None and _is_here(environment):
            found |= installed_versions(kind, environment.device)
    return found


def _difference_json(difference: Difference) -> dict[str, Any]:
    return {
        "counts": difference.counts(),
        "common": None if difference.common is None else asdict(difference.common),
        "relative": difference.relative,
        "tolerance": difference.tolerance,
        "worse": difference.is_worse,
        "environments": difference.environments,
        **{name: [w.to_json() for w in getattr(difference, name)] for name in _ONE_SIDED},
        "rows": [{**vars(row), "workload": row.workload.to_json()} for row in difference.rows],
    }


_ONE_SIDED: Mapping[str, str] = {
    "broken": "measured in A, failed in B",
    "mended": "failed in A, measured in B",
    "failed": "failed in both",
    "only_first": "only in A",
    "only_second": "only in B",
}
"""Workloads that cannot be compared, and why."""


def _show_difference(difference: Difference) -> None:
    for name, (first, second) in difference.environments.items():
        print(f"{name}: {first} in A, {second} in B")
    counts = ", ".join(f"{count} {verdict}" for verdict, count in difference.counts().items())
    print(f"{len(difference.rows)} common rows, the same within {difference.tolerance * 100:g} %: {counts}")
    if difference.common is not None:
        print(_common_in_words(difference.common, difference))
    for name, why in _ONE_SIDED.items():
        workloads = getattr(difference, name)
        if workloads:
            print(_workloads_in_words(workloads, why))
    lonely = sum(row.processes == 1 for row in difference.rows)
    if lonely:
        print(
            f"{lonely} rows rest on a single process in A or B. Processes differ by more than the samples of one do, "
            "so these intervals are too narrow and a change may be none."
        )


def _common_in_words(common: CommonFactor, difference: Difference) -> str:
    low, high = common.interval
    words = f"common factor B / A: {common.ratio:.3f} ({low:.3f} to {high:.3f})"
    if difference.relative:
        return f"{words}, taken out below"
    if common.exceeds(difference.tolerance):
        return f"{words}: all rows alike, so rather another clock than other blocks; --relative takes it out"
    return words


def _workloads_in_words(workloads: Sequence[Workload], why: str) -> str:
    more = f" and {len(workloads) - 1} more" if len(workloads) > 1 else ""
    return f"{why}: {workloads[0].describe()}{more}"


def _show_changed_rows(difference: Difference, *, show_all: bool) -> None:
    rows = difference.rows if show_all else [row for row in difference.rows if row.verdict != "same"][:_MOST_ROWS]
    if rows:
        names = short_names(row.workload for row in difference.rows)
        columns = ("workload", "A (ms)", "B (ms)", "B / A", "95 % interval", "verdict")
        show_table(
            "rows that differ most", columns, [(names.of[row.workload], *_cells(row)) for row in rows], looks=_LOOKS
        )
        if legend := names.legend():
            print(legend)
    if len(rows) < len(difference.rows):
        print(f"{len(difference.rows) - len(rows)} more rows: --all")


def _cells(row: RowDifference) -> tuple[str, ...]:
    low, high = row.interval
    return (
        f"{row.first_s * 1e3:.3g}",
        f"{row.second_s * 1e3:.3g}",
        f"{row.ratio:.3f}",
        f"{low:.3f} to {high:.3f}",
        row.verdict,
    )
