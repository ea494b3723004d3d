"""The file of a table: append-only, one writer at a time, mended where it is damaged.

A row is written with one call and synced before the next workload is touched, so that a process that is killed
loses at most the row it was writing. A torn last line is dropped when the file is read, and cut off before the next
append. A later row of the same key takes the place of an earlier one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final

from devices import WrongUse
from latency import Calibration, Environment, Estimate, Outcome, Workload
from lut.rows import Content, Learned, Unmeasured, line_of, lines_of, read_lines, row_of
from lut.table import Table


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
        self._write(outcome, adds=adds)
        self.table.add(outcome, adds=adds)

    def append_calibration(self, environment: Environment, calibration: Calibration) -> None:
        """Write what was learned from whole networks in ``environment``; it supersedes what was learned before.

        Raises:
            OSError: as ``append``.
        """
        self._write(Learned(environment, calibration))
        self.table.add_calibration(environment, calibration)

    def add_estimate(self, workload: Workload, environment: Environment, estimate: Estimate) -> None:
        """Write a time that was not measured here; ``add_estimates`` of one."""
        self.add_estimates([Unmeasured(workload, environment, estimate)])

    def add_estimates(self, unmeasured: Iterable[Unmeasured]) -> None:
        """Write times that were not measured here, each in the place of an earlier one of its key.

        What ``Table.takes`` has no place for is not written, nor what is known already.

        Raises:
            OSError: as ``append``.
        """
        known = {row.key: row.estimate for row in self.table.unmeasured()}
        added = [row for row in unmeasured if self.table.takes(row) and known.get(row.key) != row.estimate]
        self._write(*added)
        for row in added:
            self.table.add_estimate(*row)

    def _write(self, *contents: Content, adds: bool = False) -> None:
        data = "".join(line_of(content, adds=adds) for content in contents).encode()
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
        good, bad = read_lines(path)
        if bad:
            bad_numbers = {line.number for line in bad}
            lines = lines_of(path.read_bytes())
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
        row_of(data[start:])
        os.write(descriptor, b"\n")
    except (ValueError, KeyError, TypeError, AttributeError, WrongUse):
        os.ftruncate(descriptor, start)
