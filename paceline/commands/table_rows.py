"""The rows of a table on the screen: measured, failed, predicted, reported."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from devices import unknown_name
from latency import Z95, Estimate, Failure, Measurement, Outcome
from lut import Table, Unmeasured
from paceline.screen import milliseconds, show_table
from paceline.short_names import natural_order, short_names

Row: TypeAlias = Outcome | Unmeasured

_ORDERS: Mapping[str, Callable[[Row], Any]] = {
    "name": lambda row: natural_order(row.workload.describe()),
    "time": lambda row: -_time_s(row),
}
"""Keys by which rows are sorted; the slowest come first, failures last."""


def sorted_rows(table: Table, order: str) -> list[Row]:
    """All rows of a table, by ``name`` or by ``time``.

    Raises:
        WrongUse: there is no such order.
    """
    if order not in _ORDERS:
        raise unknown_name("order for --sort", order, _ORDERS)
    return sorted([*table.values(), *table.unmeasured()], key=_ORDERS[order])


def _time_s(row: Row) -> float:
    if isinstance(row, Failure):
        return 0.0
    return row.time_s if isinstance(row, Measurement) else row.estimate.mean_s


def row_json(row: Row) -> dict[str, Any]:
    """A row as plain values, for programs."""
    values: dict[str, Any] = {"workload": row.workload.to_json()}
    if isinstance(row, Unmeasured):
        return {**values, **_estimate_json(row)}
    values["measured_at"] = row.measured_at
    if isinstance(row, Failure):
        return {**values, "stage": row.stage, "failure": row.reason}
    return {
        **values,
        "time_s": row.time_s,
        "interval_s": list(row.interval_s),
        "source": "measured",
        "bursts": len(row.bursts),
        "samples": len(row.samples_s),
        "discarded": row.discarded,
        "stopped": row.stopped,
        "costs": row.costs.to_json(),
        "problems": row.problems(),
    }


def _estimate_json(row: Unmeasured) -> dict[str, Any]:
    known = row.estimate
    unsure = math.isnan(known.standard_deviation_s)
    return {
        "time_s": known.mean_s,
        "interval_s": None if unsure else list(known.interval_s),
        "source": known.source,
        "is_inside": known.is_inside,
    }


_TIME, _INTERVAL, _SOURCE = "time", "95 %\ninterval", "not measured"

_COLUMNS: Mapping[str, Callable[[Measurement], str]] = {
    _TIME: lambda m: milliseconds(m.time_s),
    _INTERVAL: lambda m: f"+-{m.relative_half_width:.1%}",
    "bursts/\nsamples": lambda m: f"{len(m.bursts)}/{len(m.samples_s)}",
    "discarded": lambda m: str(m.discarded) if m.discarded else "",
    "MiB": lambda m: "" if m.costs.peak_memory_bytes is None else f"{m.costs.peak_memory_bytes / 2**20:.3g}",
    "mJ": lambda m: "" if m.costs.energy_j is None else f"{m.costs.energy_j * 1e3:.3g}",
}
"""Columns and what they hold; one that holds nothing is left out."""


def show_rows(title: str, rows: Sequence[Row]) -> None:
    """Print rows as a table, and below it what all workloads of an operator have in common."""
    names = short_names(row.workload for row in rows)
    cells = {column: [_cell(column, row) for row in rows] for column in (*_COLUMNS, _SOURCE)}
    filled = {column: texts for column, texts in cells.items() if any(texts)}
    show_table(
        title, ("workload", *filled), list(zip((names.of[row.workload] for row in rows), *filled.values(), strict=True))
    )
    if legend := names.legend():
        print(legend)


def _cell(column: str, row: Row) -> str:
    if isinstance(row, Unmeasured):
        return _unmeasured_cells(row).get(column, "")
    if isinstance(row, Measurement):
        return _COLUMNS[column](row) if column in _COLUMNS else ""
    return "failed" if column == _TIME else ""


def _unmeasured_cells(row: Unmeasured) -> dict[str, str]:
    known = row.estimate
    is_bare = known.source == "roofline"  # Nothing was measured that it could be like.
    return {
        _TIME: milliseconds(known.mean_s),
        _INTERVAL: _interval_cell(known),
        _SOURCE: known.source if known.is_inside or is_bare else f"{known.source}, unlike what was measured",
    }


def _interval_cell(known: Estimate) -> str:
    share = known.standard_deviation_s / known.mean_s if known.mean_s else math.nan
    if math.isnan(share):
        return "unknown"
    if known.source == "roofline":
        factor = known.interval_s[1] / known.mean_s
        return f"/{factor:.1f} to x{factor:.1f}"
    return f"+-{Z95 * share:.1%}"
