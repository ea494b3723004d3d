"""A workload: one piece of a network whose time can be asked for."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from devices import WrongUse

Shape: TypeAlias = tuple[int, int, int]
"""Channels, height and width of one input, without the batch."""

Value: TypeAlias = "int | float | str | bool | tuple[Value, ...]"
"""What an attribute may hold: plain values and tuples of them."""

PRECISION_BYTES: Mapping[str, int] = {"fp32": 4, "fp16": 2, "bf16": 2, "int8": 1}
"""Bytes of one element, for each precision."""


@dataclass(frozen=True, eq=False)
class Workload:
    """An operator applied to inputs of known shape.

    Two workloads are equal exactly when their digests are: the digest covers everything that changes the
    time and nothing else, and the order in which attributes were given is no part of it.

    Attributes:
        operator: name in the registry of operators.
        inputs: shape of each input: channels, height, width.
        attributes: the operator's attributes by name; values are plain or tuples of plain values.
        precision: number format, one of ``PRECISION_BYTES``.
        batch: images in one forward pass.

    Raises:
        WrongUse: a size is not positive, the precision is unknown, or an attribute holds something that has
            no canonical form (a list, None, an infinite number).
    """

    operator: str
    inputs: tuple[Shape, ...]
    attributes: Mapping[str, Value] = field(default_factory=dict)
    precision: str = "fp32"
    batch: int = 1

    def __post_init__(self) -> None:
        sizes = [size for shape in self.inputs for size in shape] + [self.batch]
        whole = all(type(size) is int and size >= 1 for size in sizes)
        if not whole or any(len(shape) != 3 for shape in self.inputs):
            raise WrongUse(
                f"A workload needs inputs of (channels, height, width) and a batch, whole and all at least 1; "
                f"got inputs {self.inputs} and batch {self.batch}."
            )
        if self.precision not in PRECISION_BYTES:
            known = ", ".join(PRECISION_BYTES)
            raise WrongUse(f"Precision must be one of {known}; got {self.precision!r}.")
        for name, value in self.attributes.items():
            _refuse_without_canonical_form(name, value)

    @cached_property
    def digest(self) -> str:
        """Hexadecimal digest of everything that changes the time."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Workload) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def describe(self) -> str:
        """One line for the screen: operator, input shapes and scalar attributes."""
        shapes = " + ".join("x".join(map(str, shape)) for shape in self.inputs)
        scalars = " ".join(f"{k}={v}" for k, v in sorted(self.attributes.items()) if not isinstance(v, tuple))
        return f"{self.operator} {shapes} {scalars}".rstrip()

    def to_json(self) -> dict[str, Any]:
        """The workload as plain values."""
        return {
            "operator": self.operator,
            "inputs": [list(shape) for shape in self.inputs],
            "attributes": {name: _plain(value) for name, value in self.attributes.items()},
            "precision": self.precision,
            "batch": self.batch,
        }

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Workload:
        """Rebuild what ``to_json`` gave.

        Raises:
            KeyError: a field is missing.
            WrongUse: a field holds something a workload cannot have.
        """
        return Workload(
            operator=values["operator"],
            inputs=tuple(tuple(shape) for shape in values["inputs"]),
            attributes={name: _frozen(value) for name, value in values["attributes"].items()},
            precision=values["precision"],
            batch=values["batch"],
        )


def _refuse_without_canonical_form(name: str, value: object) -> None:
    if isinstance(value, tuple):
        for item in value:
            _refuse_without_canonical_form(name, item)
    elif not isinstance(value, int | float | str) or (isinstance(value, float) and not math.isfinite(value)):
        raise WrongUse(f"Attribute {name!r} must hold finite numbers, text or tuples of them; got {value!r}.")


def _plain(value: Value) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _frozen(value: Any) -> Value:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def unique(workloads: Iterable[Workload]) -> tuple[Workload, ...]:
    """The different workloads among ``workloads``, in the order of their first occurrence."""
    return tuple(dict.fromkeys(workloads))
