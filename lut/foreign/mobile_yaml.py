"""YAML of the form that ProxylessNAS and Once-for-All publish: a key, then count, mean, and var or std, in ms.

A YAML reader keeps the last of repeated keys and says nothing. Here the file is read event by event, so that every row
has its line number and none is lost; no object is ever built from it.
"""

from __future__ import annotations

import abc
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, final

from devices import NotAvailable, WrongUse
from latency import Workload
from lut.foreign.contract import (
    ForeignRow,
    Format,
    KnownRow,
    Problem,
    Tell,
    in_units,
    reads_back,
    refusal_of_any_key,
    text_of,
)
from lut.foreign.mobile_keys import KEY, BadKeyError
from lut.foreign.origins import Statement

# JSON is YAML, too, and Once-for-All's descendants keep their tables in it.
_START = r"^[ \t{]*['\"]?"
_OFA_ONLY = re.compile(rf"{_START}(?:{KEY}\S*-se:\d|AvgPool2D-input|Conv_2-input)", re.MULTILINE)
_PROXYLESS_ONLY = re.compile(rf"{_START}expanded_conv-input:\S+-idskip:\d['\"]?\s*:", re.MULTILINE)
_ANY = re.compile(rf"{_START}{KEY}", re.MULTILINE)


class Entry(NamedTuple):
    """A top-level key of a YAML file, with its line number from 1, and its values; a text where it has no names."""

    line: int
    key: str
    values: Mapping[str, str] | str
    repeated: tuple[str, ...] = ()


def speaks_ofa(head: bytes) -> bool | None:
    """Whether keys are Once-for-All's (True), ProxylessNAS' (False) or neither's (None), by most of those in view."""
    text = head.decode(errors="replace")
    votes = len(_OFA_ONLY.findall(text)) - len(_PROXYLESS_ONLY.findall(text))
    return votes > 0 if votes or _ANY.search(text) else None


class MobileYaml(Format):
    """The file that the two formats share; what a key means is up to each."""

    spread: str
    """What the file calls the spread of times: ``var`` or ``std``."""

    @abc.abstractmethod
    def workload(self, key: str, precision: str = "fp32") -> Workload:
        """What ``key`` names.

        Raises:
            BadKeyError: it names nothing.
        """

    @final
    def has_key(self, text: str) -> bool:
        """Whether ``text`` names a layer."""
        try:
            return bool(self.workload(text))
        except (BadKeyError, WrongUse):
            return False

    @abc.abstractmethod
    def key(self, workload: Workload) -> str | None:
        """The key of ``workload``; None when there is none."""

    @final
    def read(self, path: Path, statement: Statement, tell: Tell) -> Iterator[ForeignRow | Problem]:
        """The rows in order; see ``Format.read``."""
        origin = self.origin(path, statement)
        for entry in entries(path, tell):
            where = f"line {entry.line}, {entry.key}"
            if isinstance(entry.values, str) or entry.repeated:
                yield Problem(where, _malformed(entry))
                continue
            try:
                workload = self.workload(entry.key, origin.precision or "fp32")
            except (BadKeyError, WrongUse) as error:
                yield Problem(where, f"its key {error}", entry.key)
                continue
            spread = next((name for name in ("std", "var") if name in entry.values), None)
            deviation = None if spread is None else entry.values[spread]
            yield ForeignRow(where, workload, origin, entry.values.get("mean"), deviation, spread == "var")

    @final
    def refusal(self, row: KnownRow) -> str:
        """Why there is no key for ``row``."""
        workload = row.workload
        if why := refusal_of_any_key(row):
            return why
        if workload.batch != 1:
            return "its keys are for a batch of 1"
        is_said = reads_back(workload, self.key, lambda key: self.workload(key, workload.precision))
        return "" if is_said else f"it has no key for such {workload.operator} workloads"

    @final
    def write(self, rows: Iterable[KnownRow], path: Path) -> None:
        """Write mean and spread under each key, in the order of keys. No count: the bursts here are no such timings."""
        lines = []
        for key, row in sorted(((self.key(row.workload) or "", row) for row in rows), key=itemgetter(0)):
            assert row.estimate is not None
            lines += [f"{key}:", f"  mean: {in_units(row.estimate.mean_s)!r}"]
            deviation_ms = in_units(row.estimate.standard_deviation_s)
            if not math.isnan(deviation_ms):
                lines.append(f"  {self.spread}: {deviation_ms if self.spread == 'std' else deviation_ms**2!r}")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def entries(path: Path, tell: Tell) -> Iterator[Entry]:
    """The top-level keys of a YAML file in order, repeated ones as often as they occur.

    Raises:
        WrongUse: the file is no YAML, or no mapping at its top.
    """
    text = text_of(path)
    yaml = _yaml()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    events = (event for event in yaml.parse(text, Loader=loader) if not isinstance(event, _noise(yaml)))
    try:
        if not isinstance(next(events, None), yaml.MappingStartEvent):
            raise WrongUse(f"{path} has no keys at its top. A table has a key for each row.")
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            tell(event.start_mark.index, len(text))
            line, key = event.start_mark.line + 1, _text(event, events)
            yield _entry(line, key, next(events), events)
        _refuse_another_document(next(events, None), path)
    except yaml.YAMLError as error:
        raise WrongUse(f"{path} is no YAML: {' '.join(str(error).split())}. Mend it there.") from error


def _refuse_another_document(event: Any, path: Path) -> None:
    if event is not None:
        raise WrongUse(
            f"{path} must be one YAML document; at line {event.start_mark.line + 1} another one begins. Take out the "
            "'---' between them where their rows belong together, else make it two files."
        )


def _entry(line: int, key: str, event: Any, events: Iterator[Any]) -> Entry:
    """The entry whose value begins with ``event``."""
    if type(event).__name__ != "MappingStartEvent":
        return Entry(line, key, _text(event, events))
    values, repeated = dict[str, str](), list[str]()
    while type(name := next(events)).__name__ != "MappingEndEvent":
        label, text = (_text(part, events) for part in (name, next(events)))
        repeated += [label] * (label in values)
        values[label] = text
    return Entry(line, key, values, tuple(repeated))


def _text(event: Any, events: Iterator[Any]) -> str:
    """The text of a scalar; of anything else that it is none, after going past it."""
    if type(event).__name__ == "ScalarEvent":
        return str(event.value)
    depth = int(type(event).__name__.endswith("StartEvent"))
    while depth > 0:
        kind = type(next(events)).__name__
        depth += kind.endswith("StartEvent") - kind.endswith("EndEvent")
    return "a list, a mapping or a reference"


def _malformed(entry: Entry) -> str:
    if entry.repeated:
        return f"it says {entry.repeated[0]} twice"
    return f"it must have mean and var or std; got {entry.values!r}"


def _noise(yaml: Any) -> tuple[type, ...]:
    return (yaml.StreamStartEvent, yaml.StreamEndEvent, yaml.DocumentStartEvent, yaml.DocumentEndEvent)


def _yaml() -> Any:
    try:
        import yaml
    except ImportError as error:
        raise NotAvailable("Tables in YAML need PyYAML. This installs it: pip install pyyaml") from error
    return yaml
