"""Spaces of chains that are declared in TOML: stages, and candidates by operator and attributes.

::

    plug_ins = ["my_operators.py"]    # may be left out; beside this file
    input = [96, 192]                 # height and width, when none is asked for
    classes = 11
    reference = "k3e3"                # candidate that limits in percent refer to, in every unit

    [[stem]]
    operator = "convolution"
    channels = 8
    kernel = 3
    stride = 2

    [[stages]]                        # one after another; only the first unit of each has the stride
    channels = 16
    units = 2
    stride = 2

    [[candidates]]                    # six: a list makes a candidate of each of its values
    name = "k{kernel}e{expansion}"
    operator = "inverted_residual"
    kernel = [3, 5]
    expansion = [1, 3, 6]
    groups = 1
    dilation = 1

    [[candidates]]
    name = "skip"
    operator = "identity"
    where = "same shape"              # or "new width" or "stride": only in such units

    [decoder]
    operator = "classifier"
    pool = 1

A candidate has ``channels`` and ``stride`` of its stage, and a decoder ``classes`` and the ``height`` and ``width`` of
the input, where their operator takes them and they are not given. ``[[head]]`` is written as ``[[stem]]`` is; a
decoder that reads two inputs says with ``tap`` which unit's output the second is, counted from 0.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from devices import WrongUse
from latency import OPERATORS, Shape, Value, Workload
from search.spaces.chains import Stage, output_of, stage_units
from search.spaces.space import Candidate, Space

_TABLES = {"stem", "stages", "candidates", "head"}
_PLAIN = {"plug_ins", "input", "classes", "reference", "decoder"}
_WHERE = ("same shape", "new width", "stride")
"""Units that keep the shape; those of stride 1 that do not; and those of another stride."""


def declared_space(
    name: str, values: Mapping[str, Any], input_size: tuple[int, int] | None, classes: int | None, precision: str
) -> Space:
    """Build the space that ``values`` declare.

    Args:
        name: its name, for messages, too.
        values: what the TOML file holds.
        input_size: height and width of the input; the file's own when None.
        classes: number of classes; the file's own when None.
        precision: number format of all workloads.

    Raises:
        WrongUse: something is missing, or an operator does not take what it is given; with where.
    """
    _refuse_unknown(name, values)
    size = _size(name, values) if input_size is None else input_size
    count = _whole(name, values, "classes") if classes is None else classes
    stem = _row(f"{name}, stem", values.get("stem", []), (3, *size), precision)
    first = output_of(stem[-1]) if stem else (3, *size)
    declared = [_listed(f"{name}, candidates", entry) for entry in values["candidates"]]

    def candidates(source: Shape, channels: int, stride: int) -> tuple[Candidate, ...]:
        made = (_candidates(name, entry, source, channels, stride, precision) for entry in declared)
        found = tuple(itertools.chain.from_iterable(made))
        if not found:
            raise WrongUse(f"{name}: no candidate fits a unit that reads {source}. Leave out `where` for one of them.")
        return found

    units = stage_units([_stage(name, entry) for entry in values["stages"]], first, candidates)
    ends = [output_of(unit.candidates[0].workload) for unit in units]
    head = _row(f"{name}, head", values.get("head", []), ends[-1], precision)
    tap = _tap(name, values["decoder"], len(units))
    read = (output_of(head[-1]) if head else ends[-1], *([] if tap is None else [ends[tap]]))
    more = {"classes": count, "height": size[0], "width": size[1]}
    given = {key: value for key, value in values["decoder"].items() if key != "tap"}
    decoder = _workload(f"{name}, decoder", given, more, read, precision)
    reference = values["reference"]
    for unit in units:
        if reference not in unit.names:
            raise WrongUse(f"{name}: every unit needs the reference {reference!r}; {unit.name} has {unit.names}.")
    picks = tuple(unit.names.index(reference) for unit in units)
    return Space(name, size, count, stem, units, head, tap, decoder, picks)


def _refuse_unknown(name: str, values: Mapping[str, Any]) -> None:
    unknown, missing = set(values) - _TABLES - _PLAIN, {"stages", "candidates", "decoder", "reference"} - set(values)
    if unknown or missing:
        what = f"does not know {sorted(unknown)}" if unknown else f"lacks {sorted(missing)}"
        raise WrongUse(f"{name} {what}. A space has {', '.join(sorted(_PLAIN | _TABLES))}.")
    for key in _TABLES & set(values):
        if not isinstance(values[key], list) or not all(isinstance(entry, dict) for entry in values[key]):
            raise WrongUse(f"{name}: {key} must be written as [[{key}]], as often as there are; got {values[key]!r}.")
    for key in ("stages", "candidates"):
        if not values[key]:
            raise WrongUse(f"{name} needs at least one [[{key}]].")
    if not isinstance(values["decoder"], dict):
        raise WrongUse(f"{name}: the decoder must be written as [decoder]; got {values['decoder']!r}.")


def _size(name: str, values: Mapping[str, Any]) -> tuple[int, int]:
    size = values.get("input")
    if not isinstance(size, list) or len(size) != 2 or not all(type(side) is int for side in size):
        raise WrongUse(f"{name} needs input = [HEIGHT, WIDTH], or --input on the command line; got {size!r}.")
    return size[0], size[1]


def _whole(name: str, values: Mapping[str, Any], key: str) -> int:
    value = values.get(key)
    if type(value) is not int:
        raise WrongUse(f"{name} needs a whole number as {key}; got {value!r}.")
    return value


def _stage(name: str, entry: Mapping[str, Any]) -> Stage:
    if set(entry) != {"channels", "units", "stride"}:
        raise WrongUse(f"{name}: a stage has channels, units and stride; got {sorted(entry)}.")
    return Stage(*(_whole(f"{name}: a stage", entry, key) for key in ("channels", "units", "stride")))


def _tap(name: str, decoder: Mapping[str, Any], units: int) -> int | None:
    if "tap" not in decoder:
        return None
    tap = _whole(f"{name}: the decoder", decoder, "tap")
    if not 0 <= tap < units:
        raise WrongUse(f"{name}: tap is one of {units} units, counted from 0; got {tap}.")
    return tap


def _row(where: str, entries: Sequence[Mapping[str, Any]], source: Shape, precision: str) -> tuple[Workload, ...]:
    layers = list[Workload]()
    for entry in entries:
        layers.append(_workload(where, entry, {}, (source,), precision))
        source = output_of(layers[-1])
    return tuple(layers)


def _listed(where: str, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """A declaration of candidates with the fields that all have."""
    for key in ("name", "operator"):
        if not isinstance(entry.get(key), str):
            raise WrongUse(f"{where}: each needs text as {key}; got {entry.get(key)!r}.")
    if entry.get("where", _WHERE[0]) not in _WHERE:
        raise WrongUse(f"{where}: where is one of {', '.join(_WHERE)}; got {entry['where']!r}.")
    return entry


def _candidates(
    name: str, entry: Mapping[str, Any], source: Shape, channels: int, stride: int, precision: str
) -> Iterator[Candidate]:
    """One candidate for each combination of the values in lists; none where they are not wanted."""
    kind = "stride" if stride != 1 else "same shape" if source[0] == channels else "new width"
    if entry.get("where", kind) != kind:
        return
    fields = {key: value for key, value in entry.items() if key not in ("name", "where")}
    choices = [value if isinstance(value, list) else [value] for value in fields.values()]
    for chosen in itertools.product(*choices):
        values = dict(zip(fields, chosen, strict=True))
        try:
            called = entry["name"].format(**values)
        except (LookupError, ValueError) as error:
            raise WrongUse(f"{name}: {entry['name']!r} names what the candidate does not have ({error}).") from error
        more = {"channels": channels, "stride": stride}
        yield Candidate(called, (_workload(f"{name}, {called}", values, more, (source,), precision),))


def _workload(
    where: str, given: Mapping[str, Any], more: Mapping[str, Value], inputs: tuple[Shape, ...], precision: str
) -> Workload:
    """A workload with the attributes given, and those of ``more`` that its operator takes beside."""
    try:
        operator = OPERATORS[str(given.get("operator"))]
        attributes = {key: value for key, value in more.items() if key in operator.attributes}
        attributes |= {key: value for key, value in given.items() if key != "operator"}
        workload = Workload(operator.name, inputs, attributes, precision)
        output_of(workload)
    except WrongUse as error:
        raise WrongUse(f"{where}: {error}") from error
    return workload
