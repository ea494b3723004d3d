"""The table: outcomes by key, in an append-only file of JSON lines.

Schema history of a row:

1. ``{"schema": 1, "kind": "measurement" | "failure", ...}`` with the fields of the outcome; a measurement had its
   samples in one list, and ``bursts`` said how many belong to each burst.
2. A measurement has its bursts one by one. With ``"adds": true`` they come on top of those that the table has of this
   key, so that each burst is in the file the moment it is known. A row of the kind ``calibration`` holds what was
   learned from networks measured whole, and the environment it holds for; measurements stay as they are.

A row is written with one call and synced before the next workload is touched, so that a process that is killed
loses at most the row it was writing. A torn last line is dropped when the file is read, and cut off before the next
append. A later row of the same key takes the place of an earlier one.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, final

from devices import WrongUse
from latency import Burst, Calibration, Environment, Failure, Measurement, Outcome, Workload, joined, lower_quartile

SCHEMA = 2

_KINDS: Mapping[str, type[Measurement] | type[Failure]] = {kind.kind: kind for kind in (Measurement, Failure)}


_CALIBRATION = "calibration"


class Key(NamedTuple):
    """What a row is found by: digests of the workload and of the environment."""

    workload: str
    environment: str


class BadLine(NamedTuple):
    """A line that is no row: its number from 1, its bytes, and what is wrong with it."""

    number: int
    line: bytes
    reason: str


class _Row(NamedTuple):
    """A row as it was read: an outcome, or a calibration and its environment."""

    outcome: Outcome | tuple[Environment, Calibration]
    adds: bool = False


class _NewerSchemaError(Exception):
    """A row that is whole, but of a schema that is not known here. It must be neither moved away nor cut off."""


@final
class Table(Mapping[Key, Outcome]):
    """Outcomes by key. Read one from a file with ``Table.read``; add to the file with ``appending``."""

    def __init__(self, outcomes: Iterable[Outcome] = ()) -> None:
        self._outcomes: dict[Key, Outcome] = {}
        self._levels_s: dict[tuple[str, str], float | None] = {}
        self._calibrations: dict[str, list[Calibration]] = {}
        self._environments: dict[str, Environment] = {}
        for outcome in outcomes:
            self.add(outcome)

    @staticmethod
    def read(path: Path) -> Table:
        """Read a table; a torn last line is left out.

        Raises:
            WrongUse: the file is missing, or a line other than a torn last one is no row.
        """
        good, bad = _read_lines(path)
        if bad:
            first = bad[0]
            raise WrongUse(
                f"{path}, line {first.number} is no row of a table ({first.reason}); {len(bad)} such line(s) in all. "
                f"`paceline table repair {path}` moves them to {path}.rejected and keeps the {len(good)} good rows."
            )
        table = Table()
        for row in good:
            if isinstance(row.outcome, tuple):
                table.add_calibration(*row.outcome)
            else:
                table.add(row.outcome, adds=row.adds)
        return table

    def __getitem__(self, key: Key) -> Outcome:
        """The outcome, brought to the quiet machine that all bursts of the table together tell of."""
        outcome = self._outcomes[key]
        if isinstance(outcome, Failure):
            return outcome
        return replace(outcome, level_s=self.level_s(key.environment, outcome.workload.precision))

    def __iter__(self) -> Iterator[Key]:
        return iter(self._outcomes)

    def __len__(self) -> int:
        return len(self._outcomes)

    def environments(self) -> tuple[Environment, ...]:
        """The different environments that rows come from."""
        return tuple(self._environments.values())

    def environment(self) -> Environment:
        """The one environment that all rows come from.

        Raises:
            WrongUse: there are no rows, or rows of several environments.
        """
        found = self.environments()
        if len(found) != 1:
            names = "".join(f"\n  {environment.describe()}" for environment in found)
            raise WrongUse(
                f"A table must come from one device and runtime to be used; this one has {len(found)}:{names}\n"
                "Fill one table for each with `profile-device --out`."
            )
        return found[0]

    def outcome(self, workload: Workload, environment: Environment) -> Outcome | None:
        """What is known of ``workload`` in ``environment``; None when it was never tried there."""
        return self.get(Key(workload.digest, environment.digest))

    def add(self, outcome: Outcome, *, adds: bool = False) -> Key:
        """Take an outcome into memory. Files are left alone.

        Args:
            outcome: what became of a workload.
            adds: its bursts come on top of those known of its key; otherwise it takes the place of what is known.
        """
        key = key_of(outcome)
        known = self._outcomes.get(key)
        if not adds and _is_replaced(known, outcome):
            self._forget_calibrations(key)
        if adds and isinstance(known, Measurement) and isinstance(outcome, Measurement):
            outcome = joined(known, outcome)
        self._outcomes[key] = outcome
        self._environments.setdefault(key.environment, outcome.environment)
        self._levels_s.clear()
        return key

    def _forget_calibrations(self, key: Key) -> None:
        """What was learned of a block's old measurement does not hold for its new one."""
        learned = self._calibrations.get(key.environment, [])
        self._calibrations[key.environment] = [known for known in learned if key.workload not in known.columns]

    def add_calibration(self, environment: Environment, calibration: Calibration) -> None:
        """Take a calibration into memory. Files are left alone."""
        self._calibrations.setdefault(environment.digest, []).append(calibration)

    def calibration(self, environment: Environment, workloads: Iterable[Workload]) -> Calibration | None:
        """The newest calibration in ``environment`` that has all these workloads among its entries; None without."""
        wanted = {workload.digest for workload in workloads}
        found = reversed(self._calibrations.get(environment.digest, []))
        return next((calibration for calibration in found if wanted <= calibration.columns.keys()), None)

    def level_s(self, environment: str, precision: str) -> float | None:
        """What the sentinel of that precision takes in that environment when nothing disturbs the machine.

        The lower quartile over undisturbed bursts; the fastest where there is none; None where no sentinel ran.
        """
        asked = (environment, precision)
        if asked not in self._levels_s:
            self._levels_s[asked] = _level_s(
                burst
                for key, outcome in self._outcomes.items()
                if isinstance(outcome, Measurement) and (key.environment, outcome.workload.precision) == asked
                for burst in outcome.bursts
            )
        return self._levels_s[asked]


def _is_replaced(known: Outcome | None, outcome: Outcome) -> bool:
    """Whether the bursts of a measurement make place for others, or for a failure."""
    if not isinstance(known, Measurement):
        return False
    return not (isinstance(outcome, Measurement) and outcome.bursts == known.bursts)


def _level_s(bursts: Iterable[Burst]) -> float | None:
    looks_s = [(burst.sentinel_s, burst.disturbed) for burst in bursts if burst.sentinel_s is not None]
    quiet_s = [look_s for look_s, disturbed in looks_s if not disturbed]
    return lower_quartile(quiet_s) if quiet_s else min((look_s for look_s, _ in looks_s), default=None)


@final
class TableWriter:
    """An open table file and the table read from it. Made by ``appending``."""

    def __init__(self, path: Path, descriptor: int, table: Table) -> None:
        self.table = table
        self._path = path
        self._descriptor = descriptor

    def append(self, outcome: Outcome, *, adds: bool = False) -> None:
        """Write ``outcome`` to the file, wait until it is on the disk, and take it into the table.

        Args:
            outcome: what became of a workload.
            adds: as in ``Table.add``.

        Raises:
            OSError: the disk is full or gone. The file is left as it was before.
        """
        self._write({"kind": outcome.kind, **({"adds": True} if adds else {}), **outcome.to_json()})
        self.table.add(outcome, adds=adds)

    def append_calibration(self, environment: Environment, calibration: Calibration) -> None:
        """Write what was learned from whole networks in ``environment``; it supersedes what was learned before.

        Raises:
            OSError: as ``append``.
        """
        self._write({"kind": _CALIBRATION, "environment": environment.to_json(), **calibration.to_json()})
        self.table.add_calibration(environment, calibration)

    def _write(self, values: Mapping[str, Any]) -> None:
        row = {"schema": SCHEMA, **values}
        data = (json.dumps(row, separators=(",", ":"), allow_nan=False) + "\n").encode()
        size = os.fstat(self._descriptor).st_size
        try:
            if os.write(self._descriptor, data) != len(data):
                raise OSError(f"{self._path}: the disk is full")
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, size)
            raise


@contextmanager
def appending(path: Path, *, create: bool = True) -> Iterator[TableWriter]:
    """Open the table at ``path`` for appending; one process at a time.

    Args:
        path: the file.
        create: make file and folder if need be.

    Raises:
        WrongUse: another process is appending to it, it cannot be opened, or a line is no row.
    """
    try:
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | (os.O_CREAT if create else 0), 0o644)
    except OSError as error:
        way_out = "Choose another file with --out." if create else f"`profile-device --out {path}` fills it."
        raise WrongUse(f"{path} cannot be written ({error.strerror}). {way_out}") from error
    try:
        _lock(descriptor, path)
        table = Table.read(path)
        _end_last_line(descriptor, path)
        yield TableWriter(path, descriptor, table)
    finally:
        os.close(descriptor)


def repair(path: Path) -> tuple[int, int]:
    """Move the lines that are no rows to ``<path>.rejected`` and keep the rest.

    Returns:
        How many rows were kept and how many lines were moved.

    Raises:
        WrongUse: the file cannot be read, or another process is appending to it.
    """
    with _locked(path):
        good, bad = _read_lines(path)
        if bad:
            bad_numbers = {line.number for line in bad}
            lines = _lines(path.read_bytes())
            with path.with_name(path.name + ".rejected").open("ab") as rejected:
                rejected.writelines(line.line.rstrip(b"\n") + b"\n" for line in bad)
            kept = b"".join(line for number, line in enumerate(lines, 1) if number not in bad_numbers)
            replacement = path.with_name(path.name + ".repaired")
            with replacement.open("wb") as file:
                file.write(kept)
                os.fsync(file.fileno())
            shutil.copymode(path, replacement)
            replacement.replace(path)
        return len(good), len(bad)


def key_of(outcome: Outcome) -> Key:
    """The key an outcome is found by."""
    return Key(outcome.workload.digest, outcome.environment.digest)


def _read_lines(path: Path) -> tuple[list[_Row], list[BadLine]]:
    """The rows of a file and the lines that are none. A torn last line is in neither."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WrongUse(f"{path} cannot be read ({error.strerror}). `profile-device --out {path}` fills it.") from error
    good, bad = list[_Row](), list[BadLine]()
    for number, line in enumerate(_lines(data), 1):
        try:
            good.append(_row(line))
        except _NewerSchemaError as error:
            raise WrongUse(
                f"{path}, line {number} was written by a newer paceline (schema {error}, this one reads {SCHEMA}). "
                "Install the newer one, or fill another table."
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError, WrongUse) as error:
            if line.endswith(b"\n"):
                bad.append(BadLine(number, line, f"{type(error).__name__}: {error}"))
    return good, bad


def _lines(data: bytes) -> list[bytes]:
    """The lines with their ends; `bytes.splitlines` would also cut at a carriage return inside a damaged one."""
    return io.BytesIO(data).readlines()


def _row(line: bytes) -> _Row:
    row: dict[str, Any] = json.loads(line)
    if isinstance(row["schema"], int) and row["schema"] > SCHEMA:
        raise _NewerSchemaError(row["schema"])
    if row["schema"] not in {1, SCHEMA}:
        raise ValueError(f"schema {row['schema']}, this paceline reads 1 to {SCHEMA}")
    if row["schema"] == 1 and row["kind"] == Measurement.kind:
        row = _from_schema_1(row)
    if row["kind"] == _CALIBRATION:
        return _Row((Environment.from_json(row["environment"]), Calibration.from_json(row)))
    return _Row(_KINDS[row["kind"]].from_json(row), bool(row.get("adds")))


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


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise WrongUse(f"Another process is writing to {path}. Wait for it, or choose another --out.") from error
    # `repair` puts a new file in the place of the old one, and rows appended to the old one would be lost.
    if not path.exists() or not os.path.samestat(os.fstat(descriptor), path.stat()):
        raise WrongUse(f"{path} was replaced while it was being opened. Run the same command again.")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError as error:
        raise WrongUse(f"{path} cannot be opened ({error.strerror}).") from error
    try:
        _lock(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _end_last_line(descriptor: int, path: Path) -> None:
    """Make the file end with a whole line: finish one that only lacks its end, cut off one that is torn."""
    data = path.read_bytes()
    if not data or data.endswith(b"\n"):
        return
    start = data.rfind(b"\n") + 1
    try:
        _row(data[start:])
        os.write(descriptor, b"\n")
    except (ValueError, KeyError, TypeError, AttributeError, WrongUse):
        os.ftruncate(descriptor, start)
