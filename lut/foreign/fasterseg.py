"""FasterSeg's table of segmentation operations (Chen et al., arXiv 1912.10917): a JSON object of times in ms.

Its ``latency_lookup_table.npy`` is a pickled dictionary, which is never read here; the same dictionary as JSON is.

Workloads are called after the classes that FasterSeg timed (``fasterseg.BasicResidual2x``), because what those compute
is not what their names say: the residual ones add no input, ``FactorizedReduce`` at stride 1 was timed as an identity
and at stride 2 as a single 1x1 convolution (``latency/operations.py`` there). Only ``ConvNorm`` is exactly one of our
operators, ``convolution``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, final

from devices import Device, WrongUse
from latency import Value, Workload
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
from lut.foreign.origins import Origin, Statement

_PREFIX = "fasterseg."

_RESIDUALS = ("BasicResidual1x", "BasicResidual2x", "BasicResidual_downup_1x", "BasicResidual_downup_2x")

_LAYERS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(_RESIDUALS, ("Cin", "Cout", "stride", "dilation")),
    "FactorizedReduce": ("Cin", "Cout", "stride"),
    "ConvNorm": ("Cin", "Cout", "kernel", "stride"),
    "ff": ("C",),
    "head": ("Cin", "Cout"),
}
"""What each layer's keys say after height and width, in order."""

_ATTRIBUTES: Mapping[str, str] = {"Cout": "channels", "kernel": "kernel", "stride": "stride", "dilation": "dilation"}

_KEYS = {
    name: re.compile(f"{name}_" + "_".join(rf"{part}(?P<{part}>[1-9]\d*)" for part in ("H", "W", *parts)))
    for name, parts in _LAYERS.items()
}

_EXAMPLE = "ConvNorm_H64_W128_Cin64_Cout64_kernel3_stride1"

_LIKELY = re.compile(rf'"(?:{"|".join(_LAYERS)})_H\d+_W\d+_C'.encode())


@final
class FasterSeg(Format):
    """``LAYER_H.._W.._Cin.._Cout.._stride..``: height and width are those of the input."""

    name = "fasterseg"
    published = (
        (
            r"1080ti.*\.json$",
            Origin(
                "",
                device=Device("cuda", "NVIDIA GeForce GTX 1080 Ti", "sm_61"),
                runtime="TensorRT",
                versions={"tensorrt": "5.1.5.0"},
                precision="fp32",
                evidence="FasterSeg's README (GTX 1080Ti, TensorRT 5.1.5.0) and its timing code (float32, batch 1), by "
                "the name of the file",
            ),
        ),
    )

    def looks_like(self, head: bytes) -> bool:
        """Whether it is a JSON object with such keys."""
        return head.lstrip().startswith(b"{") and _LIKELY.search(head) is not None

    def read(self, path: Path, statement: Statement, tell: Tell) -> Iterator[ForeignRow | Problem]:
        """The rows in order; see ``Format.read``."""
        origin = self.origin(path, statement)
        pairs = _pairs(path)
        for number, (key, value) in enumerate(pairs, 1):
            tell(number, len(pairs))
            where, workload = f"entry {number}, {key}", self.workload(key, origin.precision or "fp32")
            if workload is None:
                yield Problem(where, f"its key is no key of a layer, such as {_EXAMPLE}", key)
            else:
                yield ForeignRow(where, workload, origin, value)

    def has_key(self, text: str) -> bool:
        """Whether ``text`` names a layer."""
        return self.workload(text) is not None

    def workload(self, key: str, precision: str = "fp32") -> Workload | None:
        """What ``key`` names; None when it names nothing."""
        matches = ((name, match) for name, form in _KEYS.items() if (match := form.fullmatch(key)))
        name, match = next(matches, (None, None))
        if name is None or match is None:
            return None
        said = {part: int(text) for part, text in match.groupdict().items()}
        source = (said["C"] if name == "ff" else said["Cin"], said["H"], said["W"])
        attributes: dict[str, Value] = {_ATTRIBUTES[part]: size for part, size in said.items() if part in _ATTRIBUTES}
        # An even kernel does not keep the size, and then ours is another convolution.
        operator = "convolution" if name == "ConvNorm" and said["kernel"] % 2 else f"{_PREFIX}{name}"
        return Workload(operator, (source,), attributes, precision)

    def key(self, workload: Workload) -> str | None:
        """The key of ``workload``; None when there is none."""
        name = workload.operator.removeprefix(_PREFIX) if workload.operator != "convolution" else "ConvNorm"
        if name not in _LAYERS or len(workload.inputs) != 1:
            return None
        channels, height, width = workload.inputs[0]
        said: dict[str, Value | None] = {"H": height, "W": width, "C": channels, "Cin": channels}
        said |= {part: workload.attributes.get(name) for part, name in _ATTRIBUTES.items()}
        return "_".join([name, *(f"{part}{said[part]}" for part in ("H", "W", *_LAYERS[name]))])

    def refusal(self, row: KnownRow) -> str:
        """Why there is no key for ``row``."""
        workload = row.workload
        if why := refusal_of_any_key(row):
            return why
        if workload.batch != 1:
            return "its keys are for a batch of 1"
        is_said = reads_back(workload, self.key, lambda key: self.workload(key, workload.precision))
        return "" if is_said else f"it has no key for such {workload.operator} workloads"

    def write(self, rows: Iterable[KnownRow], path: Path) -> None:
        """Write the time under each key, in the order of keys."""
        times_ms = {self.key(row.workload): in_units(row.estimate.mean_s) for row in rows if row.estimate}
        path.write_text(json.dumps(times_ms, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _pairs(path: Path) -> list[tuple[str, Any]]:
    """Keys and values in order, repeated keys as often as they occur."""
    try:
        # A plain dictionary would keep the last of repeated keys and say nothing.
        found: Any = json.loads(text_of(path), object_pairs_hook=tuple)
    except (ValueError, RecursionError) as error:
        raise WrongUse(f"{path} is no JSON: {error}. Mend it there.") from error
    if not isinstance(found, tuple):
        raise WrongUse(f"{path} must hold an object of keys and times; it holds a {type(found).__name__}.")
    return list(found)
