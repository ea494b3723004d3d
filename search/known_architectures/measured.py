"""Architectures of one space with the latencies that somebody measured, checked row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

from devices import WrongUse
from latency import ArchitectureCodes

Array: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]


@final
@dataclass(frozen=True, eq=False)
class MeasuredArchitectures:
    """What a file holds once it is checked.

    Attributes:
        codes: the architectures that are usable, n of them.
        time_s: latency by device, each of shape (n,), in seconds; NaN where a device did not run one.
        row: which row of the file each architecture was, shape (n,); files keep the order of measurement.
        problems: rows that were left out, each with the reason.
    """

    codes: ArchitectureCodes
    time_s: Mapping[str, Array]
    row: Integers
    problems: Mapping[int, str]

    def of(self, device: str) -> tuple[ArchitectureCodes, Array, Array]:
        """What ``device`` ran: the codes, the latencies in seconds, and the order, for ``fit_architectures``.

        Raises:
            WrongUse: there is no such device.
        """
        if device not in self.time_s:
            raise WrongUse(f"The device must be one of {', '.join(self.time_s)}; got {device!r}. Name one of them.")
        ran = np.isfinite(self.time_s[device])
        return self.codes[ran], self.time_s[device][ran], self.row[ran].astype(np.float64)

    def describe(self) -> str:
        """How much there is, and what was left out."""
        missing = sum(int(np.isnan(times).sum()) for times in self.time_s.values())
        said = [f"{len(self.codes)} architectures, {len(self.time_s)} devices"]
        said += [f"{missing} latencies missing"] if missing else []
        said += [f"{len(self.problems)} rows left out"] if self.problems else []
        said += [f"whole milliseconds on {', '.join(self.coarse)}"] if self.coarse else []
        return "; ".join(said)

    @property
    def coarse(self) -> tuple[str, ...]:
        """Devices whose clock tells whole milliseconds: single relative errors say little there."""
        known_ms = {name: times[np.isfinite(times)] * 1e3 for name, times in self.time_s.items()}
        return tuple(name for name, ms in known_ms.items() if np.allclose(ms, np.round(ms), rtol=0, atol=1e-9))

    @staticmethod
    def checked(
        codes: ArchitectureCodes, time_s: Mapping[str, Array], identity: Integers, problems: Mapping[int, str]
    ) -> MeasuredArchitectures:
        """Keep what can be learned from, and say of every other row why it cannot.

        A latency that is not positive or not finite (a failure that was written as a number) is missing, not a time;
        of an architecture that occurs twice the later row is left out, so that none is both learned from and tested.

        Args:
            codes: one row for each row of the file, whatever is in it.
            time_s: latencies by device, in seconds, likewise.
            identity: integers that say which architecture it is, shape (rows, any).
            problems: what is known to be wrong already, by row.

        Raises:
            WrongUse: no row is usable.
        """
        found = dict(problems)
        for row, first in _repeated(identity).items():
            found.setdefault(row, f"the same architecture as row {first}")
        known = {name: np.where(np.isfinite(times) & (times > 0), times, np.nan) for name, times in time_s.items()}
        for row in np.flatnonzero(np.all([np.isnan(times) for times in known.values()], axis=0)).tolist():
            found.setdefault(row, "no device has a latency above 0 s for it")
        kept = np.setdiff1d(np.arange(len(codes)), list(found))
        if not len(kept):
            raise WrongUse(
                f"At least one row must be usable; none of {len(codes)} is: {dict(list(found.items())[:3])}."
            )
        times = {name: values[kept] for name, values in known.items()}
        return MeasuredArchitectures(codes[kept], times, kept, dict(sorted(found.items())))


def read_arrays(file: Path, needed: tuple[str, ...], prefix: str) -> Mapping[str, npt.NDArray[Any]]:
    """The arrays of an npz file.

    Args:
        file: one that holds arrays only.
        needed: arrays it must have.
        prefix: of the names of the arrays with latencies, of which there must be one at least.

    Raises:
        WrongUse: it cannot be read, or has not what it must have.
    """
    try:
        with np.load(file, allow_pickle=False) as opened:
            arrays = {name: np.asarray(opened[name]) for name in opened.files}
    except (OSError, ValueError) as error:
        raise WrongUse(f"{file} must be an npz file of arrays; it cannot be read ({error}).") from error
    missing = [name for name in needed if name not in arrays]
    if missing or not any(name.startswith(prefix) for name in arrays):
        raise WrongUse(
            f"{file} must have the arrays {', '.join(needed)} and {prefix}DEVICE; got {', '.join(arrays) or 'none'}."
        )
    return arrays


def matrix(values: npt.NDArray[Any], name: str, columns: int) -> Integers:
    """``values`` as whole numbers, shape (rows, columns).

    Raises:
        WrongUse: they have another shape or are no whole numbers.
    """
    if values.ndim != 2 or values.shape[1] != columns or values.dtype.kind not in "iu":
        raise WrongUse(f"{name} must be whole numbers of shape (rows, {columns}); got {values.dtype} {values.shape}.")
    return values.astype(np.int64)


def latencies_s(arrays: Mapping[str, npt.NDArray[Any]], prefix: str, rows: int) -> dict[str, Array]:
    """Latencies by device, from milliseconds to seconds.

    Raises:
        WrongUse: a device has not one number for each row.
    """
    found = {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
    wrong = {name: values.shape for name, values in found.items() if values.shape != (rows,)}
    if wrong:
        raise WrongUse(f"Each device must have one latency for each of the {rows} rows; got {wrong}.")
    return {name: values.astype(np.float64) / 1e3 for name, values in found.items()}


def outside(values: Integers, allowed: tuple[int, ...], name: str) -> dict[int, str]:
    """By row: which value of a matrix is none of those allowed."""
    wrong = ~np.isin(values, allowed)
    rows = np.flatnonzero(wrong.any(axis=1))
    first = {int(row): int(wrong[row].argmax()) for row in rows}
    return {row: f"{name} is {values[row, at]} at place {at}, none of {allowed}" for row, at in first.items()}


def _repeated(identity: Integers) -> dict[int, int]:
    """Rows whose architecture occurred before, and the row of its first occurrence."""
    _, first, inverse = np.unique(identity, axis=0, return_index=True, return_inverse=True)
    earliest = first[inverse.ravel()]
    return {row: int(earliest[row]) for row in range(len(identity)) if earliest[row] != row}
