"""What blocks may have in common: the ways in which a network may treat all blocks of a kind unlike their measurement.

A block measured alone finds its input in the cache, its layout as it likes it and the call's overhead spread over
nothing else. Inside a network each of these costs the same again for every block that shares the trait, so each trait
is one effect, and an effect that was learned from the blocks of some networks holds for blocks that were in none.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from latency.operators import operator_of
from latency.workload import PRECISION_BYTES, Shape, Value, Workload

Array: TypeAlias = npt.NDArray[np.float64]

_MOST_VALUES = 8
"""An attribute with more distinct values than this is a size, and sizes are covered by bytes and amount."""


def shared_effects(times_s: Mapping[Workload, float]) -> dict[str, Array]:
    """The effects that blocks share, in groups whose effects are expected to be equally strong.

    Only the workloads and their times are looked at, so that a new operator or space needs nothing here.

    Args:
        times_s: the measured time of each block, in seconds.

    Returns:
        For each group an array (effects, blocks): by which share of its own time a block changes when the effect is
        1. An effect that is proportional to something other than time is 1 where it is 1 on the average of all blocks,
        so that a strength of 0.03 means 3 % of a block in every group. Groups without effects are left out.
    """
    workloads = list(times_s)
    times = np.array(list(times_s.values()))
    groups = {
        "scale": [np.ones(len(workloads))],
        "call": [_against_time([1.0] * len(workloads), times)],
        "bytes": [_against_time([size(w) for w in workloads], times) for size in (_bytes_read, _bytes_written)],
        "operator": [_indicator([w.operator == name for w in workloads]) for name in _operators(workloads)],
        "attribute": _attribute_values(workloads),
        "amount": _amounts(workloads),
    }
    return {name: np.array(effects) for name, effects in groups.items() if effects}


def _against_time(amounts: Sequence[float], times_s: Array) -> Array:
    """An effect in proportion to ``amounts``, as a share of each block's time."""
    values = np.asarray(amounts, dtype=np.float64)
    return np.asarray(values / values.mean() * times_s.mean() / times_s)


def _indicator(having: Sequence[bool]) -> Array:
    return np.array(having, dtype=np.float64)


def _operators(workloads: Sequence[Workload]) -> list[str]:
    return sorted({workload.operator for workload in workloads})


def _elements(*shapes: Shape) -> int:
    return sum(channels * height * width for channels, height, width in shapes)


def _bytes_read(workload: Workload) -> float:
    return workload.batch * _elements(*workload.inputs) * PRECISION_BYTES[workload.precision]


def _bytes_written(workload: Workload) -> float:
    return workload.batch * _elements(operator_of(workload).output(workload)) * PRECISION_BYTES[workload.precision]


def _attribute_values(workloads: Sequence[Workload]) -> list[Array]:
    """One effect for each value of each attribute that sorts the blocks into kinds.

    An attribute does when it is a single value, has few distinct values, and does not merely repeat a size of the
    output. A value of one block only would be that block's own deviation once more, a value of all blocks their scale.
    """
    sizes = _sizes(workloads)
    spelled = [{(name, repr(value)) for name, value in _single(w).items() if name not in sizes} for w in workloads]
    counts = Counter(kind for kinds in spelled for kind in kinds)
    distinct = Counter(name for name, _ in counts)
    chosen = sorted(k for k, n in counts.items() if distinct[k[0]] <= _MOST_VALUES and 1 < n < len(workloads))
    return [_indicator([kind in kinds for kinds in spelled]) for kind in chosen]


def _sizes(workloads: Sequence[Workload]) -> set[str]:
    """Names of attributes that are a size of the output, the same one in every block that has them."""
    roles: dict[str, list[set[int]]] = {}
    for workload in workloads:
        output = operator_of(workload).output(workload)
        for name, value in _single(workload).items():
            roles.setdefault(name, []).append({axis for axis, size in enumerate(output) if size == value})
    return {name for name, found in roles.items() if set.intersection(*found)}


def _single(workload: Workload) -> dict[str, Value]:
    return {name: value for name, value in workload.attributes.items() if not isinstance(value, tuple)}


def _amounts(workloads: Sequence[Workload]) -> list[Array]:
    """How much larger than usual a block is, on a logarithmic scale, by what it moves and by what it computes.

    Small blocks and large ones differ in what else a network does to them; a straight line in the logarithm is the
    simplest rule that may grow with size without a jump at some class border.
    """
    by_bytes = [math.log1p(operator_of(w).activation_bytes(w)) for w in workloads]
    by_macs = [math.log1p(operator_of(w).macs(w)) for w in workloads]
    return [_standardised(values) for values in (by_bytes, by_macs) if max(values) > min(values)]


def _standardised(values: Sequence[float]) -> Array:
    array = np.array(values)
    return np.asarray((array - array.mean()) / array.std())
