"""The rows of a table's file: JSON lines, each with the number of its schema.

Schema history of a row:

1. ``{"schema": 1, "kind": "measurement" | "failure", ...}`` with the fields of the outcome; a measurement had its
   samples in one list, and ``bursts`` said how many belong to each burst.
2. A measurement has its bursts one by one. With ``"adds": true`` they come on top of those that the table has of this
   key, so that each burst is in the file the moment it is known. A row of the kind ``calibration`` holds what was
   learned from networks measured whole, and the environment it holds for; measurements stay as they are.
3. A row of the kind ``estimate`` holds a time that was not measured here: predicted by a model from what was, or
   reported by somebody else. A deviation that nobody knows is null.
4. The source of an estimate may be ``roofline``: from peak figures of a device, where nothing was measured.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, get_args

from devices import WrongUse
from latency import Calibration, Environment, Estimate, Failure, Measurement, Outcome, Source, Workload

SCHEMA = 4

_KINDS: Mapping[str, type[Measurement] | type[Failure]] = {kind.kind: kind for kind in (Measurement, Failure)}


_CALIBRATION = "calibration"
_ESTIMATE = "estimate"


class Key(NamedTuple):
    """What a row is found by: digests of the workload and of the environment."""

    workload: str
    environment: str


class BadLine(NamedTuple):
    """A line that is no row: its number from 1, its bytes, and what is wrong with it."""

    number: int
    line: bytes
    reason: str


class Unmeasured(NamedTuple):
    """A time that was not measured here: predicted, or reported by somebody else."""

    workload: Workload
    environment: Environment
    estimate: Estimate

    @property
    def key(self) -> Key:
        """The key it is found by."""
        return Key(self.workload.digest, self.environment.digest)


class Learned(NamedTuple):
    """What whole networks taught of the blocks of an environment."""

    environment: Environment
    calibration: Calibration


Content: TypeAlias = Outcome | Unmeasured | Learned
"""What a row may tell."""


class Row(NamedTuple):
    """A row as it was read; ``adds`` says that its bursts come on top of those known."""

    content: Content
    adds: bool = False


class _NewerSchemaError(Exception):
    """A row that is whole, but of a schema that is not known here. It must be neither moved away nor cut off."""


def key_of(outcome: Outcome) -> Key:
    """The key an outcome is found by."""
    return Key(outcome.workload.digest, outcome.environment.digest)


def line_of(content: Content, *, adds: bool = False) -> str:
    """A row as it is written, with its line's end.

    Args:
        content: what it tells.
        adds: the bursts of a measurement come on top of those known of its key.
    """
    row = {"schema": SCHEMA, **_fields(content), **({"adds": True} if adds else {})}
    return json.dumps(row, separators=(",", ":"), allow_nan=False) + "\n"


def _fields(content: Content) -> dict[str, Any]:
    if isinstance(content, Learned):
        environment, calibration = content
        return {"kind": _CALIBRATION, "environment": environment.to_json(), **calibration.to_json()}
    if isinstance(content, Unmeasured):
        return {"kind": _ESTIMATE, **_unmeasured_fields(content)}
    return {"kind": content.kind, **content.to_json()}


def _unmeasured_fields(content: Unmeasured) -> dict[str, Any]:
    estimate = content.estimate
    deviation_s = estimate.standard_deviation_s
    return {
        "workload": content.workload.to_json(),
        "environment": content.environment.to_json(),
        "mean_s": estimate.mean_s,
        "standard_deviation_s": None if math.isnan(deviation_s) else deviation_s,
        "source": estimate.source,
        "is_inside": estimate.is_inside,
    }


def _unmeasured(row: Mapping[str, Any]) -> Unmeasured:
    deviation_s = row["standard_deviation_s"]
    if row["source"] not in get_args(Source):
        raise ValueError(f"no source of times is called {row['source']!r}")
    estimate = Estimate(
        row["mean_s"], math.nan if deviation_s is None else deviation_s, row["source"], row["is_inside"]
    )
    return Unmeasured(Workload.from_json(row["workload"]), Environment.from_json(row["environment"]), estimate)


def read_lines(path: Path) -> tuple[list[Row], list[BadLine]]:
    """The rows of a file and the lines that are none. A torn last line is in neither."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WrongUse(f"{path} cannot be read ({error.strerror}). `profile-device --out {path}` fills it.") from error
    good, bad = list[Row](), list[BadLine]()
    for number, line in enumerate(lines_of(data), 1):
        try:
            good.append(row_of(line))
        except _NewerSchemaError as error:
            raise WrongUse(
                f"{path}, line {number} was written by a newer paceline (schema {error}, this one reads {SCHEMA}). "
                "Install the newer one, or fill another table."
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError, WrongUse) as error:
            if line.endswith(b"\n"):
                bad.append(BadLine(number, line, f"{type(error).__name__}: {error}"))
    return good, bad


def lines_of(data: bytes) -> list[bytes]:
    """The lines with their ends; `bytes.splitlines` would also cut at a carriage return inside a damaged one."""
    return io.BytesIO(data).readlines()


def row_of(line: bytes) -> Row:
    """Read a line.

    Raises:
        ValueError, KeyError, TypeError, AttributeError, WrongUse: it is no row.
    """
    row: dict[str, Any] = json.loads(line)
    if isinstance(row["schema"], int) and row["schema"] > SCHEMA:
        raise _NewerSchemaError(row["schema"])
    if row["schema"] not in range(1, SCHEMA + 1):
        raise ValueError(f"schema {row['schema']}, this paceline reads 1 to {SCHEMA}")
    if row["schema"] == 1 and row["kind"] == Measurement.kind:
        row = _from_schema_1(row)
    if row["kind"] == _CALIBRATION:
        return Row(Learned(Environment.from_json(row["environment"]), Calibration.from_json(row)))
    if row["kind"] == _ESTIMATE:
        return Row(_unmeasured(row))
    return Row(_KINDS[row["kind"]].from_json(row), bool(row.get("adds")))


def _from_schema_1(row: Mapping[str, Any]) -> dict[str, Any]:
    """A measurement as it is written today, planned as it was taken."""
    samples = iter(row["samples_s"])
    shared = {name: row[name] for name in ("calls_per_sample", "stopped", "before", "after", "measured_at")}
    sizes = row["bursts"] or [len(row["samples_s"])]
    if sum(sizes) != len(row["samples_s"]):
        raise ValueError(f"bursts of {sizes} samples do not add up to {len(row['samples_s'])}")
    bursts = [{"samples_s": list(islice(samples, size)), **shared} for size in sizes]
    plan = {"most_warm_up_s": row["plan"]["warm_up_s"], "least_bursts": len(sizes), "most_bursts": len(sizes)}
    return {**row, "bursts": bursts, "plan": {**row["plan"], **plan}}
