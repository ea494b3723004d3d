"""The table: outcomes by key, in an append-only file of JSON lines.

Schema history of a row:

1. ``{"schema": 1, "kind": "measurement" | "failure", ...}`` with the fields of the outcome.

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
from pathlib import Path
from typing import Any, NamedTuple, final

from devices import WrongUse
from latency import Environment, Failure, Measurement, Outcome, Workload

SCHEMA = 1

_KINDS: Mapping[str, type[Measurement] | type[Failure]] = {kind.kind: kind for kind in (Measurement, Failure)}


class Key(NamedTuple):
    """What a row is found by: digests of the workload and of the environment."""

    workload: str
    environment: str


class BadLine(NamedTuple):
    """A line that is no row: its number from 1, its bytes, and what is wrong with it."""

    number: int
    line: bytes
    reason: str


class _NewerSchemaError(Exception):
    """A row that is whole, but of a schema that is not known here. It must be neither moved away nor cut off."""


@final
class Table(Mapping[Key, Outcome]):
    """Outcomes by key. Read one from a file with ``Table.read``; add to the file with ``appending``."""

    def __init__(self, outcomes: Iterable[Outcome] = ()) -> None:
        self._outcomes: dict[Key, Outcome] = {}
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
        return Table(good)

    def __getitem__(self, key: Key) -> Outcome:
        return self._outcomes[key]

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
        return self._outcomes.get(Key(workload.digest, environment.digest))

    def add(self, outcome: Outcome) -> Key:
        """Take an outcome into memory; it takes the place of an earlier one of its key. Files are left alone."""
        key = key_of(outcome)
        self._outcomes[key] = outcome
        self._environments.setdefault(key.environment, outcome.environment)
        return key


@final
class TableWriter:
    """An open table file and the table read from it. Made by ``appending``."""

    def __init__(self, path: Path, descriptor: int, table: Table) -> None:
        self.table = table
        self._path = path
        self._descriptor = descriptor

    def append(self, outcome: Outcome) -> None:
        """Write ``outcome`` to the file, wait until it is on the disk, and take it into the table.

        Raises:
            OSError: the disk is full or gone. The file is left as it was before.
        """
        row = {"schema": SCHEMA, "kind": outcome.kind, **outcome.to_json()}
        data = (json.dumps(row, separators=(",", ":"), allow_nan=False) + "\n").encode()
        size = os.fstat(self._descriptor).st_size
        try:
            if os.write(self._descriptor, data) != len(data):
                raise OSError(f"{self._path}: the disk is full")
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, size)
            raise
        self.table.add(outcome)


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


def _read_lines(path: Path) -> tuple[list[Outcome], list[BadLine]]:
    """The rows of a file and the lines that are none. A torn last line is in neither."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WrongUse(f"{path} cannot be read ({error.strerror}). `profile-device --out {path}` fills it.") from error
    good, bad = list[Outcome](), list[BadLine]()
    for number, line in enumerate(_lines(data), 1):
        try:
            good.append(_outcome(line))
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


def _outcome(line: bytes) -> Outcome:
    row: dict[str, Any] = json.loads(line)
    if isinstance(row["schema"], int) and row["schema"] > SCHEMA:
        raise _NewerSchemaError(row["schema"])
    if row["schema"] != SCHEMA:
        raise ValueError(f"schema {row['schema']}, this paceline reads {SCHEMA}")
    return _KINDS[row["kind"]].from_json(row)


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
        _outcome(data[start:])
        os.write(descriptor, b"\n")
    except (ValueError, KeyError, TypeError, AttributeError, WrongUse):
        os.ftruncate(descriptor, start)
