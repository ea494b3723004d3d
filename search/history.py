"""The file that a search appends its trials to: what survives a kill, and what a search goes on from."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, final

from devices import WrongUse
from search.strategies import Trial

_SCHEMA = 1


@final
class History:
    """JSON lines, one for each trial, after one that says which search it was where that was told.

    A line is on the disk before its trial is told to anybody. The last line may be torn, by a kill or a power cut while
    it was written: it is cut off, and its network evaluated again.

    Args:
        path: the file; None keeps nothing.
        identity: what decides which trials a search makes (strategy, seed, evaluator), as plain values. With it,
            trials of another search are refused however well their numbers fit.
    """

    def __init__(self, path: Path | None, identity: Mapping[str, object] | None = None) -> None:
        self._path = path
        # As it comes back from a file: tuples are lists there.
        self._identity = None if identity is None else json.loads(json.dumps(dict(identity)))

    def read(self, belongs: Callable[[Trial], bool]) -> list[Trial]:
        """The trials so far.

        Args:
            belongs: whether a trial fits space, costs and limits.

        Raises:
            WrongUse: the file is damaged or belongs to another search.
        """
        if self._path is None or not self._path.exists():
            return []
        lines = self._whole_lines(self._path)
        try:
            values = [json.loads(line) for line in lines]
            header = _identity_in(values.pop(0)) if values and "search" in values[0] else None
            trials = [Trial.from_json(value) for value in values]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WrongUse(f"{self._path} is no history of a search ({error}). Move it away to begin anew.") from error
        self._refuse_other(header, bool(values) or header is not None)
        if not all(map(belongs, trials)):
            raise WrongUse(
                f"{self._path} belongs to another search: its networks do not fit this space, cost and limit. "
                "Move it away to begin anew, or choose another --out."
            )
        return trials

    def append(self, trial: Trial) -> None:
        """Write one trial; when this returns it is on the disk."""
        if self._path is None:
            return
        begun = self._path.exists() and self._path.stat().st_size > 0
        header = [] if begun or self._identity is None else [{"schema": _SCHEMA, "search": self._identity}]
        append_lines(self._path, [*header, trial.to_json()])

    def _refuse_other(self, header: object, begun: bool) -> None:
        if not begun or header == self._identity:
            return
        known, own = (value if isinstance(value, dict) else {} for value in (header, self._identity))
        differing = [name for name in sorted({*known, *own}) if known.get(name) != own.get(name)]
        raise WrongUse(
            f"{self._path} belongs to another search, with other {' and '.join(differing)}. "
            "Move it away (--no-resume does) to begin anew, or choose another --out."
        )

    @staticmethod
    def _whole_lines(path: Path) -> list[bytes]:
        data = path.read_bytes()
        if data and not data.endswith(b"\n"):
            # The process was killed while it wrote the last line.
            data = data[: data.rfind(b"\n") + 1]
            os.truncate(path, len(data))
        return data.splitlines()


def _identity_in(header: Mapping[str, Any]) -> object:
    if header["schema"] > _SCHEMA:
        raise ValueError(f"it has schema {header['schema']}, and this version knows {_SCHEMA}")
    return header["search"]


def append_lines(path: Path, values: list[dict[str, Any]]) -> None:
    """Append one line of JSON for each value, by one write, and wait until the disk has them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(value) + "\n" for value in values)
    with path.open("ab", buffering=0) as file:
        file.write(text.encode())
        os.fsync(file.fileno())
