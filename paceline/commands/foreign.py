"""``paceline table import`` and ``paceline table export``: tables of other people's tools."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from devices import NoAnswer, WrongUse
from latency import PRECISION_BYTES, Environment, Workload, nothing_measured
from lut import (
    COLUMNS,
    FORMATS,
    Exported,
    Imported,
    Problem,
    Statement,
    Stored,
    Table,
    appending,
    find_format,
    format_of,
    read_foreign,
    store,
    write_foreign,
)
from paceline.options import Json
from paceline.screen import Bar, progress_bar, show_json

_MOST_LINES = 20
"""Rows that are named on the screen; --json names all."""

_PATIENCE_S = 2.0
"""What is over sooner needs no progress bar."""

_NAMES = ", ".join(FORMATS)


def import_table(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to read; it stays as it is.")],
    out: Annotated[Path, typer.Option("--out", help="Table to add the rows to.")],
    form: Annotated[str, typer.Option("--format", help=f"auto, or one of {_NAMES}.")] = "auto",
    device: Annotated[str | None, typer.Option("--device", help="The device that the times come from.")] = None,
    runtime: Annotated[str | None, typer.Option("--runtime", help="The software that ran there.")] = None,
    precision: Annotated[
        str | None, typer.Option("--precision", help=f"Number format: {', '.join(PRECISION_BYTES)}.")
    ] = None,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="Threads the runtime was given.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Take nothing if any row is wrong.")] = False,
    as_json: Json = False,
) -> None:
    """Read times that somebody else measured into a table.

    Every row is marked as reported, because nobody here measured it, and never takes the place of one that was. What
    the file or its publication says of the device is kept; what is not known is said, and may be stated.

    Rows with a time that is none, repeated keys and keys that say nothing are named one by one and not taken; -1 is
    kept as a failure. Where all times are whole numbers, the clock's step goes into their deviations.

    Example: paceline table import latency_table@note10/224_lookup_table.yaml --out tables/note10.jsonl

    The columns of CSV and Parquet, of which operator, inputs and mean_ms must be there:

    COLUMNS
    """
    if precision is not None and precision not in PRECISION_BYTES:
        raise WrongUse(f"--precision must be one of {', '.join(PRECISION_BYTES)}; got {precision!r}.")
    chosen = format_of(file, form)
    with patient_bar(f"reading {file.name}") as tell:
        statement = Statement(device, runtime, precision, threads)
        imported = read_foreign(file, chosen, statement, tell, FORMATS.values())
    refused = strict and bool(imported.problems)
    stored = None
    if not refused:
        with appending(out) as writer, patient_bar(f"writing failures to {out.name}") as tell:
            stored = store(imported, writer, tell)
    if as_json:
        show_json(_imported_json(imported, stored))
    else:
        _show_imported(imported, stored, file, out)
    if refused:
        raise NoAnswer(f"{len(imported.problems)} rows of {file} are wrong, and --strict takes all or nothing.")


_HELP = "\n    ".join(f"- {name}: {column.meaning}" for name, column in COLUMNS.items())
import_table.__doc__ = (import_table.__doc__ or "").replace("COLUMNS", _HELP)


def export_table(
    path: Annotated[Path, typer.Argument(metavar="TABLE", help="A table, as profile-device fills it.")],
    out: Annotated[Path, typer.Option("--out", help="File to write; one that exists is replaced.")],
    form: Annotated[str, typer.Option("--format", help=f"One of {_NAMES}.")] = "csv",
    as_json: Json = False,
) -> None:
    """Write a table in a format that other tools read.

    CSV and Parquet hold all that the table says of its rows, except raw samples. The others hold what they have words
    for: rows that they cannot say are counted and named.

    Example: paceline table export tables/local.jsonl --format parquet --out local.parquet
    """
    chosen = find_format(form)
    if out.exists() and path.exists() and out.samefile(path):
        raise WrongUse(f"--out must not be the table itself; got {out} for both.")
    read = Table.read(path)
    exported = write_foreign(read, chosen, out)
    if as_json:
        show_json(_exported_json(exported, out))
        return
    print(f"{out}: {exported.written} rows, {chosen.name}")
    for environment in read.environments():
        _show_note(environment)
    if exported.unsaid:
        print(f"{len(exported.unsaid)} rows are not in it:")
        _show_lines([f"{row.workload.describe()}: {why}" for row, why in exported.unsaid])


@contextmanager
def patient_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar that shows itself only when the work takes longer than people like to wait without one."""
    with ExitStack() as stack:
        started_s = time.monotonic()
        bars: list[Bar] = []

        def tell(done: int, of: int) -> None:
            if bars:
                bars[0](done, of)
            elif time.monotonic() - started_s > _PATIENCE_S:
                bars.append(stack.enter_context(progress_bar(title)))

        yield tell


def _show_note(environment: Environment) -> None:
    if note := nothing_measured(environment):
        print(note)


def _show_imported(imported: Imported, stored: Stored | None, file: Path, out: Path) -> None:
    print(f"{file}: {imported.format}, {_counts(imported)}")
    for origin in imported.origins:
        print(origin.environment().describe() + (f"\n  according to {origin.evidence}" if origin.evidence else ""))
        _show_note(origin.environment())
    print(f"not known: {', '.join(imported.unknown())}")
    if imported.resolution_s is not None:
        print(
            f"all times are whole multiples of {imported.resolution_s * 1e3:g} ms: the clock was as coarse, and its "
            "step is in the deviations"
        )
    if imported.problems:
        kept = sum(failure.stage == "import" for failure in imported.failures)
        print(f"{len(imported.problems)} rows are wrong{f', {kept} of them kept as failures' if kept else ''}:")
        _show_lines([f"{problem.where}: {problem.reason}" for problem in imported.problems])
    if stored is not None:
        known = f", {stored.known} known already" if stored.known else ""
        refused = f", {stored.refused} not taken because the table knows better" if stored.refused else ""
        print(f"{out}: {stored.written} rows added{known}{refused}")


def _counts(imported: Imported) -> str:
    failed = f", {len(imported.failures)} failures" if imported.failures else ""
    return f"{len(imported.rows)} times{failed}"


def _show_lines(lines: Sequence[str]) -> None:
    for line in lines[:_MOST_LINES]:
        print(f"  {line}")
    if len(lines) > _MOST_LINES:
        print(f"  and {len(lines) - _MOST_LINES} more: --json names all")


def _imported_json(imported: Imported, stored: Stored | None) -> dict[str, Any]:
    return {
        "format": imported.format,
        "times": len(imported.rows),
        "failures": len(imported.failures),
        "written": 0 if stored is None else stored.written,
        "known": 0 if stored is None else stored.known,
        "refused": 0 if stored is None else stored.refused,
        "environments": [origin.environment().to_json() for origin in imported.origins],
        "evidence": [origin.evidence for origin in imported.origins],
        "not_known": list(imported.unknown()),
        "resolution_s": imported.resolution_s,
        "problems": [_problem_json(problem) for problem in imported.problems],
    }


def _problem_json(problem: Problem) -> dict[str, str]:
    return {"where": problem.where, "reason": problem.reason}


def _exported_json(exported: Exported, out: Path) -> dict[str, Any]:
    unsaid: list[tuple[Workload, str]] = [(row.workload, why) for row, why in exported.unsaid]
    return {
        "file": str(out),
        "written": exported.written,
        "unsaid": [{"workload": workload.to_json(), "reason": why} for workload, why in unsaid],
    }
