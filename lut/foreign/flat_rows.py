"""Rows of a table as flat cells: what CSV and Parquet have in common.

Columns that must be there are ``operator``, ``inputs`` and ``mean_ms``; all others may be missing or empty.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from devices import Device, WrongUse
from latency import PRECISION_BYTES, Workload
from lut.foreign.contract import UNTAKEN, ForeignRow, KnownRow, Problem, in_units
from lut.foreign.judging import FAILED, number
from lut.foreign.origins import UNKNOWN, Origin, Statement

Cell: TypeAlias = str | float | int | bool | None
"""None stands for an empty cell."""

REQUIRED = ("operator", "inputs", "mean_ms")


@dataclass(frozen=True)
class Column:
    """A column of the file.

    Attributes:
        kind: type of its cells that are not empty.
        meaning: what is in it, for people.
    """

    kind: type[str | float | int | bool]
    meaning: str


COLUMNS: Mapping[str, Column] = {
    "operator": Column(str, "name of the operator"),
    "inputs": Column(str, "shape of each input, CHANNELSxHEIGHTxWIDTH, joined by +"),
    "attributes": Column(str, "a JSON object; empty for none"),
    "precision": Column(str, f"{', '.join(PRECISION_BYTES)}; empty for fp32"),
    "batch": Column(int, "images in one pass; empty for 1"),
    "mean_ms": Column(float, "the time; empty or -1 where it failed"),
    "deviation_ms": Column(float, "standard deviation; empty where nobody knows"),
    "source": Column(str, "measured, calibrated, reported, predicted, or roofline: from peak figures"),
    "inside": Column(bool, "false where a model extrapolated"),
    "bursts": Column(int, "how many bursts were measured"),
    "failure": Column(str, "STAGE: REASON where it failed"),
    "measured_at": Column(str, "ISO 8601 time in UTC"),
    "device": Column(str, "model name"),
    "device_kind": Column(str, "cpu or cuda"),
    "architecture": Column(str, "instruction set or compute capability"),
    "device_details": Column(str, "a JSON object of what else is known of the device"),
    "runtime": Column(str, "name of the software"),
    "versions": Column(str, "a JSON object of package versions"),
    "threads": Column(int, "threads of the runtime"),
    "options": Column(str, "a JSON object of what else was set"),
}
"""All columns, in order."""

_ORIGIN = ("precision", *tuple(COLUMNS)[tuple(COLUMNS).index("device") :])
"""Columns that tell where a row comes from."""

_DETAILS: Mapping[str, type[str | int]] = {
    "family": str,
    "features": str,
    "cores": int,
    "memory_bytes": int,
    "l3_cache_bytes": int,
    "system": str,
}
"""What may be known of a device beside its kind, name and architecture."""

_MOST_LEVELS = 32
"""Objects and lists that may stand inside each other in a cell; a workload of whole networks has fewer than ten."""

_SHAPES = re.compile(r"(?:\s*\d{1,9}\s*(?:[x+](?!$)|$))+", re.ASCII)
"""Sizes joined by x and +. Python alone would read 1_0 as 10."""

_MOST_SHOWN = 80
"""So many characters of a damaged cell are enough to find it."""


class BadCellError(ValueError):
    """A cell that holds something else than it should; the message says what."""


def cells(row: KnownRow) -> dict[str, Cell]:
    """A row as cells, one for each column."""
    device, runtime, estimate = row.environment.device, row.environment.runtime, row.estimate
    deviation_ms = None if estimate is None else in_units(estimate.standard_deviation_s)
    details = {name: value for name, value in asdict(device).items() if name in _DETAILS and value is not None}
    return {
        "operator": row.workload.operator,
        "inputs": "+".join("x".join(map(str, shape)) for shape in row.workload.inputs),
        "attributes": _json(row.workload.to_json()["attributes"]),
        "precision": row.workload.precision,
        "batch": row.workload.batch,
        "mean_ms": None if estimate is None else in_units(estimate.mean_s),
        "deviation_ms": None if deviation_ms is None or math.isnan(deviation_ms) else deviation_ms,
        "source": None if estimate is None else estimate.source,
        "inside": None if estimate is None else estimate.is_inside,
        "bursts": row.bursts,
        "failure": None if row.failed is None else ": ".join(row.failed),
        "measured_at": row.measured_at,
        "device": device.name,
        "device_kind": device.kind,
        "architecture": device.architecture,
        "device_details": _json(details),
        "runtime": runtime.name,
        "versions": _json(runtime.versions),
        "threads": runtime.threads,
        "options": _json(runtime.options),
    }


def refuse_other_columns(names: Sequence[str], path: Path) -> None:
    """Make sure that a file has the columns it needs, and each once.

    Raises:
        WrongUse: with what is missing or twice there.
    """
    missing = [name for name in REQUIRED if name not in names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if missing or twice:
        raise WrongUse(
            f"{path} must have the columns {', '.join(REQUIRED)}, each once; it has {', '.join(names)}. Rename them."
        )


def row_of(
    values: Mapping[str, Cell], where: str, origin_of: Callable[[Mapping[str, Cell]], Origin]
) -> ForeignRow | Problem:
    """A row from its cells, or what is wrong with one of them.

    Args:
        values: cells by column; missing ones are empty.
        where: where the row is, for messages.
        origin_of: the origin of a row with such cells.
    """
    try:
        return _row(values, where, origin_of(values))
    except (BadCellError, WrongUse) as error:
        return Problem(where, str(error))


def _row(values: Mapping[str, Cell], where: str, origin: Origin) -> ForeignRow:
    workload = Workload.from_json(
        {
            "operator": _required(values, "operator"),
            "inputs": _shapes(_required(values, "inputs")),
            "attributes": _object(values, "attributes"),
            "precision": origin.precision or "fp32",
            "batch": _whole(values, "batch", 1),
        }
    )
    # Nobody here measured what a file tells, whatever it says of itself; what nobody measured there stays so.
    return ForeignRow(
        f"{where}, {workload.describe()}",
        workload,
        origin,
        values.get("mean_ms"),
        values.get("deviation_ms"),
        failed=_failed(values),
        source=UNTAKEN.get(str(values.get("source")), "reported"),
        is_inside=str(values.get("inside")).lower() != "false",
    )


def _failed(values: Mapping[str, Cell]) -> tuple[str, str] | None:
    """Stage and reason of a row that says that it failed."""
    stage, _, reason = str(values.get("failure") or "").partition(": ")
    time = values.get("mean_ms")
    if stage and not (_is_empty(time) or number(time) == FAILED):
        raise BadCellError(f"it has both the time {time} and the failure {values['failure']!r}; one of them is wrong")
    return (stage, reason) if stage else None


def origins(base: Origin, statement: Statement) -> Callable[[Mapping[str, Cell]], Origin]:
    """What makes the origins of rows, each once: rows that say the same share theirs.

    Args:
        base: what is known of the file.
        statement: what the user says, which goes before what the rows say.
    """
    made = dict[tuple[Cell, ...], Origin]()

    def origin_of(values: Mapping[str, Cell]) -> Origin:
        said = tuple(values.get(name) for name in _ORIGIN)
        if said not in made:
            made[said] = _origin(values, base).stated(statement)
        return made[said]

    return origin_of


def _origin(values: Mapping[str, Cell], base: Origin) -> Origin:
    device = None
    if not _is_empty(values.get("device")):
        kind, name, architecture = (
            str(values.get(part) or UNKNOWN) for part in ("device_kind", "device", "architecture")
        )
        device = Device(kind, name, architecture, **_details(values))
    return replace(
        base,
        device=device or base.device,
        runtime=str(values.get("runtime") or "") or base.runtime,
        versions=_texts(values, "versions"),
        threads=_whole(values, "threads", None),
        options=_texts(values, "options"),
        precision=str(values.get("precision") or "") or base.precision,
    )


def _details(values: Mapping[str, Cell]) -> dict[str, Any]:
    found = _object(values, "device_details")
    if unknown := sorted(set(found) - set(_DETAILS)):
        raise BadCellError(f"its device_details has the names {unknown}; known are {sorted(_DETAILS)}")
    for name, detail in found.items():
        if type(detail) is not _DETAILS[name]:
            kind = "text" if _DETAILS[name] is str else "a whole number"
            raise BadCellError(f"its device_details must have {kind} as {name}; got {detail!r}")
    return found


def _texts(values: Mapping[str, Cell], name: str) -> dict[str, str]:
    found = _object(values, name)
    if other := [text for text in found.values() if not isinstance(text, str)]:
        raise BadCellError(f'its {name} must hold texts such as {{"torch": "2.4"}}; got {other[0]!r}')
    return found


def _required(values: Mapping[str, Cell], name: str) -> str:
    if _is_empty(values.get(name)):
        raise BadCellError(f"its {name} is empty")
    return str(values[name])


def _is_empty(value: Cell) -> bool:
    return value is None or value == ""


def _shapes(text: str) -> list[list[int]]:
    """``3x224x224+8x7x7`` as lists of sizes; ``Workload`` refuses those that are impossible."""
    if not _SHAPES.fullmatch(text):
        raise BadCellError(f"its inputs must be like 3x224x224, or 8x14x14+8x7x7 for two; got {_short(text)}")
    return [[int(size) for size in shape.split("x")] for shape in text.split("+")]


def _object(values: Mapping[str, Cell], name: str) -> dict[str, Any]:
    if _is_empty(values.get(name)):
        return {}
    try:
        found: Any = json.loads(str(values[name]))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or _is_deeper(found, _MOST_LEVELS):
        raise BadCellError(f'its {name} must be a JSON object such as {{"kernel": 3}}; got {_short(values[name])}')
    return found


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether more than so many objects and lists stand inside each other."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_is_deeper(part, levels - 1) for part in parts)


def _short(value: Cell) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


_Default = TypeVar("_Default", int, None)


def _whole(values: Mapping[str, Cell], name: str, default: _Default) -> int | _Default:
    if _is_empty(values.get(name)):
        return default
    found = number(values[name])
    if found is None or not found.is_integer() or found < 1:
        raise BadCellError(f"its {name} must be a whole number of at least 1; got {values[name]!r}")
    return int(found)


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, allow_nan=False)
