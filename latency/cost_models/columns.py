"""Workloads as rows of numbers and a kind, as models of few measurements need them.

Columns are the logarithms of the amounts, a few features of how libraries cut convolutions up, and the logarithm of
every numeric attribute that is not merely a size of the output; the kind is the operator, the precision and what
attributes are spelled out. ``latency.cost_models.features`` has many more columns, for models that have thousands of
rows to learn from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

from latency.cost_models.amounts import amounts
from latency.cost_models.features import features
from latency.operators import operator_of
from latency.workload import Workload

Array: TypeAlias = npt.NDArray[np.float64]

_FEATURES = ("padding_32x32", "winograd_2x2", "source_filling_8", "channels_filling_8")
"""Of the features of many rows, those that also help with few: edges of tiles, work by Winograd's algorithm, and
channels that fill vector instructions. Others say the same in other words, and each costs a length scale."""

_LEAST_SCALE = 0.2
"""Least standard deviation of a column of logarithms: what hardly varied may vary by a fifth before it is far away."""

_LEAST_VALUE = 1e-3
"""Attributes may be 0 (a padding, a slope), which has no logarithm."""


@final
@dataclass(frozen=True, eq=False)
class Rows:
    """Workloads as numbers.

    Attributes:
        values: standardised columns, shape (n, columns).
        kinds: kind of each, shape (n,).
    """

    values: Array
    kinds: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: npt.NDArray[np.intp]) -> Rows:
        return Rows(self.values[rows], self.kinds[rows])

    def same_kind(self, other: Rows) -> Array:
        """1 where a row of this and one of the other are of one kind, 0 elsewhere, shape (n, m)."""
        return np.asarray(self.kinds[:, None] == other.kinds[None, :], dtype=np.float64)

    def to_json(self) -> dict[str, Any]:
        """The rows as plain values."""
        return {"values": self.values.tolist(), "kinds": self.kinds.tolist()}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Rows:
        """Rebuild what ``to_json`` gave."""
        return Rows(np.array(values["values"], dtype=np.float64), np.array(values["kinds"], dtype=np.str_))


@final
@dataclass(frozen=True)
class Columns:
    """Which columns there are and how they are standardised.

    Attributes:
        attributes: names of the attributes that are columns, after the amounts and features.
        centre: of each column; what a workload without the attribute has.
        scale: of each column.
        vary: whether each column varies among the workloads that this was made from.
    """

    attributes: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    vary: tuple[bool, ...]

    @staticmethod
    def of(workloads: Sequence[Workload]) -> Columns:
        """The columns that suit these workloads, at least one."""
        sizes = _sizes(workloads)
        names = sorted({name for workload in workloads for name in _numbers(workload)} - sizes)
        raw = _raw(workloads, names)
        centre, deviation = np.nanmean(raw, axis=0), np.nanstd(raw, axis=0)
        scale = np.maximum(deviation, _LEAST_SCALE)
        vary = (deviation > 0).tolist()
        return Columns(tuple(names), tuple(centre.tolist()), tuple(scale.tolist()), tuple(vary))

    def __len__(self) -> int:
        return len(self.centre)

    def rows(self, workloads: Sequence[Workload]) -> Rows:
        """These workloads as numbers."""
        standard = (_raw(workloads, self.attributes) - self.centre) / self.scale
        return Rows(np.nan_to_num(standard, nan=0.0), np.array([_kind(workload) for workload in workloads]))

    def to_json(self) -> dict[str, Any]:
        """The columns as plain values."""
        return {name: list(getattr(self, name)) for name in ("attributes", "centre", "scale", "vary")}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Columns:
        """Rebuild what ``to_json`` gave."""
        return Columns(*(tuple(values[name]) for name in ("attributes", "centre", "scale", "vary")))


def _raw(workloads: Sequence[Workload], names: Sequence[str]) -> Array:
    """Logarithms, NaN where a workload has no such attribute."""
    numbers = [_numbers(workload) for workload in workloads]
    added = [
        [np.log(max(found[name], _LEAST_VALUE)) if name in found else np.nan for name in names] for found in numbers
    ]
    described = features(workloads)
    chosen = np.column_stack([described[name] for name in _FEATURES])
    shape = (len(workloads), len(names))
    return np.hstack([np.log(amounts(workloads)), chosen, np.array(added, dtype=np.float64).reshape(shape)])


def _numbers(workload: Workload) -> dict[str, float]:
    attributes = workload.attributes.items()
    return {name: float(value) for name, value in attributes if isinstance(value, int | float) and value >= 0}


def _kind(workload: Workload) -> str:
    words = [f"{name}={value}" for name, value in sorted(workload.attributes.items()) if isinstance(value, str)]
    return " ".join((workload.operator, workload.precision, *words))


def _sizes(workloads: Sequence[Workload]) -> set[str]:
    """Names of attributes that are a size of the output, the same one in every workload that has them."""
    axes: dict[str, set[int]] = {}
    for workload in workloads:
        output = operator_of(workload).output(workload)
        for name, value in _numbers(workload).items():
            same = {axis for axis, size in enumerate(output) if size == value}
            axes[name] = axes.get(name, same) & same
    return {name for name, found in axes.items() if found}
