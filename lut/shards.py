"""Where each device of a fleet keeps what it measured until it is known to agree: a folder of tables.

``FOLDER/HOST.jsonl`` is the table of one device, and ``FOLDER/common.json`` lists what all of them measure. Whoever
writes the main table owns the folder. Every step may be the last: a row that was merged is recognised by its bursts, so
what is done twice is done once, and a shard goes only when the main table has all that is in it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import final
from urllib.parse import quote

from devices import WrongUse
from latency import Burst, Environment, Failure, Measurement, Outcome
from lut.doubts import FAILURES
from lut.filling import refuse_other_environment
from lut.missing_bursts import is_unfinished
from lut.table import Table
from lut.table_file import TableWriter, appending

_SUFFIX = ".jsonl"
_REJECTED = ".rejected"
_COMMON, _DRAFT = "common.json", "common.json.new"


@final
class Shards:
    """The folder.

    Attributes:
        folder: where it is, or will be.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def opened(self, hosts: Iterable[str]) -> Iterator[dict[str, TableWriter]]:
        """Open the table of each device for appending; those that are not there are made, and go if nothing comes.

        Raises:
            WrongUse: as ``appending``.
        """
        paths = {host: self.path(host) for host in hosts}
        try:
            with ExitStack() as stack:
                yield {host: stack.enter_context(appending(path)) for host, path in paths.items()}
        finally:
            self._remove(path for path in paths.values() if path.exists() and path.stat().st_size == 0)

    def path(self, host: str) -> Path:
        """The table of a device, whatever characters its name has."""
        return self.folder / (quote(host, safe="@:") + _SUFFIX)

    def refuse_other_environment(self, shards: Mapping[str, TableWriter], environment: Environment) -> None:
        """Raise WrongUse when what a device measured in an earlier run comes from elsewhere than ``environment``."""
        for host, shard in shards.items():
            try:
                refuse_other_environment(shard.table, environment)
            except WrongUse as error:
                raise WrongUse(
                    f"{self.path(host)} has times of an earlier run of {host} that are not in the table yet. {error} "
                    "If they are of no use any more, remove that file."
                ) from error

    def common(self) -> tuple[str, ...]:
        """Digests of the workloads that all devices measure; none before they are chosen.

        Raises:
            WrongUse: the file is damaged.
        """
        path = self.folder / _COMMON
        try:
            return tuple(map(str, json.loads(path.read_text(encoding="utf-8"))["workloads"]))
        except FileNotFoundError:
            return ()
        except (ValueError, KeyError, TypeError) as error:
            raise WrongUse(f"{path} is damaged ({error}). Remove it, and run the same command again.") from error

    def choose(self, digests: Sequence[str]) -> None:
        """Note which workloads all devices measure, so that a later run goes on with the same."""
        path = self.folder / _COMMON
        draft = path.with_name(_DRAFT)
        with draft.open("w", encoding="utf-8") as file:
            json.dump({"workloads": list(digests)}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    def reject(self, host: str) -> Path | None:
        """Set the table of a device aside that is off: its next run begins anew. Returns where it is now, if it is."""
        path = self.path(host)
        if not path.exists():
            return None
        return path.replace(path.with_name(path.name + _REJECTED))

    def clear(self, table: Table) -> None:
        """Remove what ``table`` has, and the folder when nothing else is left in it.

        A shard stays when the table lacks any of its rows, or has not finished it: it may be of another space.
        """
        self._remove(path for path in self.folder.glob(f"*{_SUFFIX}*") if _is_known(path, table))

    def _remove(self, paths: Iterable[Path]) -> None:
        for path in list(paths):
            path.unlink()
        if not any(self.folder.glob(f"*{_SUFFIX}*")):
            for name in (_COMMON, _DRAFT):
                (self.folder / name).unlink(missing_ok=True)
        if self.folder.exists() and not any(self.folder.iterdir()):
            self.folder.rmdir()


def _is_known(path: Path, table: Table) -> bool:
    try:
        return all(key in table and not is_unfinished(table[key]) for key in Table.read(path))
    except WrongUse:
        return False  # Damaged, and of a device that is not in this run: whoever named it may want to mend it.


def merge(writer: TableWriter, outcome: Outcome, *, afresh: bool = False) -> bool:
    """Take a row of a shard into the main table, every burst once, however often this is called.

    Bursts that the table has of the workload stay, and those it lacks come on top. A failure counts where there are
    none.

    Args:
        writer: the main table.
        outcome: what a device knows of a workload.
        afresh: it takes the place of what the table knows.

    Returns:
        Whether anything was written.

    Raises:
        OSError: as ``TableWriter.append``.
    """
    known = writer.table.outcome(outcome.workload, outcome.environment)
    if isinstance(outcome, Failure):
        is_news = known is None or (afresh and isinstance(known, Failure) and known != outcome)
        if is_news:
            writer.append(outcome)
        return is_news
    if not isinstance(known, Measurement):
        writer.append(outcome)
        return True
    return _join(writer, known, outcome, afresh=afresh)


def _join(writer: TableWriter, known: Measurement, outcome: Measurement, *, afresh: bool) -> bool:
    added = bursts_beyond(known, outcome)
    # One that later rounds failed for ends without a burst that could say so.
    ends = is_unfinished(known) and outcome.stopped == FAILURES and not bursts_beyond(outcome, known)
    if added and not afresh:
        writer.append(replace(outcome, bursts=added), adds=True)
    elif added or ends:
        writer.append(outcome)
    return bool(added or ends)


def bursts_beyond(known: Outcome | None, outcome: Outcome | None) -> tuple[Burst, ...]:
    """The bursts of ``outcome`` that ``known`` does not have."""
    had = known.bursts if isinstance(known, Measurement) else ()
    return tuple(b for b in outcome.bursts if b not in had) if isinstance(outcome, Measurement) else ()
