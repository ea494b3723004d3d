"""Measured workloads that differ from another in one respect only, and what their errors say about it.

Tables of blocks and kernels are grids: the same convolution with twice the channels, at half the size, with another
kernel. What a model gets wrong at one point of such a grid it gets wrong at the next one too, because the cause is the
same: another algorithm was chosen, a tile overlaps. So the errors at the nearest measured points along each axis, and
a straight line between them, are good features of the point itself.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

from latency.operators import operator_of
from latency.workload import Workload

Array: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]
Hashes: TypeAlias = npt.NDArray[np.uint64]

_OWN = ("operator", "others", "batch", "source", "height", "width")
"""Coordinates that every workload has, before its attributes: ``others`` stands for whatever is no number."""

_COUNT_CHANNELS = ("channels", "groups", "middle")
"""Attributes that grow with the channels of the input where a whole network is made wider."""

NO_NEIGHBOUR = -1
"""Index of a neighbour where there is none."""


@final
@dataclass(frozen=True, eq=False)
class Coordinates:
    """Places of workloads in the grid.

    Attributes:
        names: of the columns: ``_OWN``, then attributes that are numbers.
        values: shape (n, columns); NaN where a workload has no such attribute.
    """

    names: tuple[str, ...]
    values: Array

    @staticmethod
    def of(workloads: Sequence[Workload], attributes: Sequence[str] | None = None) -> Coordinates:
        """Coordinates of ``workloads``; attributes not among ``attributes`` are part of ``others``.

        Args:
            workloads: n of them.
            attributes: names of the columns after the first ones; those of ``workloads`` where it is not given.
        """
        names = tuple(sorted({name for w in workloads for name in _numbers(w)}) if attributes is None else attributes)
        rows = [_row(workload, names) for workload in workloads]
        return Coordinates((*_OWN, *names), np.array(rows, dtype=np.float64).reshape(len(rows), len(_OWN) + len(names)))

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, name: str) -> Array:
        return self.values[:, self.names.index(name)]

    def at(self, rows: Indices) -> Coordinates:
        """Those of these indices."""
        return Coordinates(self.names, self.values[rows])

    def families(self) -> Indices:
        """A number for each workload, from 0 on, the same for those of the same channels; shape (n,)."""
        names = ["source", *(name for name in self.attributes if name in _COUNT_CHANNELS)]
        columns = [self.names.index(name) for name in names]
        found = np.unique(np.nan_to_num(self.values[:, columns]), axis=0, return_inverse=True)[1]
        return np.asarray(found.ravel(), dtype=np.intp)

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of the attributes that are columns."""
        return self.names[len(_OWN) :]

    def logarithms(self) -> Array:
        """Logarithms of the attributes, shape (n, attributes); NaN where a workload has no such attribute."""
        return np.log(np.maximum(self.values[:, len(_OWN) :], 1e-3))  # Attributes may be 0, such as a padding.

    def to_json(self) -> dict[str, Any]:
        """The coordinates as plain values; None where a workload has no such attribute."""
        rows = [[None if math.isnan(value) else value for value in row] for row in self.values.tolist()]
        return {"names": list(self.names), "values": rows}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Coordinates:
        """Rebuild what ``to_json`` gave.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        names = tuple(values["names"])
        return Coordinates(names, np.array(values["values"], dtype=np.float64).reshape(-1, len(names)))


def _numbers(workload: Workload) -> Mapping[str, float]:
    return {name: value for name, value in workload.attributes.items() if isinstance(value, int | float)}


def _row(workload: Workload, names: Sequence[str]) -> tuple[float, ...]:
    source, height, width = workload.inputs[0]
    numbers = _numbers(workload)
    rest = {name: value for name, value in workload.attributes.items() if name not in names or name not in numbers}
    # An input of the shape of the output, to be added to it, follows from the rest.
    output = operator_of(workload).output(workload) if len(workload.inputs) > 1 else None
    more = [shape for shape in workload.inputs[1:] if shape != output]
    others = _hash((workload.precision, more, sorted(rest.items())))
    attributes = (numbers.get(name, math.nan) for name in names)
    return (_hash(workload.operator), others, workload.batch, source, height, width, *attributes)


def _hash(value: object) -> int:
    """The same number for the same value in every process."""
    return zlib.crc32(repr(value).encode())


@final
@dataclass(frozen=True, eq=False)
class _Axis:
    """One respect in which workloads may differ.

    Attributes:
        groups: a number for each workload, the same for those that differ in nothing else, shape (n,).
        places: where each is on the axis, shape (n,); NaN where it is not on this axis.
        is_ordered: whether places are sizes, so that there is a line between two of them.
    """

    groups: Hashes
    places: Array
    is_ordered: bool = True


def _axes(at: Coordinates) -> dict[str, _Axis]:
    """Axes by name. Two workloads are in one group exactly when all that is hashed is the same (up to 1 in 2^64)."""
    hashed = {name: _mixed(at[name], salt) for salt, name in enumerate(at.names)}
    everything = _total(hashed.values())
    single = [name for name in at.names if name not in ("others", "height", "width")]
    axes = {name: _Axis(everything - hashed[name], at[name], name != "operator") for name in single}
    image = _mixed(at["width"] / at["height"], len(at.names))
    axes["size"] = _Axis(everything - hashed["height"] - hashed["width"] + image, at["height"])
    axes["width_of_network"] = _Axis(_shape_of_channels(at, hashed, everything), at["source"])
    return axes


def _shape_of_channels(at: Coordinates, hashed: Mapping[str, Hashes], everything: Hashes) -> Hashes:
    """Groups whose workloads differ by a factor in all channels; 1 group stays 1."""
    groups = everything - hashed["source"]
    for salt, name in enumerate(name for name in at.attributes if name in _COUNT_CHANNELS):
        ratio = np.where(at[name] == 1, 0.0, at[name] / at["source"])
        groups = groups - hashed[name] + _mixed(ratio, len(at.names) + 1 + salt)
    return groups


def _total(hashes: Any) -> Hashes:
    return np.asarray(sum(hashes), dtype=np.uint64)


def _mixed(values: Array, salt: int) -> Hashes:
    """The bits of each number mixed, so that sums of them are hashes (SplitMix64; Steele and others 2014)."""
    bits = (values + 0.0).view(np.uint64) + np.uint64((salt + 1) * 0x9E3779B97F4A7C15 % 2**64)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(bits ^ (bits >> np.uint64(31)), dtype=np.uint64)


@final
@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest measured workloads of each of n workloads, on either side of each axis.

    Attributes:
        indices: for each axis by name, which measured ones, shape (n, 2): the one below and the one above;
            ``NO_NEIGHBOUR`` where there is none.
        distances: logarithm of the ratio of their place on the axis to one's own, of the same shape; NaN where there
            is none.
        ordered: names of the axes that are sizes.
    """

    indices: Mapping[str, Indices]
    distances: Mapping[str, Array]
    ordered: frozenset[str]

    @staticmethod
    def among(measured: Coordinates, workloads: Coordinates) -> Neighbours:
        """The neighbours of ``workloads`` among ``measured``; never those of the same place, so never itself."""
        known, asked = _axes(measured), _axes(workloads)
        indices, distances = {}, {}
        for name, axis in asked.items():
            found = _nearest(known[name], axis)
            places = np.where(found == NO_NEIGHBOUR, np.nan, known[name].places[found])
            indices[name] = found
            distances[name] = np.log(np.maximum(places, 1e-3)) - np.log(np.maximum(axis.places, 1e-3))[:, None]
        return Neighbours(indices, distances, frozenset(name for name, axis in asked.items() if axis.is_ordered))

    def columns(self, errors: Array) -> Array:
        """What the errors of measured workloads say, shape (n, columns); NaN where there is no neighbour.

        Args:
            errors: of a model, at each measured workload, shape (measured,).
        """
        found, said = [], []
        for name, indices in self.indices.items():
            values = np.where(indices == NO_NEIGHBOUR, np.nan, errors[indices])
            found.append(values)
            if name in self.ordered:
                found.append(_interpolated(values, self.distances[name]))
                said.append(found[-1][:, None])
            else:
                said.append(values)
        return np.column_stack([*found, _summary(np.hstack(said))])


def _nearest(known: _Axis, asked: _Axis) -> Indices:
    """Indices of the nearest ones below and above, shape (n, 2)."""
    groups = np.unique(known.groups)
    places = np.unique(np.concatenate([known.places, asked.places]))
    keys = _keys(known, groups, places)
    order = np.argsort(keys, kind="stable")
    ascending, wanted = keys[order], _keys(asked, groups, places)
    positions = np.column_stack(
        [np.searchsorted(ascending, wanted, "left") - 1, np.searchsorted(ascending, wanted, "right")]
    )
    exists = (positions >= 0) & (positions < len(order))
    found = order[np.clip(positions, 0, len(order) - 1)]
    same_group = known.groups[found] == asked.groups[:, None]
    on_axis = np.isfinite(asked.places)[:, None] & np.isfinite(known.places[found])
    return np.where(exists & same_group & on_axis, found, NO_NEIGHBOUR)


def _keys(axis: _Axis, groups: Hashes, places: Array) -> Indices:
    """Numbers that sort by group, then by place."""
    return np.searchsorted(groups, axis.groups) * (len(places) + 1) + np.searchsorted(places, axis.places)


def _interpolated(values: Array, distances: Array) -> Array:
    """On the line between the nearest below and above; the only one where there is but one, shape (n,)."""
    below, above = values.T
    low, high = distances.T
    between = (below * high - above * low) / (high - low)
    return np.asarray(np.where(np.isnan(between), np.where(np.isnan(below), above, below), between))


def _summary(values: Array) -> Array:
    """Mean, median, least and greatest of each row, without those that are NaN, and how many are left, shape (n, 5)."""
    ascending = np.sort(values, axis=1)  # NaN comes last.
    count = np.isfinite(values).sum(axis=1)
    rows, last = np.arange(len(values)), np.maximum(count - 1, 0)
    median = (ascending[rows, last // 2] + ascending[rows, (last + 1) // 2]) / 2
    mean = np.nansum(values, axis=1) / np.where(count, count, np.nan)
    return np.column_stack([mean, median, ascending[:, 0], ascending[rows, last], count])
