"""From a table to somebody else's file: what a format cannot say is counted and named, and never left out silently."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from devices import WrongUse
from latency import Measurement, Outcome
from lut.foreign.contract import Format, KnownRow
from lut.table import Table


@dataclass(frozen=True)
class Exported:
    """What became of a table's rows.

    Attributes:
        written: how many rows were written.
        unsaid: rows that the format cannot say, with the reason.
    """

    written: int
    unsaid: tuple[tuple[KnownRow, str], ...]


def known_rows(table: Table) -> Iterator[KnownRow]:
    """All that a table knows, measured rows first."""
    for outcome in table.values():
        yield _known(outcome)
    for workload, environment, estimate in table.unmeasured():
        yield KnownRow(workload, environment, estimate)


def write_foreign(table: Table, form: Format, path: Path) -> Exported:
    """Write a table in another format; an existing file is replaced when the new one is whole.

    Args:
        table: what is known.
        form: the format.
        path: the file.

    Raises:
        WrongUse: the format can say none of the rows, or rows of several environments or precisions would look alike
            in it; or the file cannot be written.
    """
    rows = [(row, form.refusal(row)) for row in known_rows(table)]
    said = [row for row, why in rows if not why]
    unsaid = tuple((row, why) for row, why in rows if why)
    if not said:
        reasons = ", ".join(sorted({why for _, why in unsaid})) or "it has no rows"
        raise WrongUse(f"{form.name} can say nothing of this table: {reasons}. --format csv can say everything.")
    if not form.says_environment:
        _refuse_lookalikes(said, form)
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        form.write(said, unfinished)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise WrongUse(f"{path} cannot be written ({error.strerror}). Choose another --out.") from error
    return Exported(len(said), unsaid)


def _known(outcome: Outcome) -> KnownRow:
    workload, environment, when = outcome.workload, outcome.environment, outcome.measured_at
    if isinstance(outcome, Measurement):
        return KnownRow(workload, environment, outcome.estimate(), len(outcome.bursts), None, when)
    return KnownRow(workload, environment, None, None, (outcome.stage, outcome.reason), when)


def _refuse_lookalikes(rows: list[KnownRow], form: Format) -> None:
    environments = {row.environment.digest: row.environment.describe() for row in rows}
    precisions = sorted({row.workload.precision for row in rows})
    if len(environments) > 1 or len(precisions) > 1:
        found = "".join(f"\n  {name}" for name in (*environments.values(), *precisions))
        raise WrongUse(
            f"A file of {form.name} does not say device, runtime and precision, so it must hold rows of one each; this "
            f"table has:{found}\nFill one table for each, or use --format csv, which says them."
        )
