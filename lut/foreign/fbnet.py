r"""FBNet's and ChamNet's table of Caffe2 operators (arXiv 1812.03443, 1812.08934): JSON lines, times in microseconds.

A line is a record of ``runtime_lut/code/lut_schema.py`` in facebookresearch/mobile-vision: ``op_type``; ``op_args``,
each the text of a protocol buffer (``name: "kernel"\ni: 3\n``); ``input_shapes`` of the input and of the weights;
``input_dtypes``; percentiles ``runtime_us_p0`` to ``runtime_us_p100``; and ``device``.

The time of a row is its median, which is what FBNet's own code adds up, and its deviation is that of the normal
distribution with the same 10th and 90th percentile. FBNet's code takes the mean of records that are repeated; here
they are refused.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, final

from devices import Device, WrongUse
from latency import Shape, Value, Workload
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
from lut.foreign.judging import number as number_of
from lut.foreign.origins import Origin, Statement

_PREFIX = "caffe2."

_PRECISIONS: Mapping[int, str] = {1: "fp32", 3: "int8", 6: "int8", 7: "int8", 12: "fp16"}
"""Numbers of Caffe2's data types (float, byte, uint8, int8, float16) and what they are called here."""

_ARGUMENT = re.compile(r'name: "(?P<name>[a-z_]\w*)"\n(?:i: (?P<i>0|-?[1-9]\d*)|s: "(?P<s>[^"\\\n]*)")\n')

_Z10_TO_90 = 2 * 1.2815515655446004
"""Standard deviations between the 10th and the 90th percentile of a normal distribution."""

_OWN = ("shapes", "types", "arguments")

_ORIGIN = Origin(
    "",
    runtime="Caffe2 (QNNPACK)",
    evidence="the records themselves, and runtime_lut/README.md of facebookresearch/mobile-vision",
)


class _BadRecordError(ValueError):
    """A record that says nothing, or nothing that is possible; the message says why."""


@final
class FbNet(Format):
    """Operators are called ``caffe2.Int8ConvRelu`` and so on; each line says its device."""

    name = "fbnet"
    per_s = 1_000_000
    says_environment = True

    def looks_like(self, head: bytes) -> bool:
        """Whether it has lines of JSON with the fields of such records."""
        return head.lstrip().startswith(b"{") and b'"op_type"' in head and b'"input_shapes"' in head

    def read(self, path: Path, statement: Statement, tell: Tell) -> Iterator[ForeignRow | Problem]:
        """The rows in order; see ``Format.read``."""
        lines = text_of(path).split("\n")
        origins = dict[object, Origin]()
        for number, line in enumerate(lines, 1):
            tell(number, len(lines))
            if not line.strip():
                continue
            try:
                record = _record(line)
                workload = workload_of(record, statement.precision)
            except (ValueError, RecursionError, WrongUse) as error:
                yield Problem(f"line {number}", _in_words(error))
                continue
            device = str(record.get("device") or "")
            origin = origins.setdefault(device, _origin(device, path, statement))
            times = {percent: record.get(f"runtime_us_p{percent}") for percent in (10, 50, 90)}
            yield ForeignRow(f"line {number}, {record['op_type']}", workload, origin, times[50], _deviation(times))

    def refusal(self, row: KnownRow) -> str:
        """Why there is no record for ``row``."""
        if why := refusal_of_any_key(row):
            return why
        if not row.workload.operator.startswith(_PREFIX):
            return "it is no operator of Caffe2"
        is_said = reads_back(row.workload, _line, lambda line: workload_of(_record(line)))
        return "" if is_said else f"it has no record for such {row.workload.operator} workloads"

    def write(self, rows: Iterable[KnownRow], path: Path) -> None:
        """Write a record for each, with the median alone: nobody has measured the other percentiles."""
        lines = []
        for row in rows:
            assert row.estimate is not None
            time_us = in_units(row.estimate.mean_s, self.per_s)
            lines.append(
                json.dumps(
                    {**record_of(row.workload), "runtime_us_p50": time_us, "device": row.environment.device.name}
                )
            )
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def workload_of(record: Mapping[str, Any], stated_precision: str | None = None) -> Workload:
    """The workload of a record.

    Args:
        record: a record with ``op_type`` and ``input_shapes``.
        stated_precision: of a record that does not say its data types.

    Raises:
        ValueError: it says nothing, or nothing that is possible.
    """
    shapes, types = record["input_shapes"], record.get("input_dtypes") or []
    attributes = {**_arguments(record.get("op_args") or []), "shapes": _said(shapes), "types": _said([types])}
    if types and types[0] not in _PRECISIONS:
        raise _BadRecordError(f"has the data type {types[0]!r}; known are {sorted(_PRECISIONS)}")
    precision = _PRECISIONS[types[0]] if types else stated_precision or "fp32"
    is_nhwc = attributes.get("order", "NHWC" if record["op_type"].startswith("Int8") else "NCHW") == "NHWC"
    batch, shape = _input(shapes[0], is_nhwc=is_nhwc)
    return Workload(_PREFIX + record["op_type"], (shape,), attributes, precision, batch)


def record_of(workload: Workload) -> dict[str, Any]:
    """The fields of a record that name ``workload``, made by ``workload_of``."""
    values = dict(workload.attributes)
    raw = values.get("arguments")
    plain = {name: value for name, value in sorted(values.items()) if name not in _OWN}
    return {
        "op_type": workload.operator.removeprefix(_PREFIX),
        "op_args": list(raw) if isinstance(raw, tuple) else [_argument_text(*pair) for pair in plain.items()],
        "input_shapes": _numbers(values["shapes"]),
        "input_dtypes": _numbers(values["types"])[0],
    }


def _line(workload: Workload) -> str:
    return json.dumps(record_of(workload), allow_nan=False)


def _record(line: str) -> dict[str, Any]:
    """A record whose fields have the right kinds; a field that is repeated is refused."""
    pairs: Any = json.loads(line, object_pairs_hook=_no_repeats)
    if not isinstance(pairs, dict) or not isinstance(pairs.get("op_type"), str):
        raise _BadRecordError("must be an object with op_type, input_shapes and runtime_us_p50")
    shapes = pairs.get("input_shapes")
    if not isinstance(shapes, list) or not shapes or not all(isinstance(s, list) and _whole(s) for s in shapes):
        raise _BadRecordError(f"must have input_shapes, lists of whole numbers of at least 1; got {shapes!r}")
    for name, kind in (("input_dtypes", int), ("op_args", str)):
        if not all(type(item) is kind for item in pairs.get(name) or []):
            raise _BadRecordError(f"must have a list of {kind.__name__} as {name}; got {pairs[name]!r}")
    return pairs


def _no_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _BadRecordError("says a field twice")
    return found


def _whole(sizes: Sequence[Any]) -> bool:
    return bool(sizes) and all(type(size) is int and size >= 1 for size in sizes)


def _arguments(texts: Sequence[str]) -> dict[str, Value]:
    """Arguments by name; in their own words where they would not come out again as they went in."""
    matches = [_ARGUMENT.fullmatch(text) for text in texts]
    found: dict[str, Value] = {m["name"]: int(m["i"]) if m["i"] else m["s"] for m in matches if m}
    again = [_argument_text(*pair) for pair in sorted(found.items())]
    return found if again == list(texts) and not set(found) & set(_OWN) else {"arguments": tuple(texts)}


def _argument_text(name: str, value: Value) -> str:
    return f'name: "{name}"\n' + (f"i: {value}\n" if isinstance(value, int) else f's: "{value}"\n')


def _said(lists: Sequence[Sequence[int]]) -> str:
    return "+".join("x".join(map(str, numbers)) for numbers in lists)


def _numbers(text: Value) -> list[list[int]]:
    return [[int(number) for number in part.split("x") if number] for part in str(text).split("+")]


def _input(sizes: Sequence[int], *, is_nhwc: bool) -> tuple[int, Shape]:
    """Batch and shape of an input of one, two or four dimensions."""
    if len(sizes) == 4:
        batch, *rest = sizes
        channels, height, width = (rest[2], rest[0], rest[1]) if is_nhwc else rest
        return batch, (channels, height, width)
    if len(sizes) > 2:
        raise _BadRecordError(f"has an input of {len(sizes)} dimensions; known are 1, 2 and 4")
    return (sizes[0] if len(sizes) == 2 else 1), (sizes[-1], 1, 1)


def _deviation(times: Mapping[int, Any]) -> float | None:
    """Standard deviation in microseconds; None where the percentiles do not tell one."""
    low, high = number_of(times[10]), number_of(times[90])
    if low is None or high is None or not (0 < low < math.inf and 0 < high < math.inf):
        return None  # Percentiles that are not known are 0 in FBNet's schema.
    return (high - low) / _Z10_TO_90


def _origin(device: str, path: Path, statement: Statement) -> Origin:
    """The origin of records whose device is called so."""
    found = Device("cpu", device, "unknown") if device else None
    # Each record says its precision, so that there is nothing to doubt.
    return replace(_ORIGIN, file=path.name, device=found, precision="int8").stated(statement)


def _in_words(error: Exception) -> str:
    return f"it {error}" if isinstance(error, _BadRecordError) else f"it is no record: {error}"
