"""``paceline table``: look at tables and mend them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from latency import Measurement, Outcome
from lut import Table, repair
from paceline.options import Json
from paceline.screen import milliseconds, show_json, show_table

table = typer.Typer(help="Look at latency tables and mend them.", no_args_is_help=True)

TableFile = Annotated[Path, typer.Argument(help="A table, as profile-device fills it.")]


@table.command()
def show(path: TableFile, as_json: Json = False) -> None:
    """List the rows of a table: what was measured where, how fast, how sure, and what speaks against a number."""
    read = Table.read(path)
    rows = sorted(read.values(), key=lambda outcome: outcome.workload.describe())
    if as_json:
        show_json([_row_json(outcome) for outcome in rows])
        return
    for environment in read.environments():
        print(environment.describe())
    show_table(str(path), ("workload", "median", "95 % interval", "samples"), [_row(row) for row in rows])
    for row in rows:
        for remark in _remarks(row):
            print(f"{row.workload.describe()}: {remark}")


@table.command("repair")
def repair_table(path: TableFile) -> None:
    """Move lines that are no rows to FILE.rejected and keep the rest."""
    kept, moved = repair(path)
    where = f" to {path}.rejected; run profile-device again to measure what they held" if moved else ""
    print(f"{path}: {kept} rows kept, {moved} lines moved{where}")


def _row_json(outcome: Outcome) -> dict[str, Any]:
    values: dict[str, Any] = {"workload": outcome.workload.to_json(), "measured_at": outcome.measured_at}
    if not isinstance(outcome, Measurement):
        return {**values, "stage": outcome.stage, "failure": outcome.reason}
    return {
        **values,
        "median_s": outcome.median_s,
        "interval_s": list(outcome.interval_s),
        "samples": len(outcome.samples_s),
        "problems": outcome.problems(),
    }


def _row(outcome: Outcome) -> tuple[str, str, str, str]:
    if not isinstance(outcome, Measurement):
        return outcome.workload.describe(), "failed", "", ""
    low, high = outcome.interval_s
    interval = f"{low * 1e3:.3g} to {high * 1e3:.3g} ms"
    return outcome.workload.describe(), milliseconds(outcome.median_s), interval, str(len(outcome.samples_s))


def _remarks(outcome: Outcome) -> list[str]:
    """What speaks against a row, in words."""
    if isinstance(outcome, Measurement):
        return outcome.problems()
    return [f"failed at {outcome.stage}: {outcome.reason}"]
